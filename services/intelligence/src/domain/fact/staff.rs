use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::code_list;

/// Somebody's contract at a school.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffMember {
    pub role: String,
    /// Hundredths of a full-time equivalent.
    pub fte: i64,
    pub starts_on: NaiveDate,
    /// Last day of the contract; none while it goes on.
    pub ends_on: Option<NaiveDate>,
}

/// Days somebody was away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffAbsence {
    pub starts_on: NaiveDate,
    pub ends_on: Option<NaiveDate>,
    /// Hundredths of a working day lost so far.
    pub working_days: i64,
    pub reason: String,
}

/// Lessons of a day by who taught them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    pub on: NaiveDate,
    pub covered_by: String,
    pub lessons: u32,
}

impl StaffMember {
    pub fn key(role: &str, starts_on: NaiveDate) -> String {
        format!("{role}/{starts_on}")
    }

    pub fn is_teacher(&self) -> bool {
        code_list::list("staff_roles").get(&self.role).is_some_and(|it| it.is("teacher"))
    }
}

impl StaffAbsence {
    pub fn is_sickness(&self) -> bool {
        let found = code_list::list("staff_absence_reasons").get(&self.reason);
        found.is_some_and(|it| it.is("sickness"))
    }
}

impl Cover {
    pub fn key(on: NaiveDate, covered_by: &str) -> String {
        format!("{on}/{covered_by}")
    }

    pub fn is_temporary(&self) -> bool {
        code_list::list("cover").get(&self.covered_by).is_some_and(|it| it.is("temporary"))
    }
}
