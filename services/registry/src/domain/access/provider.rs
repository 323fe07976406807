use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr},
};

use chrono::{DateTime, Utc};
use http::Uri;
use identity::{SchoolId, TrustId};
use rpc::Fault;
use serde::{Deserialize, Serialize};

/// Groups mapped at the most.
pub(crate) const MAPPINGS: usize = 200;
/// The claim that lists a person's groups unless another is said.
pub(crate) const GROUPS: &str = "groups";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Reader,
    Editor,
    Administrator,
    DataProtection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Audience {
    Board,
    Executive,
    SchoolLeader,
    MiddleLeader,
    Teacher,
}

/// A group of the identity provider, and what its members may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mapping {
    pub group: String,
    pub role: Role,
    pub audience: Audience,
    /// Empty for every school of the trust.
    pub school_ids: BTreeSet<SchoolId>,
    pub named: bool,
}

/// Where the people of a trust sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Provider {
    pub trust_id: TrustId,
    pub issuer: String,
    pub audience: String,
    pub groups_claim: String,
    pub mappings: Vec<Mapping>,
    pub enabled: bool,
    pub version: i32,
    pub changed_at: DateTime<Utc>,
}

/// An issuer's URL: https, or http to this machine where that is allowed for development.
pub(crate) fn issuer(text: &str, loopback: bool) -> Result<String, Fault> {
    let refused = || Fault::invalid("must be an https URL without query or fragment");
    let uri: Uri = text.parse().map_err(|_| refused())?;
    let host = uri.host().filter(|it| !it.is_empty()).ok_or_else(refused)?;
    let plain = uri.query().is_none() && !text.contains(['#', '@']) && text.len() <= 500;
    match uri.scheme_str() {
        Some("https") if plain => Ok(text.to_owned()),
        Some("http") if plain && loopback && is_loopback(host) => Ok(text.to_owned()),
        _ => Err(refused()),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|it| it.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, loopback: bool, good: bool) {
        assert_eq!(issuer(text, loopback).is_ok(), good, "{text}");
    }

    /// threat: T-FALSE-ISSUER
    #[test]
    fn issuers_are_https_and_loopback_only_for_development() {
        check("https://login.microsoftonline.com/0b1f/v2.0", false, true);
        check("http://login.example.org", true, false);
        check("http://127.0.0.1:8080/demo-issuer", true, true);
        check("http://[::1]:8080/demo-issuer", true, true);
        check("http://127.0.0.1:8080/demo-issuer", false, false);
        check("http://127.0.0.1.example.org/", true, false);
        check("https://x@127.0.0.1/", true, false);
        check("https://login.example.org/?tenant=1", false, false);
        check("https:///nowhere", false, false);
        check("file:///etc/passwd", true, false);
        check("", true, false);
    }
}
