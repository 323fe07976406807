//! Chance that can be had again: `SplitMix64` (Steele, Lea and Flood, 2014) as a tree of seeds.

/// The source of one draw. A seed for each thing that chance decides, so that no draw depends on how many came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of a part: a school of a trust, a day of a school.
    #[must_use]
    pub(crate) const fn of(self, part: u64) -> Self {
        Self(mix(self.0 ^ mix(part)))
    }

    /// The seed of a part that has a name.
    #[must_use]
    pub(crate) fn named(self, name: &str) -> Self {
        name.bytes().fold(self, |seed, byte| seed.of(byte.into()))
    }

    /// From 0 up to, but not including, 1.
    pub(crate) fn share(self) -> f64 {
        let [a, b, c, d, ..] = mix(self.0).to_le_bytes();
        f64::from(u32::from_le_bytes([a, b, c, d])) / 4_294_967_296.0
    }

    /// From 0 up to, but not including, `end`; 0 where there is no such number.
    pub(crate) fn below(self, end: u32) -> u32 {
        let [a, b, c, d, ..] = mix(self.0).to_le_bytes();
        u32::from_le_bytes([a, b, c, d]).checked_rem(end).unwrap_or(0)
    }

    /// Near enough to a standard normal: never beyond three and a half.
    pub(crate) fn bell(self) -> f64 {
        let sum: f64 = mix(self.0)
            .to_le_bytes()
            .as_chunks::<2>()
            .0
            .iter()
            .map(|it| f64::from(u16::from_le_bytes(*it)) / 65_536.0)
            .sum();
        (sum - 2.0) * 3.0_f64.sqrt()
    }
}

const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // First output for seed 0.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn shares_are_even_and_bells_are_bells() {
        let seeds = || (0..20_000).map(|it| Seed::new(7).of(it));
        let mean = seeds().map(Seed::share).sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let spread = seeds().map(|it| it.bell().powi(2)).sum::<f64>() / 20_000.0;
        assert!((spread - 1.0).abs() < 0.05, "{spread}");
        assert!(seeds().all(|it| it.below(7) < 7));
        assert_eq!(Seed::new(1).below(0), 0);
    }
}
