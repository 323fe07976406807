//! What facts count as: sums by school, quantity, day and group of pupils, which any period and any measure adds up.

use std::{
    collections::BTreeMap,
    ops::{AddAssign, Neg},
};

use calendar::AcademicYear;
use chrono::{Days, NaiveDate};
use identity::{SchoolId, TrustId};
use serde::{Deserialize, Serialize};

use super::{
    AssessmentResult, BudgetLine, Content, FactKey, KeptFact, Part, StaffMember, Standard,
};
use crate::domain::{Hash, Kind, Standing, feed::snake};

/// The subject of what takes reading, writing and maths together.
pub const COMBINED: &str = "reading_writing_maths";
/// Grades are compared with 5, a strong pass.
const STRONG_PASS: f64 = 5.0;

/// What is summed. Those of staff are steps: the sum of all days up to one is what holds on it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Quantity {
    Suspensions,
    PermanentExclusions,
    BehaviourIncidents,
    /// Pupils at the expected standard or above, of those counted.
    ExpectedStandard,
    HigherStandard,
    /// Scaled scores, of pupils who have one.
    ScaledScore,
    /// Pupils with grade 5 or above in English and in maths, of those with any GCSE.
    StrongPasses,
    /// Points of A level entries.
    AdvancedPoints,
    TeacherPoints,
    ReadingAge,
    /// Hundredths of a full-time equivalent.
    StaffFte,
    TeacherFte,
    /// People on the staff.
    Staff,
    StaffLeft,
    /// Hundredths of a working day.
    SicknessDays,
    /// Lessons taught by temporary staff, of all.
    TemporaryLessons,
    /// Pence spent on staff, of income.
    StaffCosts,
    /// Income less expenditure, in pence, of so many lines.
    Balance,
}

impl Quantity {
    /// As it is stored.
    pub fn name(self) -> String {
        snake(&format!("{self:?}"))
    }
}

/// Where a sum belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellKey {
    pub trust_id: TrustId,
    pub quantity: Quantity,
    pub on: NaiveDate,
    pub school_id: SchoolId,
    /// Empty where the quantity has none.
    pub subject: String,
    pub point: String,
    /// None for what is not of a pupil.
    pub standing: Option<Standing>,
}

/// A sum, and of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub sum: i64,
    pub count: i64,
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.sum = self.sum.saturating_add(other.sum);
        self.count = self.count.saturating_add(other.count);
    }
}

impl Neg for Sums {
    type Output = Self;

    fn neg(self) -> Self {
        Self { sum: -self.sum, count: -self.count }
    }
}

/// Sums being collected; those that come to nothing are none.
#[derive(Debug, Default)]
pub(super) struct Counted {
    cells: BTreeMap<CellKey, Sums>,
}

impl Counted {
    pub(super) fn add(&mut self, key: CellKey, sums: Sums) {
        *self.cells.entry(key).or_default() += sums;
    }

    pub(super) fn into_cells(mut self) -> BTreeMap<CellKey, Sums> {
        self.cells.retain(|_, it| *it != Sums::default());
        self.cells
    }
}

/// Facts that only together say what they count as: a pupil's results of an academic year, a person's contracts at a
/// school. Every other fact is by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bundle {
    school_id: SchoolId,
    kind: Kind,
    of: Together,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Together {
    Year(Hash, AcademicYear),
    Person(Hash),
    Alone(String),
}

/// Takes what something counts as.
pub(super) type Count<'a> = &'a mut dyn FnMut(CellKey, Sums);

impl Bundle {
    pub(super) fn of(key: &FactKey, fact: &KeptFact) -> Self {
        let of = match (key.kind, fact.person) {
            (Kind::AssessmentResult, Some(it)) => Together::Year(it, AcademicYear::of(fact.on)),
            (Kind::StaffMember, Some(it)) => Together::Person(it),
            _ => Together::Alone(key.key.clone()),
        };
        Self { school_id: key.school_id, kind: key.kind, of }
    }

    /// Counts the facts of a bundle. Those that wait count in nothing.
    pub(super) fn count(&self, facts: &[&KeptFact], count: Count<'_>) {
        let facts: Vec<_> = facts.iter().filter(|it| !it.waits()).copied().collect();
        let Some(first) = facts.first() else { return };
        let school = School { school_id: self.school_id, trust_id: first.trust_id };
        match self.kind {
            Kind::AssessmentResult => results(school, &facts, count),
            Kind::StaffMember => contracts(school, &facts, count),
            _ => facts.iter().for_each(|it| alone(school, it, count)),
        }
    }
}

