//! A sparkline: the weekly values of a measure within its natural process limits, small enough for a table cell.

use maud::{Markup, html};

const WIDTH: f64 = 140.0;
const HEIGHT: f64 = 32.0;
/// Room for the last point's marker.
const PADDING: f64 = 4.0;

/// A series and, when it is long enough to have them, its limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series<'a> {
    /// Oldest first.
    pub(crate) values: &'a [f64],
    pub(crate) limits: Option<Limits>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    pub(crate) lower: f64,
    pub(crate) centre: f64,
    pub(crate) upper: f64,
}

/// Where everything is drawn, in the picture's own units, y downwards.
#[derive(Clone, Debug, PartialEq)]
struct Geometry {
    points: Vec<(f64, f64)>,
    /// y of the upper limit, the centre and the lower limit.
    limits: Option<(f64, f64, f64)>,
}

impl Series<'_> {
    fn geometry(&self) -> Geometry {
        let drawn = self.values.iter().copied().filter(|it| it.is_finite());
        let limits = self.limits.map(|it| [it.lower, it.centre, it.upper]).into_iter().flatten();
        let (low, high) = drawn
            .clone()
            .chain(limits)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        let span = high - low;
        let y = |value: f64| {
            // A flat series runs through the middle.
            let share = if span > 0.0 { (value - low) / span } else { 0.5 };
            HEIGHT - PADDING - share * (HEIGHT - 2.0 * PADDING)
        };
        let values: Vec<f64> = drawn.collect();
        let steps = f64::from(u32::try_from(values.len().saturating_sub(1)).unwrap_or(1).max(1));
        let points = (0_u32..)
            .zip(&values)
            .map(|(index, value)| {
                let x = if values.len() == 1 { 1.0 } else { f64::from(index) / steps };
                (PADDING + x * (WIDTH - 2.0 * PADDING), y(*value))
            })
            .collect();
        Geometry { points, limits: self.limits.map(|it| (y(it.upper), y(it.centre), y(it.lower))) }
    }

    /// What the picture shows, in a sentence for those who do not see it.
    fn description(&self) -> String {
        let values: Vec<f64> = self.values.iter().copied().filter(|it| it.is_finite()).collect();
        let (Some(first), Some(last)) = (values.first(), values.last()) else {
            return "No weekly values yet".to_owned();
        };
        let weeks = values.len();
        let text = if weeks == 1 {
            format!("One week: {last:.1} %")
        } else {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            format!(
                "{weeks} weeks from {first:.1} % to {last:.1} %, lowest {low:.1} %, highest {high:.1} %"
            )
        };
        match self.limits {
            Some(Limits { lower, upper, .. }) => {
                format!("{text}; expected between {lower:.1} % and {upper:.1} %")
            }
            None => text,
        }
    }

    pub(crate) fn svg(&self) -> Markup {
        let description = self.description();
        let Geometry { points, limits } = self.geometry();
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        html! {
            svg class="spark" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(description)
                focusable="false" {
                title { (description) }
                @if let Some((upper, centre, lower)) = limits {
                    rect class="band" x="0" width=(WIDTH) y=(format!("{upper:.1}"))
                        height=(format!("{:.1}", (lower - upper).max(0.0))) {}
                    line class="centre" x1="0" x2=(WIDTH) y1=(format!("{centre:.1}")) y2=(format!("{centre:.1}")) {}
                }
                polyline class="line" points=(line.join(" ")) {}
                @if let Some((x, y)) = points.last() {
                    circle class="last" cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="3" {}
                }
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are exact in binary")]
mod tests {
    use super::*;

    #[track_caller]
    fn inside(series: Series<'_>) -> Geometry {
        let geometry = series.geometry();
        for (x, y) in &geometry.points {
            assert!((0.0..=WIDTH).contains(x) && (0.0..=HEIGHT).contains(y), "({x}, {y})");
        }
        geometry
    }

    #[test]
    fn higher_values_are_drawn_higher_and_time_runs_rightwards() {
        let geometry = inside(Series { values: &[90.0, 95.0, 92.5], limits: None });
        let [(x0, y0), (x1, y1), (x2, y2)] = geometry.points[..] else { panic!("three points") };
        assert!(x0 < x1 && x1 < x2);
        assert_eq!((y0, y1, y2), (HEIGHT - PADDING, PADDING, HEIGHT / 2.0));
        assert_eq!((x0, x1, x2), (PADDING, WIDTH / 2.0, WIDTH - PADDING));
    }

    #[test]
    fn limits_are_in_the_same_scale_as_the_values() {
        let limits = Limits { lower: 80.0, centre: 90.0, upper: 100.0 };
        let geometry = inside(Series { values: &[90.0, 85.0], limits: Some(limits) });
        assert_eq!(geometry.limits, Some((PADDING, HEIGHT / 2.0, HEIGHT - PADDING)));
        assert_eq!(geometry.points[0].1, HEIGHT / 2.0);
    }

    #[test]
    fn a_flat_a_single_and_an_empty_series_are_drawn_without_dividing_by_nothing() {
        assert_eq!(inside(Series { values: &[94.0; 5], limits: None }).points[4].1, HEIGHT / 2.0);
        assert_eq!(inside(Series { values: &[94.0], limits: None }).points.len(), 1);
        assert!(inside(Series { values: &[], limits: None }).points.is_empty());
        assert_eq!(inside(Series { values: &[f64::NAN, 94.0], limits: None }).points.len(), 1);
    }

    #[test]
    fn the_picture_is_told_in_words() {
        let limits = Limits { lower: 91.04, centre: 93.0, upper: 95.0 };
        let series = Series { values: &[92.0, 94.26], limits: Some(limits) };
        let svg = series.svg().into_string();
        assert!(svg.contains(
            "2 weeks from 92.0 % to 94.3 %, lowest 92.0 %, highest 94.3 %; expected between 91.0 % and 95.0 %"
        ));
        assert!(svg.contains("role=\"img\"") && svg.contains("<title>"));
        let none = Series { values: &[], limits: None }.svg().into_string();
        assert!(none.contains("No weekly values yet"));
    }
}
