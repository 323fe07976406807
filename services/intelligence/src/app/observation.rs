use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

use chrono::NaiveDate;
use contract::intelligence::RecordKind;
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Ctx, Error, Fault, Page, Reason, Result, Twin};

use super::{App, measured::Measured, tally};
use crate::{
    domain::{
        Content, FactMeasure, Group, Grouped, Measure, Observation, Period, PeriodKind, Place,
        School, Shown, Summary, Tally, UnitId, groups, in_group, in_groups, whole_school,
        year_groups,
    },
    store,
};

/// Which observations are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub trust_id: TrustId,
    /// One measure, ours or one that a source reports; all when none.
    pub measure: Option<String>,
    /// One school, by any of its numbers; all when none.
    pub number: Option<String>,
    pub kind: PeriodKind,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub split: Split,
    pub subject: Option<String>,
    /// A part of one school.
    pub unit: Option<UnitId>,
    /// Of the year groups only these: what a unit came to.
    pub years: Option<RangeInclusive<i8>>,
}

/// How a school is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Whole,
    YearGroups,
    /// By characteristics, of which a pupil may have several.
    Groups,
    /// One group of those.
    Group(Group),
}

/// What is known of a school in a period.
#[derive(Debug)]
enum Reading {
    Whole(Summary),
    YearGroups(BTreeMap<i8, Summary>),
    Groups(BTreeMap<Group, Grouped>),
}

impl Question {
    /// The measures of attendance that are asked for; they have no subject.
    fn attendance(&self) -> Vec<Measure> {
        let asked = |it: &Measure| self.subject.is_none() && self.asks_for(it.definition().key);
        Measure::ALL.into_iter().filter(asked).collect()
    }

    /// The measures of facts that are asked for and can be divided so.
    pub(super) fn facts(&self) -> Vec<&'static FactMeasure> {
        let asked = |it: &&FactMeasure| {
            self.asks_for(&it.key) && (self.split == Split::Whole || it.is_of_pupils())
        };
        FactMeasure::all().iter().filter(asked).collect()
    }

    fn asks_for(&self, key: &str) -> bool {
        self.measure.as_ref().is_none_or(|it| it == key)
    }

    /// Whether a reported value is among what is asked for, the period apart.
    fn wants(&self, it: &Shown) -> bool {
        let parts = match self.split {
            Split::Whole => it.year_group.is_none() && it.group.is_none(),
            Split::YearGroups => it.year_group.is_some() && it.group.is_none(),
            Split::Groups => it.group.is_some(),
            Split::Group(group) => it.group.as_ref().is_some_and(|it| *it == group.to_string()),
        };
        let subject = self.subject.is_none() || it.subject == self.subject;
        parts && subject && self.asks_for(&it.measure) && it.period.kind == self.kind
    }
}

