//! URLs that may be told.

use std::net::IpAddr;

use reqwest::Url;
use rpc::{Fault, Reason};

use crate::is_public;

/// The longest URL, in bytes.
const URL_LIMIT: usize = 2000;
/// Below are the ports of other protocols.
const FIRST_PORT: u16 = 1024;

/// Which targets are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// `https` at public addresses.
    #[default]
    Public,
    /// Also plain `http`, and any address: for development and tests on one machine.
    Anywhere,
}

impl Policy {
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        self == Self::Anywhere || is_public(address)
    }
}

/// A URL whose form is acceptable. Where it leads is checked whenever it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(pub(crate) Url);

impl Target {
    pub fn parse(text: &str, policy: Policy) -> Result<Self, Fault> {
        if text.len() > URL_LIMIT {
            return Err(Fault::invalid(format!("must be at most {URL_LIMIT} characters")));
        }
        let url = Url::parse(text).map_err(|_| Fault::invalid("must be an absolute URL"))?;
        let plain = policy == Policy::Anywhere && url.scheme() == "http";
        if url.scheme() != "https" && !plain {
            return Err(Fault::invalid("must begin with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::invalid("must not hold a user or password"));
        }
        if url.fragment().is_some() {
            return Err(Fault::invalid("must not hold a fragment"));
        }
        let other_protocol = url.port().is_some_and(|it| it < FIRST_PORT && it != 443);
        if other_protocol && policy == Policy::Public {
            return Err(Fault::invalid("must be at port 443, or 1024 or higher"));
        }
        let target = Self(url);
        match target.literal() {
            Some(address) if !policy.admits(address) => Err(refused()),
            _ => Ok(target),
        }
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address, where the host is one and not a name: no resolver is asked then. `URL` has brought other forms, like
    /// `0x7f.1`, to this one.
    pub(crate) fn literal(&self) -> Option<IpAddr> {
        self.host().trim_matches(['[', ']']).parse().ok()
    }
}

/// Says nothing of the address: what names mean inside is nobody's business.
pub(crate) fn refused() -> Fault {
    let detail = "its host leads to an address that is not public";
    Fault::new(Reason::WebhookTargetRefused, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// threat: T-SSRF
    #[test]
    fn urls_are_taken_or_refused_by_their_form() {
        for url in [
            "https://hooks.example.org/headway?x=1",
            "https://hooks.example.org:8443/",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(Target::parse(url, Policy::Public).is_ok(), "{url}");
        }
        for url in [
            "",
            "hooks.example.org",
            "/path",
            "http://hooks.example.org/",
            "ftp://hooks.example.org/",
            "file:///etc/passwd",
            "https://user:pass@hooks.example.org/",
            "https://user@hooks.example.org/",
            "https://hooks.example.org/#x",
            "https://hooks.example.org:22/",
            "https://hooks.example.org:80/",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://10.0.0.1:8443/",
            "https://①②⑦.0.0.1/",
        ] {
            assert!(Target::parse(url, Policy::Public).is_err(), "{url}");
        }
        let long = format!("https://hooks.example.org/{}", "x".repeat(URL_LIMIT));
        assert!(Target::parse(&long, Policy::Public).is_err());
        assert!(Target::parse("http://127.0.0.1:9/", Policy::Anywhere).is_ok());
        assert!(Target::parse("gopher://127.0.0.1:9/", Policy::Anywhere).is_err());
    }
}
