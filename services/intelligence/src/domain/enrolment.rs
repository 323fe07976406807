use chrono::NaiveDate;

/// A pupil's time on the roll of a school, in one year group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// National curriculum year: 0 for reception, −1 and −2 for nursery.
    pub year_group: i8,
    pub starts_on: NaiveDate,
    /// Last day on roll; none while it goes on.
    pub ends_on: Option<NaiveDate>,
}

impl Enrolment {
    pub fn covers(&self, date: NaiveDate) -> bool {
        self.starts_on <= date && self.ends_on.is_none_or(|it| date <= it)
    }
}

/// The year group of a pupil with these enrolments at a school. Where they overlap the one that began last speaks: a
/// move up need not close the year before.
pub fn year_group_on(enrolments: &[Enrolment], date: NaiveDate) -> Option<i8> {
    let covering = enrolments.iter().filter(|it| it.covers(date));
    covering.max_by_key(|it| it.starts_on).map(|it| it.year_group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(roll: &[Enrolment], on: &str, expected: Option<i8>) {
        assert_eq!(year_group_on(roll, on.parse().unwrap()), expected, "{on}");
    }

    #[test]
    fn the_enrolment_that_began_last_says_the_year_group() {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        let of = |year_group, starts: &str, ends: Option<&str>| Enrolment {
            year_group,
            starts_on: date(starts),
            ends_on: ends.map(date),
        };
        let roll = [of(5, "2025-09-01", None), of(6, "2026-09-01", Some("2026-12-18"))];
        check(&roll, "2025-08-31", None);
        check(&roll, "2025-09-01", Some(5));
        check(&roll, "2026-09-01", Some(6));
        check(&roll, "2026-12-18", Some(6));
        check(&roll, "2026-12-19", Some(5));
    }
}