impl App {
    /// Values by school and period. Of attendance every school has one for each period, if only to say that there is
    /// none, and so has every measure that is asked for by name; of parts of a school there are those with data.
    pub(crate) async fn observations(
        &self,
        ctx: &Ctx,
        question: &Question,
        page: &Page<Place>,
    ) -> Result<Vec<Shown>> {
        ctx.within(question.trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let known = store::school::of_trust(&mut tx, question.trust_id).await?;
        let question = &question.of_school(&mut tx, &known).await?;
        let schools = if let Some(number) = &question.number {
            let school = known.find(number).map_err(|it| Error::new(it.reason, it.detail))?;
            ctx.school(school.school_id.0, &school.urn)?;
            vec![school]
        } else {
            let here = |it: &&School| it.left_on.is_none_or(|left| left >= question.from);
            let seen = |it: &&School| ctx.sees(it.school_id.0);
            known.all().into_iter().filter(here).filter(seen).collect()
        };
        let from = page.after.as_ref().map_or(question.from, |it| it.starts_on);
        let mut reported = reported(&mut tx, question, &schools, from).await?;
        let (mut attendance, mut facts) = (question.attendance(), question.facts());
        if attendance.is_empty() && facts.is_empty() && reported.is_empty() {
            is_reported(&mut tx, question).await?;
        }
        granted(ctx, question, &mut attendance, &mut facts, &mut reported)?;
        let after = |it: &Shown| {
            question.holds(it) && page.after.as_ref().is_none_or(|after| it.place() > *after)
        };
        let wanted = usize::try_from(page.limit()).map_err(Error::internal)?;
        if question.kind == PeriodKind::Other {
            let mut shown: Vec<_> = reported.into_iter().filter(after).collect();
            shown.sort_by_cached_key(Shown::place);
            shown.truncate(wanted);
            return Ok(shown);
        }
        let periods: Vec<_> = question.kind.between(from, question.to).collect();
        let at_once = wanted / (schools.len() * (attendance.len() + facts.len())).max(1) + 1;
        let measured = Measured::open(&mut tx, question, &facts, &schools).await?;
        let mut shown = Vec::new();
        for periods in periods.chunks(at_once) {
            let lines = &mut Vec::new();
            observe_all(&mut tx, ctx.today(), (question, &attendance), &schools, periods, lines)
                .await?;
            for period in periods {
                measured.show(&mut tx, ctx.today(), period, lines).await?;
                let of = |it: &&Shown| it.period == *period;
                lines.extend(reported.iter().filter(of).cloned());
            }
            lines.retain(after);
            lines.sort_by_cached_key(Shown::place);
            shown.append(lines);
            if shown.len() >= wanted {
                break;
            }
        }
        shown.truncate(wanted);
        Ok(shown)
    }
}

/// Leaves out what comes of records of a kind that no grant covers; refuses a measure that is asked for by name.
fn granted(
    ctx: &Ctx,
    question: &Question,
    attendance: &mut Vec<Measure>,
    facts: &mut Vec<&'static FactMeasure>,
    reported: &mut Vec<Shown>,
) -> Result<()> {
    let Some(kinds) = ctx.caller.permit.kinds(ctx.scope) else { return Ok(()) };
    let has = |kind: RecordKind| kinds.contains(&kind.into());
    let of = |it: &FactMeasure| RecordKind::try_from(it.kind?.to_wire()).ok();
    if question.measure.is_some() {
        if !attendance.is_empty() {
            ctx.kind(RecordKind::AttendanceRegister)?;
        }
        for it in facts.iter() {
            ctx.kind(of(it).unwrap_or_default())?;
        }
        if !reported.is_empty() {
            ctx.kind(RecordKind::Observation)?;
        }
    }
    attendance.retain(|_| has(RecordKind::AttendanceRegister));
    // A measure that is of several kinds is for those who may see every kind.
    facts.retain(|it| of(it).is_some_and(has));
    reported.retain(|_| has(RecordKind::Observation));
    Ok(())
}

/// What sources reported of these schools, for periods that start from a day on.
async fn reported(
    tx: &mut Tx,
    question: &Question,
    schools: &[&School],
    from: NaiveDate,
) -> Result<Vec<Shown>> {
    let found = store::fact::observations(tx, question.trust_id, from, question.to).await?;
    let shown = found.into_iter().filter_map(|(key, fact)| {
        let school = schools.iter().find(|it| it.school_id == key.school_id)?;
        let Content::Observation(it) = fact.content else { return None };
        Shown::reported(school.urn.clone(), &it)
    });
    Ok(shown.filter(|it| question.wants(it)).collect())
}

/// A measure that is none of ours must be one that a source reports.
async fn is_reported(tx: &mut Tx, question: &Question) -> Result<()> {
    let Some(measure) = &question.measure else { return Ok(()) };
    let ours = FactMeasure::named(measure).is_some() || Measure::parse(measure).is_some();
    if ours || store::fact::is_reported(tx, question.trust_id, measure).await? {
        return Ok(());
    }
    let attendance = Measure::ALL.iter().map(|it| it.definition().key);
    let known = attendance.chain(FactMeasure::all().iter().map(|it| it.key.as_str()));
    let fault = Fault::new(Reason::FieldInvalid, "is not a measure, and no source reports it");
    Err(Error::field("/measure", fault.accepting(known)))
}

async fn observe_all(
    tx: &mut Tx,
    today: NaiveDate,
    (question, measures): (&Question, &[Measure]),
    schools: &[&School],
    periods: &[Period],
    lines: &mut Vec<Shown>,
) -> Result<()> {
    if measures.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = schools.iter().map(|it| it.school_id).collect();
    let readings = read(tx, question, &ids, periods).await?;
    for period in periods {
        for school in schools {
            let reading = readings.get(&(school.school_id, period.starts_on));
            for measure in measures {
                observe(*measure, question.split, today, school, period, reading, lines);
            }
        }
    }
    Ok(())
}

fn observe(
    measure: Measure,
    split: Split,
    today: NaiveDate,
    school: &School,
    period: &Period,
    reading: Option<&Reading>,
    lines: &mut Vec<Shown>,
) {
    let urn = || school.urn.clone();
    let of = |year_group, value| {
        Shown::from(Observation { measure, urn: urn(), year_group, period: *period, value })
    };
    let in_group_of =
        |group: Group, value| Shown { group: Some(group.to_string()), ..of(None, value) };
    match (split, reading) {
        (Split::YearGroups, Some(Reading::YearGroups(it))) => {
            let groups = year_groups(measure, it).into_iter();
            lines.extend(groups.map(|(year_group, value)| of(Some(year_group), value)));
        }
        (Split::Groups, Some(Reading::Groups(it))) => {
            let groups = in_groups(measure, it).into_iter();
            lines.extend(groups.map(|(group, value)| in_group_of(group, value)));
        }
        (Split::YearGroups | Split::Groups, _) => {}
        (Split::Group(group), reading) => {
            let part = match reading {
                Some(Reading::Groups(it)) => it.get(&group),
                _ => None,
            };
            lines.push(in_group_of(group, in_group(measure, period, today, part)));
        }
        (Split::Whole, reading) => {
            let whole = match reading {
                Some(Reading::Whole(it)) => Some(it),
                _ => None,
            };
            lines.push(of(None, whole_school(measure, period, today, whole)));
        }
    }
}

async fn read(
    tx: &mut Tx,
    question: &Question,
    schools: &[SchoolId],
    periods: &[Period],
) -> Result<HashMap<(SchoolId, NaiveDate), Reading>> {
    let (Some(first), Some(last)) = (periods.first(), periods.last()) else {
        return Ok(HashMap::new());
    };
    if question.kind == PeriodKind::Week && question.split == Split::Whole {
        let (from, to) = (first.starts_on, last.starts_on);
        let weeks = store::week::of_trust(tx, question.trust_id, from, to).await?;
        let asked = weeks.into_iter().filter(|it| schools.contains(&it.school_id));
        let read = asked.map(|it| ((it.school_id, it.starts_on), Reading::Whole(it.summary)));
        return Ok(read.collect());
    }
    let tallies = tally::of_periods(tx, schools, periods).await?;
    let read = |it: &Tally| match question.split {
        Split::Whole => Reading::Whole(it.summary()),
        Split::YearGroups => Reading::YearGroups(it.by_year_group()),
        Split::Groups | Split::Group(_) => Reading::Groups(groups(it)),
    };
    Ok(tallies.into_iter().map(|(place, it)| (place, read(&it))).collect())
}
