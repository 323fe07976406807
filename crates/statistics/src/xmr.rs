//! XmR charts: what of a series is more than its own noise.
//!
//! Limits and rules after Shewhart, *Economic Control of Quality of Manufactured Product* (1931), as Wheeler,
//! *Understanding Variation* (2nd ed., 2000), teaches them for single values: natural process limits at the mean
//! ± 2.66 mean moving ranges (3 ÷ d₂, d₂ = 1.128 for pairs), and three detection rules.

/// 3 ÷ 1.128: from the mean moving range to three standard deviations.
const SCALE: f64 = 2.66;

/// The centre of a series and its natural process limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    pub centre: f64,
    pub lower: f64,
    pub upper: f64,
}

/// The side of the centre a change lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Above,
    Below,
}

/// What made a change more than noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The latest point lies outside the limits.
    OutsideLimits,
    /// The latest eight points lie on one side of the centre.
    RunOfEight,
    /// Three of the latest four, the latest among them, lie nearer the same limit than the centre.
    ThreeOfFour,
}

impl Limits {
    /// Limits from a baseline of at least two points.
    pub fn of(baseline: &[f64]) -> Option<Self> {
        let centre = mean(baseline.iter().copied())?;
        let range = mean(baseline.windows(2).filter_map(|it| match it {
            [before, after] => Some((after - before).abs()),
            _ => None,
        }))?;
        let reach = SCALE * range;
        Some(Self { centre, lower: centre - reach, upper: centre + reach })
    }

    fn outside(&self, value: f64) -> Option<Side> {
        match value {
            it if it > self.upper => Some(Side::Above),
            it if it < self.lower => Some(Side::Below),
            _ => None,
        }
    }

    fn side(&self, value: f64) -> Option<Side> {
        match value {
            it if it > self.centre => Some(Side::Above),
            it if it < self.centre => Some(Side::Below),
            _ => None,
        }
    }

    fn nearer_limit(&self, value: f64) -> Option<Side> {
        let half = (self.upper - self.centre) / 2.0;
        self.side(value).filter(|_| (value - self.centre).abs() > half)
    }
}

/// The first rule that the end of a series fulfils, oldest point first, and to which side.
pub fn detect(limits: &Limits, series: &[f64]) -> Option<(Rule, Side)> {
    let (latest, _) = series.split_last()?;
    if let Some(side) = limits.outside(*latest) {
        return Some((Rule::OutsideLimits, side));
    }
    if let (Some(side), Some(run)) = (limits.side(*latest), tail(series, 8))
        && run.iter().all(|it| limits.side(*it) == Some(side))
    {
        return Some((Rule::RunOfEight, side));
    }
    if let (Some(side), Some(four)) = (limits.nearer_limit(*latest), tail(series, 4))
        && four.iter().filter(|it| limits.nearer_limit(**it) == Some(side)).count() >= 3
    {
        return Some((Rule::ThreeOfFour, side));
    }
    None
}

fn tail(series: &[f64], count: usize) -> Option<&[f64]> {
    series.get(series.len().checked_sub(count)?..)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), it| (sum + it, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { centre: 94.0, lower: 92.0, upper: 96.0 };

    #[test]
    fn limits_are_2_66_mean_moving_ranges_from_the_mean() {
        let limits = Limits::of(&[94.0, 95.0, 94.0, 93.0]).unwrap();
        assert!((limits.centre - 94.0).abs() < 1e-9);
        assert!((limits.upper - 96.66).abs() < 1e-9);
        assert!((limits.lower - 91.34).abs() < 1e-9);
        assert_eq!(Limits::of(&[94.0]), None);
        assert_eq!(Limits::of(&[]), None);
    }

    #[test]
    fn each_rule_fires_at_its_border_and_not_before() {
        #[track_caller]
        fn check(series: &[f64], expected: Option<(Rule, Side)>) {
            assert_eq!(detect(&LIMITS, series), expected, "{series:?}");
        }
        check(&[], None);
        check(&[92.0], None);
        check(&[91.9], Some((Rule::OutsideLimits, Side::Below)));
        check(&[96.1], Some((Rule::OutsideLimits, Side::Above)));
        check(&[91.0, 94.0], None);
        check(&[93.5; 7], None);
        check(&[93.5; 8], Some((Rule::RunOfEight, Side::Below)));
        check(&[94.5; 8], Some((Rule::RunOfEight, Side::Above)));
        check(&[93.5, 93.5, 93.5, 93.5, 94.0, 93.5, 93.5, 93.5], None);
        check(&[92.5, 92.5, 94.5, 92.5], Some((Rule::ThreeOfFour, Side::Below)));
        check(&[92.5, 92.5, 92.5, 93.5], None);
        check(&[92.5, 92.5, 92.5], None);
        check(&[93.0, 93.0, 93.0, 93.0], None);
        check(&[92.5, 95.5, 92.5, 95.5], None);
    }

    proptest! {
        #[test]
        fn moving_and_scaling_a_series_changes_nothing(
            series in prop::collection::vec(80i32..100, 2..40),
            by in -50i32..50,
        ) {
            let plain: Vec<f64> = series.iter().map(|it| f64::from(*it)).collect();
            let moved: Vec<f64> = plain.iter().map(|it| it * 2.0 + f64::from(by)).collect();
            let (a, b) = (Limits::of(&plain).unwrap(), Limits::of(&moved).unwrap());
            prop_assert!((a.centre * 2.0 + f64::from(by) - b.centre).abs() < 1e-6);
            prop_assert!(((a.upper - a.lower) * 2.0 - (b.upper - b.lower)).abs() < 1e-6);
        }

        #[test]
        fn turning_a_series_over_turns_the_side(series in prop::collection::vec(-100i32..100, 1..12)) {
            let limits = Limits { centre: 0.0, lower: -60.5, upper: 60.5 };
            let plain: Vec<f64> = series.iter().map(|it| f64::from(*it)).collect();
            let turned: Vec<f64> = plain.iter().map(|it| -it).collect();
            let other = detect(&limits, &turned).map(|(rule, side)| {
                (rule, if side == Side::Above { Side::Below } else { Side::Above })
            });
            prop_assert_eq!(detect(&limits, &plain), other);
        }
    }
}