#[derive(Clone, Copy)]
struct School {
    school_id: SchoolId,
    trust_id: TrustId,
}

impl School {
    fn cell(self, quantity: Quantity, on: NaiveDate, standing: Option<Standing>) -> CellKey {
        let Self { school_id, trust_id } = self;
        let (subject, point) = (String::new(), String::new());
        CellKey { trust_id, quantity, on, school_id, subject, point, standing }
    }
}

fn alone(school: School, fact: &KeptFact, count: Count<'_>) {
    let mut tell = |quantity, on, sum, of| {
        count(school.cell(quantity, on, fact.standing), Sums { sum, count: of });
    };
    match &fact.content {
        Content::Suspension(it) if it.is_permanent() => {
            tell(Quantity::PermanentExclusions, it.starts_on, 1, 1);
        }
        Content::Suspension(it) => tell(Quantity::Suspensions, it.starts_on, 1, 1),
        Content::BehaviourIncident(it) => tell(Quantity::BehaviourIncidents, it.on, 1, 1),
        Content::StaffAbsence(it) if it.is_sickness() => {
            tell(Quantity::SicknessDays, it.starts_on, it.working_days, 1);
        }
        Content::Cover(it) => {
            let (lessons, temporary) = (i64::from(it.lessons), it.is_temporary());
            tell(Quantity::TemporaryLessons, it.on, if temporary { lessons } else { 0 }, lessons);
        }
        Content::BudgetLine(it) if it.is_actual() => budget(it, &mut tell),
        Content::StaffAbsence(_)
        | Content::BudgetLine(_)
        | Content::AssessmentResult(_)
        | Content::StaffMember(_)
        | Content::Observation(_) => {}
    }
}

/// A line counts on the last day of its period, when it is known.
fn budget(it: &BudgetLine, tell: &mut impl FnMut(Quantity, NaiveDate, i64, i64)) {
    match it.part() {
        Some(Part::Income) => {
            tell(Quantity::StaffCosts, it.ends_on, 0, it.amount);
            tell(Quantity::Balance, it.ends_on, it.amount, 1);
        }
        Some(Part::StaffCost) => {
            tell(Quantity::StaffCosts, it.ends_on, it.amount, 0);
            tell(Quantity::Balance, it.ends_on, -it.amount, 1);
        }
        Some(Part::OtherCost) => tell(Quantity::Balance, it.ends_on, -it.amount, 1),
        None => {}
    }
}

/// A pupil's results of one academic year.
fn results(school: School, facts: &[&KeptFact], count: Count<'_>) {
    let results: Vec<_> = facts
        .iter()
        .filter_map(|fact| match &fact.content {
            Content::AssessmentResult(it) => Some((it, fact.standing)),
            _ => None,
        })
        .collect();
    for (result, standing) in &results {
        let mut tell = |quantity, sum| {
            let mut cell = school.cell(quantity, result.taken_on, *standing);
            cell.subject.clone_from(&result.subject);
            cell.point.clone_from(&result.point);
            count(cell, Sums { sum, count: 1 });
        };
        match result.scale.as_str() {
            "teacher_points" => hundredths(result.number(), |it| tell(Quantity::TeacherPoints, it)),
            "reading_age_months" => {
                hundredths(result.number(), |it| tell(Quantity::ReadingAge, it));
            }
            "a_level" if result.point == "a_level" => {
                hundredths(result.points(), |it| tell(Quantity::AdvancedPoints, it));
            }
            "ks2_scaled_score" => hundredths(result.number(), |it| tell(Quantity::ScaledScore, it)),
            _ => {}
        }
        if let Some(standard) = key_stage_two(result) {
            tell(Quantity::ExpectedStandard, i64::from(standard >= Standard::Expected));
            tell(Quantity::HigherStandard, i64::from(standard >= Standard::Higher));
        }
    }
    combined(school, &results, count);
    strong_passes(school, &results, count);
}

type Result<'a> = (&'a AssessmentResult, Option<Standing>);

/// The standard a result counts as at the end of key stage 2: of tests where there are tests, and of teachers'
/// assessment in writing and science.
fn key_stage_two(it: &AssessmentResult) -> Option<Standard> {
    let assessed = matches!(it.subject.as_str(), "writing" | "science");
    let scale = if assessed { "ks2_teacher_assessment" } else { "ks2_scaled_score" };
    it.standard().filter(|_| it.scale == scale && it.point == "ks2")
}

