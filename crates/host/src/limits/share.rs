//! Each client's share.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::sync::Semaphore;

use super::Limits;

type Bucket = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, StateInformationMiddleware>;

/// Clients remembered at the most; strangers beyond share one share.
const REMEMBERED: usize = 50_000;
/// A share that was not used for as long is forgotten, if its bucket is full again by then.
const FORGOTTEN: Duration = Duration::from_mins(1);
/// Bodies are counted in KiB: a semaphore takes 32 bits.
pub(super) const UNIT: usize = 1 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client {
    Known(String),
    Stranger(IpAddr),
}

impl Client {
    /// An IPv6 caller has a network of 2^64 addresses to itself: it is the network that counts.
    pub(super) fn at(address: IpAddr) -> Self {
        Self::Stranger(match address.to_canonical() {
            IpAddr::V6(it) => Ipv6Addr::from_bits(it.to_bits() & !u128::from(u64::MAX)).into(),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// What one client has left.
pub(super) struct Share {
    bucket: Bucket,
    pub(super) requests: Arc<Semaphore>,
    /// In `UNIT`s.
    pub(super) body: Arc<Semaphore>,
}

/// What a bucket says of one more request.
pub(super) enum Turn {
    Now { remaining: u32 },
    In(Duration),
}

impl Share {
    fn new(limits: &Limits) -> Self {
        let quota = Quota::per_second(limits.requests_per_second).allow_burst(limits.burst);
        Self {
            bucket: RateLimiter::direct_with_clock(quota, MonotonicClock)
                .with_middleware::<StateInformationMiddleware>(),
            requests: Arc::new(Semaphore::new(limits.concurrent_requests.get())),
            body: Arc::new(Semaphore::new(limits.body_bytes_per_client.get() / UNIT)),
        }
    }

    pub(super) fn take_turn(&self) -> Turn {
        match self.bucket.check() {
            Ok(state) => Turn::Now { remaining: state.remaining_burst_capacity() },
            Err(not_yet) => Turn::In(not_yet.wait_time_from(MonotonicClock.now())),
        }
    }
}

/// The shares of all clients that called of late.
pub(super) struct Shares {
    limits: Limits,
    all: Mutex<All>,
}

struct All {
    by_client: HashMap<Client, (Arc<Share>, Instant)>,
    swept: Instant,
}

impl Shares {
    pub(super) fn new(limits: Limits) -> Self {
        let all = All { by_client: HashMap::new(), swept: Instant::now() };
        Self { limits, all: Mutex::new(all) }
    }

    pub(super) fn of(&self, client: Client, now: Instant) -> Arc<Share> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        // A bucket takes burst ÷ rate to fill: forgetting it sooner would give the burst away again.
        let filled =
            f64::from(self.limits.burst.get()) / f64::from(self.limits.requests_per_second.get());
        let forgotten = FORGOTTEN.max(Duration::from_secs_f64(filled));
        if now.duration_since(all.swept) > FORGOTTEN {
            all.by_client.retain(|_, (share, used)| {
                Arc::strong_count(share) > 1 || now.duration_since(*used) < forgotten
            });
            all.swept = now;
        }
        let crowded = all.by_client.len() >= REMEMBERED && !all.by_client.contains_key(&client);
        let client = match client {
            Client::Stranger(_) if crowded => Client::Stranger(Ipv6Addr::UNSPECIFIED.into()),
            other => other,
        };
        let fresh = || (Arc::new(Share::new(&self.limits)), now);
        let (share, used) = all.by_client.entry(client).or_insert_with(fresh);
        *used = now;
        Arc::clone(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(one: &str, other: &str, same: bool) {
        let client = |it: &str| Client::at(it.parse().unwrap());
        assert_eq!(client(one) == client(other), same, "{one} {other}");
    }

    #[test]
    fn a_stranger_is_an_address_or_a_network_of_version_6() {
        check("192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
        check("192.0.2.1", "::ffff:192.0.2.1", true);
        check("2001:db8::1", "2001:db8::ffff:1", true);
        check("2001:db8::1", "2001:db8:0:1::1", false);
    }

    #[test]
    fn a_share_is_forgotten_when_unused_and_never_while_used() {
        let shares = Shares::new(Limits::default());
        let start = Instant::now();
        let used = shares.of(Client::Known("used".to_owned()), start);
        drop(shares.of(Client::Known("unused".to_owned()), start));
        shares.of(Client::Known("later".to_owned()), start + FORGOTTEN * 2);
        let all = shares.all.lock().unwrap();
        assert!(all.by_client.contains_key(&Client::Known("used".to_owned())));
        assert!(!all.by_client.contains_key(&Client::Known("unused".to_owned())));
        drop(used);
    }

    #[test]
    fn strangers_beyond_number_share_one_share_and_the_known_keep_theirs() {
        let shares = Shares::new(Limits::default());
        let now = Instant::now();
        for it in 0..u32::try_from(REMEMBERED).unwrap() + 100 {
            shares.of(Client::Stranger(IpAddr::V4(it.into())), now);
        }
        shares.of(Client::Known("vendor".to_owned()), now);
        let all = shares.all.lock().unwrap();
        assert_eq!(all.by_client.len(), REMEMBERED + 2);
    }
}
