//! What every RPC needs, whichever door it came by: who calls, what the contract says of it, and how it can fail.

pub mod auth;
pub mod body;
mod ctx;
mod diagnose;
pub mod door;
mod error;
mod fields;
mod method;
mod paging;
mod peer;
mod permit;
pub mod rest;
pub mod token;
mod twin;

pub use ctx::{
    Caller, Ctx, Division, Idempotency, REQUEST_ID, Reach, Scope, all_scopes, new_id, now,
    parse_scope, request_id, scope_name,
};
pub use error::{Error, Fault, Problem, Reason, Result, code, name, status, type_uri};
pub use fields::{Fields, TEXT_LIMIT, expected_version, unchanged};
pub use method::{Method, method, methods};
pub use paging::{Gathered, PAGES, Page};
pub use peer::{Peer, far, near};
pub use permit::{Allowance, Asked, Permit, Person};
pub use twin::Twin;
