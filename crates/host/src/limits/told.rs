//! What answers say of the limits: `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::Limits;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// The fields, as lists of structured fields (RFC 9651).
#[derive(Clone, Debug)]
pub(super) struct Told {
    policy: HeaderValue,
    limits: Limits,
}

impl Told {
    pub(super) fn new(limits: Limits) -> Self {
        let (rate, burst) = (limits.requests_per_second.get(), limits.burst.get());
        let policy = format!(
            "\"requests\";q={burst};w={}, \"concurrent\";q={};qu=\"concurrent-requests\", \"bodies\";q={};qu=\"content-bytes\"",
            burst.div_ceil(rate),
            limits.concurrent_requests,
            limits.body_bytes_per_client,
        );
        // Digits and the letters above are what a header may hold.
        let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(""));
        Self { policy, limits }
    }

    /// Says how many requests are left, and in how many seconds there are as many as ever.
    pub(super) fn write(&self, headers: &mut HeaderMap, remaining: u32) {
        let missing = self.limits.burst.get().saturating_sub(remaining);
        let seconds = missing.div_ceil(self.limits.requests_per_second.get());
        headers.insert(POLICY, self.policy.clone());
        let left = format!("\"requests\";r={remaining};t={seconds}");
        if let Ok(left) = HeaderValue::from_str(&left) {
            headers.insert(LEFT, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(remaining: u32, expected: &str) {
        let mut headers = HeaderMap::new();
        Told::new(Limits::default()).write(&mut headers, remaining);
        assert_eq!(headers[LEFT], expected);
    }

    #[test]
    fn it_says_what_is_left_and_until_when() {
        check(4_000, "\"requests\";r=4000;t=0");
        check(3_999, "\"requests\";r=3999;t=1");
        check(0, "\"requests\";r=0;t=2");
    }

    #[test]
    fn the_policy_names_every_quota() {
        let mut headers = HeaderMap::new();
        Told::new(Limits::default()).write(&mut headers, 1);
        let expected = "\"requests\";q=4000;w=2, \"concurrent\";q=512;qu=\"concurrent-requests\", \
                        \"bodies\";q=100663296;qu=\"content-bytes\"";
        assert_eq!(headers[POLICY], expected);
    }
}
