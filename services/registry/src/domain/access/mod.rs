//! Who may do what: clients, what trusts grant them, and where people sign in.

pub(crate) mod client;
pub(crate) mod grant;
pub(crate) mod provider;

use std::collections::BTreeSet;

use rpc::Scope;

/// Scopes that are the platform's own: no trust can give them.
const OF_PLATFORM: [Scope; 4] =
    [Scope::PlatformWrite, Scope::JournalOperate, Scope::MetricsRead, Scope::DirectoryRead];

/// The scopes of a trust's own affairs, which it can grant.
pub(crate) fn grantable() -> BTreeSet<i32> {
    rpc::all_scopes().filter(|it| !OF_PLATFORM.contains(it)).map(i32::from).collect()
}

/// Every scope but that which only services have.
pub(crate) fn operable() -> BTreeSet<i32> {
    rpc::all_scopes().filter(|it| *it != Scope::DirectoryRead).map(i32::from).collect()
}
