//! Values of the contracts in words.

use chrono::{DateTime, NaiveDate, Utc};
use contract::{
    improvement::ProjectState,
    intelligence::{Absent, Direction, PeriodKind, SignalRule, SignalState},
    registry::Phase,
};

pub(crate) const PHASES: [Phase; 4] =
    [Phase::Stabilise, Phase::Repair, Phase::Improve, Phase::Sustain];

/// A change: its symbol, its words and the name of its style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) symbol: &'static str,
    pub(crate) words: &'static str,
    pub(crate) class: &'static str,
}

pub(crate) fn change(direction: Direction) -> Change {
    let (symbol, words, class) = match direction {
        Direction::Better => ("▲", "better", "better"),
        Direction::Worse => ("▼", "worse", "worse"),
        Direction::NoSignificantChange => ("●", "no significant change", "steady"),
        Direction::TooLittleData | Direction::Unspecified => ("–", "too little data", "unknown"),
    };
    Change { symbol, words, class }
}

pub(crate) fn absent(absent: Absent) -> &'static str {
    match absent {
        Absent::NotApplicable => "not applicable",
        Absent::Suppressed => "suppressed",
        Absent::LowReliability => "low reliability",
        Absent::NotYetDue => "not yet due",
        Absent::NotAvailable | Absent::Unspecified => "not available",
    }
}

/// Why there is no value, at more length.
pub(crate) fn why_absent(absent: Absent) -> &'static str {
    match absent {
        Absent::NotApplicable => "this measure does not apply to the school",
        Absent::Suppressed => {
            "too few pupils to show without revealing something about one of them"
        }
        Absent::LowReliability => "too little data to rely on",
        Absent::NotYetDue => "the data are not due yet",
        Absent::NotAvailable | Absent::Unspecified => "no data have arrived for the period",
    }
}

pub(crate) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Stabilise => "Stabilise",
        Phase::Repair => "Repair",
        Phase::Improve => "Improve",
        Phase::Sustain => "Sustain",
        Phase::Unspecified => "not known",
    }
}

pub(crate) fn rule(rule: SignalRule) -> &'static str {
    match rule {
        SignalRule::OutsideLimits => "outside its usual range",
        SignalRule::RunOfEight => "eight weeks in a row on one side of its average",
        SignalRule::ThreeOfFour => "three of four weeks near the edge of its usual range",
        SignalRule::Unspecified => "changed beyond chance",
    }
}

pub(crate) fn signal_state(state: SignalState) -> &'static str {
    match state {
        SignalState::Raised => "raised",
        SignalState::Acknowledged => "acknowledged",
        SignalState::Actioned => "actioned",
        SignalState::Dismissed => "dismissed",
        SignalState::Unspecified => "not known",
    }
}

pub(crate) fn project_state(state: ProjectState) -> &'static str {
    match state {
        ProjectState::Proposed => "proposed",
        ProjectState::Diagnosed => "diagnosed",
        ProjectState::Planned => "planned",
        ProjectState::Delivering => "delivering",
        ProjectState::Embedding => "embedding",
        ProjectState::Closed => "closed",
        ProjectState::Abandoned => "abandoned",
        ProjectState::Unspecified => "not known",
    }
}

/// `2026-11-16` as `16 Nov 2026`; what is not a date stays as it is.
pub(crate) fn date(date: &str) -> String {
    date.parse::<NaiveDate>()
        .map_or_else(|_| date.to_owned(), |it| it.format("%-d %b %Y").to_string())
}

/// An instant as clocks in England show it.
pub(crate) fn instant(instant: DateTime<Utc>) -> String {
    instant.with_timezone(&chrono_tz::Europe::London).format("%-d %b %Y, %H:%M:%S").to_string()
}

pub(crate) fn period(kind: PeriodKind, starts_on: &str, ends_on: &str) -> String {
    match kind {
        PeriodKind::Day => date(starts_on),
        PeriodKind::Week => format!("week of {}", date(starts_on)),
        PeriodKind::AcademicYear => format!("year to {}", date(ends_on)),
        PeriodKind::Term | PeriodKind::Other | PeriodKind::Unspecified => {
            format!("{} to {}", date(starts_on), date(ends_on))
        }
    }
}

/// `1 school`, `2 schools`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_differs_in_words_symbol_and_style() {
        use Direction as D;
        let all = [D::Better, D::Worse, D::NoSignificantChange, D::TooLittleData].map(change);
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert_ne!(one.symbol, other.symbol);
                assert_ne!(one.words, other.words);
                assert_ne!(one.class, other.class);
            }
        }
    }

    #[test]
    fn dates_and_numbers_read_as_people_write_them() {
        assert_eq!(date("2026-11-06"), "6 Nov 2026");
        assert_eq!(date("soon"), "soon");
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        let summer = "2026-07-01T12:00:00Z".parse().unwrap();
        assert_eq!(instant(summer), "1 Jul 2026, 13:00:00");
    }
}
