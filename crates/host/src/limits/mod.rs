//! What one client may ask, and what a stranger may hold open: one policy for both doors, told with every answer.
//!
//! A client is who its token says, or, without one, the address it calls from. Each has a share of its own: a token
//! bucket of requests, a number of requests under way, and bytes of bodies in memory. Bytes are also counted for all
//! clients together, and who waits for them is served in turn, so that nobody takes all.

mod admit;
mod meter;
mod pace;
mod share;
mod told;

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use serde::Deserialize;

pub(crate) use admit::{Gate, Peer, admit};
pub(crate) use meter::meter;

/// The settings; `headway.toml` says of each what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub requests_per_second: NonZeroU32,
    pub burst: NonZeroU32,
    pub concurrent_requests: NonZeroUsize,
    pub body_bytes: NonZeroUsize,
    pub body_bytes_per_client: NonZeroUsize,
    pub body_wait_s: u64,
    pub body_idle_s: u64,
    pub body_bytes_per_second: u64,
    pub header_bytes: NonZeroU32,
    pub headers: NonZeroU32,
    pub query_bytes: NonZeroU32,
    pub header_timeout_s: u64,
    pub request_timeout_s: u64,
    pub connections: NonZeroUsize,
    pub streams_per_connection: NonZeroU32,
    /// How long a stop waits for what is under way.
    pub drain_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let number = |it| NonZeroU32::new(it).unwrap_or(NonZeroU32::MIN);
        let size = |it| NonZeroUsize::new(it).unwrap_or(NonZeroUsize::MIN);
        Self {
            requests_per_second: number(2_000),
            burst: number(4_000),
            concurrent_requests: size(512),
            body_bytes: size(256 << 20),
            body_bytes_per_client: size(96 << 20),
            body_wait_s: 10,
            body_idle_s: 30,
            body_bytes_per_second: 512,
            header_bytes: number(64 << 10),
            headers: number(100),
            query_bytes: number(8 << 10),
            header_timeout_s: 10,
            request_timeout_s: 60,
            connections: size(4096),
            streams_per_connection: number(256),
            drain_s: 10,
        }
    }
}

impl Limits {
    /// How long the head of a request is waited for.
    pub(crate) fn head(&self) -> Duration {
        Duration::from_secs(self.header_timeout_s)
    }

    /// For measurements, which are one client: everything is counted as ever, nothing is refused for its rate.
    #[must_use]
    pub fn lifted(self) -> Self {
        Self {
            requests_per_second: NonZeroU32::MAX,
            burst: NonZeroU32::MAX,
            concurrent_requests: NonZeroUsize::new(1 << 20).unwrap_or(NonZeroUsize::MIN),
            body_bytes_per_client: self.body_bytes,
            ..self
        }
    }
}
