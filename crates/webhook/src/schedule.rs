//! When a message that failed is tried again.

use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Waits after the first failures; from then on, each hour.
const WAITS_S: [u64; 5] = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE];
const HOURLY_S: u64 = HOUR;

/// How long after a message was due first it is given up.
pub const GIVEN_UP_AFTER: Duration = Duration::from_secs(72 * HOUR);

/// The longest pause that a target may ask for with Retry-After.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(24 * HOUR);

/// How long to wait after so many failures: the schedule's time and up to a fifth more or less, so that what failed
/// together is not tried together. `asked` is what the target asked for.
pub fn wait(failures: u32, asked: Option<Duration>) -> Duration {
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let wait = Duration::from_secs(WAITS_S.get(index).copied().unwrap_or(HOURLY_S));
    let mut chance = [0; 2];
    if getrandom::fill(&mut chance).is_err() {
        // Without chance all are tried together, which is no reason not to try.
        chance = [0x80, 0];
    }
    let fifth = f64::from(u16::from_be_bytes(chance)) / f64::from(u16::MAX);
    let wait = wait.mul_f64(0.8 + 0.4 * fifth);
    wait.max(asked.unwrap_or_default().min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_hour_and_differ_by_a_fifth_at_the_most() {
        for (failures, seconds) in
            [(1, 5.0), (2, 30.0), (3, 120.0), (4, 600.0), (5, 1800.0), (6, 3600.0), (90, 3600.0)]
        {
            for _ in 0..50 {
                let waited = wait(failures, None).as_secs_f64() / seconds;
                assert!((0.799..=1.201).contains(&waited), "{failures}: {waited}");
            }
        }
    }

    #[test]
    fn a_target_may_ask_for_longer_but_not_for_shorter_or_for_ever() {
        assert_eq!(wait(1, Some(Duration::from_secs(90))), Duration::from_secs(90));
        assert!(wait(4, Some(Duration::from_secs(1))) > Duration::from_mins(7));
        assert_eq!(wait(1, Some(Duration::MAX)), LONGEST_PAUSE);
    }
}
