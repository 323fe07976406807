//! Grade codes as national curriculum years.

use crate::domain::{GradeScheme, OneRosterMapping};

/// The year of the first of some grades, by the feed's own table, else by its scheme.
pub(super) fn year(mapping: &OneRosterMapping, grades: &str) -> Option<i8> {
    let grade = grades.split([',', ';']).next().unwrap_or_default().trim();
    if let Some(year) = mapping.year_groups.get(grade) {
        return Some(*year);
    }
    let grade = grade.to_ascii_uppercase();
    let number =
        grade.strip_prefix("YEAR").or_else(|| grade.strip_prefix('Y')).unwrap_or(&grade).trim();
    let number = number.parse().ok().filter(|it: &i8| *it >= 0);
    match mapping.grades {
        GradeScheme::NationalCurriculum => match grade.as_str() {
            "R" | "REC" | "KG" | "F2" => Some(0),
            "N" | "N2" | "NUR" | "PK" | "F1" => Some(-1),
            "N1" => Some(-2),
            _ => number.filter(|it| *it <= 14),
        },
        GradeScheme::UnitedStates => match grade.as_str() {
            "KG" | "K" => Some(1),
            "TK" | "PK" => Some(0),
            "PR" => Some(-1),
            "IT" => Some(-2),
            _ => number.filter(|it| (1..=13).contains(it)).map(|it| it + 1),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_are_years_of_the_national_curriculum() {
        #[track_caller]
        fn check(grades: &str, england: Option<i8>, states: Option<i8>) {
            let own = [("Lower 6".to_owned(), 12)].into();
            let mapping = OneRosterMapping { year_groups: own, ..OneRosterMapping::default() };
            assert_eq!(year(&mapping, grades), england, "{grades} in England");
            let mapping = OneRosterMapping { grades: GradeScheme::UnitedStates, ..mapping };
            assert_eq!(year(&mapping, grades), states, "{grades} in the United States");
        }
        check("09", Some(9), Some(10));
        check("9", Some(9), Some(10));
        check("Year 7", Some(7), Some(8));
        check("y7,y8", Some(7), Some(8));
        check("KG", Some(0), Some(1));
        check("R", Some(0), None);
        check("N1", Some(-2), None);
        check("PK", Some(-1), Some(0));
        check("14", Some(14), None);
        check("15", None, None);
        check("UG", None, None);
        check("", None, None);
        check("-1", None, None);
        check("Lower 6", Some(12), Some(12));
    }
}