/// Reading, writing and maths together: of pupils of whom all three are known, on the day the last was taken.
fn combined(school: School, results: &[Result<'_>], count: Count<'_>) {
    let of = |subject: &str| {
        let mut found = results.iter().filter(|(it, _)| it.subject == subject);
        found.find_map(|(it, standing)| Some((key_stage_two(it)?, it.taken_on, *standing)))
    };
    let (Some(reading), Some(writing), Some(maths)) = (of("reading"), of("writing"), of("maths"))
    else {
        return;
    };
    let three = [reading, writing, maths];
    let lowest = three.iter().map(|it| it.0).min();
    let Some((_, on, standing)) = three.into_iter().max_by_key(|it| it.1) else { return };
    for (quantity, least) in [
        (Quantity::ExpectedStandard, Standard::Expected),
        (Quantity::HigherStandard, Standard::Higher),
    ] {
        let mut cell = school.cell(quantity, on, standing);
        COMBINED.clone_into(&mut cell.subject);
        "ks2".clone_into(&mut cell.point);
        let reached = lowest.is_some_and(|it| it >= least);
        count(cell, Sums { sum: i64::from(reached), count: 1 });
    }
}

/// Grade 5 or above in English, language or literature, and in maths: of pupils with any GCSE that year.
fn strong_passes(school: School, results: &[Result<'_>], count: Count<'_>) {
    let gcse = |it: &&Result<'_>| {
        it.0.point == "gcse" && it.0.scale.starts_with("gcse_9_1") && it.0.points().is_some()
    };
    let Some((last, standing)) = results.iter().filter(gcse).max_by_key(|(it, _)| it.taken_on)
    else {
        return;
    };
    let passed = |subjects: &[&str]| {
        let of = |it: &&Result<'_>| {
            it.0.scale == "gcse_9_1" && subjects.contains(&it.0.subject.as_str())
        };
        let mut graded = results.iter().filter(gcse).filter(of);
        graded.any(|(it, _)| it.points().is_some_and(|it| it >= STRONG_PASS))
    };
    let both = passed(&["english", "english_language", "english_literature"]) && passed(&["maths"]);
    let mut cell = school.cell(Quantity::StrongPasses, last.taken_on, *standing);
    "gcse".clone_into(&mut cell.point);
    count(cell, Sums { sum: i64::from(both), count: 1 });
}

/// Somebody's contracts at a school, as steps on the days they begin and after they end.
fn contracts(school: School, facts: &[&KeptFact], count: Count<'_>) {
    let mut contracts: Vec<&StaffMember> = facts
        .iter()
        .filter_map(|fact| match &fact.content {
            Content::StaffMember(it) => Some(it),
            _ => None,
        })
        .collect();
    contracts.sort_by_key(|it| (it.starts_on, it.ends_on.is_none(), it.ends_on));
    let mut step = |quantity, on: Option<NaiveDate>, sum| {
        if let Some(on) = on {
            count(school.cell(quantity, on, None), Sums { sum, count: 0 });
        }
    };
    let mut stays = Vec::<(NaiveDate, Option<NaiveDate>)>::new();
    for it in contracts {
        let after = it.ends_on.and_then(day_after);
        let teaching = it.is_teacher().then_some(Quantity::TeacherFte);
        for quantity in [Some(Quantity::StaffFte), teaching].into_iter().flatten() {
            step(quantity, Some(it.starts_on), it.fte);
            step(quantity, after, -it.fte);
        }
        match stays.last_mut() {
            Some((_, last)) if last.is_none_or(|it_ends| joins(it_ends, it.starts_on)) => {
                *last = last.zip(it.ends_on).map(|(a, b)| a.max(b));
            }
            _ => stays.push((it.starts_on, it.ends_on)),
        }
    }
    for (first, last) in stays {
        step(Quantity::Staff, Some(first), 1);
        step(Quantity::Staff, last.and_then(day_after), -1);
        step(Quantity::StaffLeft, last, 1);
    }
}

/// Whether a contract that starts on a day goes on from one with this last day.
fn joins(last: NaiveDate, starts_on: NaiveDate) -> bool {
    day_after(last).is_none_or(|it| starts_on <= it)
}

fn day_after(date: NaiveDate) -> Option<NaiveDate> {
    date.checked_add_days(Days::new(1))
}

#[expect(clippy::cast_possible_truncation, reason = "numbers of results are small")]
fn hundredths(number: Option<f64>, tell: impl FnOnce(i64)) {
    if let Some(number) = number {
        tell((number * 100.0).round() as i64);
    }
}
