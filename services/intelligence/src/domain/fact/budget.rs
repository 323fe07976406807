use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::code_list;

/// What was, or is to be, earned or spent under one heading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetLine {
    pub code: String,
    pub kind: String,
    /// First and last day of the financial period.
    pub starts_on: NaiveDate,
    pub ends_on: NaiveDate,
    /// Pence. Income and expenditure are both positive; a reversal is negative.
    pub amount: i64,
}

/// What a heading belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Income,
    StaffCost,
    OtherCost,
}

impl BudgetLine {
    pub fn key(code: &str, kind: &str, starts_on: NaiveDate, ends_on: NaiveDate) -> String {
        format!("{code}/{kind}/{starts_on}/{ends_on}")
    }

    pub fn is_actual(&self) -> bool {
        self.kind == "actual"
    }

    pub fn part(&self) -> Option<Part> {
        match code_list::list("budget_codes").get(&self.code)?.attribute("part") {
            "income" => Some(Part::Income),
            "staff" => Some(Part::StaffCost),
            _ => Some(Part::OtherCost),
        }
    }
}
