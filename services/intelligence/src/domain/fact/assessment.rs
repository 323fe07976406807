use calendar::AcademicYear;
use chrono::NaiveDate;
use rpc::{Fault, Reason};
use serde::{Deserialize, Serialize};

use crate::domain::{
    Absent,
    code_list::{self, Listed},
};

/// What a pupil achieved, on a scale, in a subject, at a point of their school career.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessmentResult {
    pub scale: String,
    pub subject: String,
    pub point: String,
    pub taken_on: NaiveDate,
    pub graded: Graded,
}

/// A number or a code of the scale, as a source writes it, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Graded {
    Result(String),
    Absent(Absent),
}

/// Where a result lies against what is expected at the end of key stage 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standard {
    Below,
    Expected,
    Higher,
}

impl AssessmentResult {
    pub fn key(scale: &str, subject: &str, point: &str, taken_on: NaiveDate) -> String {
        let year = AcademicYear::of(taken_on).first_year();
        format!("{scale}/{subject}/{point}/{year}")
    }

    /// A result as it may stand on a scale on a day: a number in its range, without superfluous zeros, or one of its
    /// codes.
    pub fn result(scale: &str, text: &str, on: NaiveDate) -> Result<String, Fault> {
        let text = text.trim();
        let scale = code_list::list("assessment_scales").on(scale, on)?;
        match (range(scale), text.parse::<f64>()) {
            (Some((lowest, highest)), Ok(number))
                if (lowest..=highest).contains(&number)
                    && (number.fract() == 0.0 || !scale.is("whole")) =>
            {
                Ok(number.to_string())
            }
            (Some((lowest, highest)), Err(_) | Ok(_)) => {
                let codes: Vec<_> = grades(&scale.code).filter(|it| it.valid_on(on)).collect();
                if let Some(code) = codes.iter().find(|it| it.code == text) {
                    return Ok(code.code.clone());
                }
                let named: Vec<_> = codes.iter().map(|it| it.code.as_str()).collect();
                let or = if named.is_empty() { "" } else { ", or one of " };
                let a = if scale.is("whole") { "a whole" } else { "a" };
                let detail =
                    format!("must be {a} number from {lowest} to {highest}{or}{}", named.join(" "));
                Err(Fault::new(Reason::CodeUnknown, detail).accepting(named))
            }
            (None, _) => {
                let code = code_list::choose(grades(&scale.code), text, on, "assessment_grades");
                code.map(|it| it.code.clone())
            }
        }
    }

    /// The result as a number, where the scale has numbers.
    pub fn number(&self) -> Option<f64> {
        let Graded::Result(text) = &self.graded else { return None };
        text.parse().ok()
    }

    /// Points of a grade, where the scale gives it some.
    pub fn points(&self) -> Option<f64> {
        self.grade()?.number("points")
    }

    /// Against what is expected at the end of key stage 2; none where the pupil is left out of the count, as one who
    /// left, or where nothing is known.
    pub fn standard(&self) -> Option<Standard> {
        if let Some(grade) = self.grade() {
            return match grade.attribute("standard") {
                _ if !grade.is("counted") => None,
                "higher" => Some(Standard::Higher),
                "expected" => Some(Standard::Expected),
                "below" => Some(Standard::Below),
                _ => None,
            };
        }
        let (number, scale) =
            (self.number()?, code_list::list("assessment_scales").get(&self.scale)?);
        let (expected, higher) = (scale.number("expected")?, scale.number("higher")?);
        Some(if number >= higher {
            Standard::Higher
        } else if number >= expected {
            Standard::Expected
        } else {
            Standard::Below
        })
    }

    fn grade(&self) -> Option<&'static Listed> {
        let Graded::Result(text) = &self.graded else { return None };
        grades(&self.scale).find(|it| it.code == *text)
    }
}

fn grades(scale: &str) -> impl Iterator<Item = &'static Listed> + Clone {
    let of = move |it: &&Listed| it.attribute("scale") == scale;
    code_list::list("assessment_grades").codes.iter().filter(of)
}

fn range(scale: &Listed) -> Option<(f64, f64)> {
    Some((scale.number("lowest")?, scale.number("highest")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_one_of_its_scale() {
        #[track_caller]
        fn check(scale: &str, text: &str, expected: Result<&str, &str>) {
            let on = "2026-05-14".parse().unwrap();
            match (AssessmentResult::result(scale, text, on), expected) {
                (Ok(result), Ok(expected)) => assert_eq!(result, expected),
                (Err(fault), Err(part)) => assert!(fault.detail.contains(part), "{fault}"),
                (got, _) => panic!("{scale} {text}: {got:?}"),
            }
        }
        check("ks2_scaled_score", "80", Ok("80"));
        check("ks2_scaled_score", "120.0", Ok("120"));
        check("ks2_scaled_score", "121", Err("from 80 to 120, or one of N B A"));
        check("ks2_scaled_score", "100.5", Err("must be a whole number"));
        check("ks2_scaled_score", "79", Err("from 80 to 120"));
        check("ks2_scaled_score", "NaN", Err("from 80 to 120"));
        check("ks2_scaled_score", "B", Ok("B"));
        check("ks2_teacher_assessment", "GDS", Ok("GDS"));
        check("ks2_teacher_assessment", "PKG", Err("may be used up to 2018-08-31"));
        check("ks2_teacher_assessment", "100", Err("GDS EXS WTS"));
        check("gcse_9_1", "9", Ok("9"));
        check("gcse_9_1", "U", Ok("U"));
        check("gcse_9_1", "A*", Err("9 8 7 6 5 4 3 2 1 U X"));
        check("gcse_9_1_double", "9-8", Ok("9-8"));
        check("a_level", "A*", Ok("A*"));
        check("a_level", "F", Err("A* A B C D E U"));
        check("teacher_points", "12.5", Ok("12.5"));
        check("teacher_points", "-1", Err("from 0 to 1000"));
        check("reading_age_months", "inf", Err("from 36 to 240"));
        check("key_stage", "9", Err("is not a code of assessment_scales"));
    }

    #[test]
    fn standards_are_those_of_key_stage_two() {
        #[track_caller]
        fn check(scale: &str, text: &str, expected: Option<Standard>) {
            let result = AssessmentResult {
                scale: scale.to_owned(),
                subject: "reading".to_owned(),
                point: "ks2".to_owned(),
                taken_on: "2026-05-14".parse().unwrap(),
                graded: Graded::Result(text.to_owned()),
            };
            assert_eq!(result.standard(), expected, "{text}");
        }
        check("ks2_scaled_score", "99", Some(Standard::Below));
        check("ks2_scaled_score", "100", Some(Standard::Expected));
        check("ks2_scaled_score", "109", Some(Standard::Expected));
        check("ks2_scaled_score", "110", Some(Standard::Higher));
        check("ks2_scaled_score", "A", Some(Standard::Below));
        check("ks2_scaled_score", "L", None);
        check("ks2_teacher_assessment", "WTS", Some(Standard::Below));
        check("ks2_teacher_assessment", "EXS", Some(Standard::Expected));
        check("ks2_teacher_assessment", "GDS", Some(Standard::Higher));
        check("gcse_9_1", "9", None);
    }
}
