use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Ctx, Error, Page, Result};

use super::App;
use crate::{
    domain::{
        Measure, Observation, Period, PeriodKind, School, Summary, Tally, whole_school, year_groups,
    },
    store,
};

/// Which observations are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub trust_id: TrustId,
    pub measures: Vec<Measure>,
    /// One school, by any of its numbers; all when none.
    pub number: Option<String>,
    pub kind: PeriodKind,
    pub from: NaiveDate,
    pub to: NaiveDate,
    pub by_year_group: bool,
}

/// Where an observation stands in the list: oldest first, then by school, measure and year group.
pub(crate) type Place = (NaiveDate, String, Measure, Option<i8>);

/// What is known of a school in a period.
#[derive(Debug, Default)]
struct Reading {
    whole: Summary,
    year_groups: BTreeMap<i8, Summary>,
}

impl App {
    /// Values by school and period. Every school has one for each period, if only to say that there is none; of year
    /// groups there are those with data.
    pub(crate) async fn observations(
        &self,
        ctx: &Ctx,
        question: &Question,
        page: &Page<Place>,
    ) -> Result<Vec<Observation>> {
        ctx.within(question.trust_id.0)?;
        let mut tx = self.journal.db().read().await?;
        let known = store::school::of_trust(&mut tx, question.trust_id).await?;
        let schools = if let Some(number) = &question.number {
            vec![known.find(number).map_err(|it| Error::new(it.reason, it.detail))?]
        } else {
            let here = |it: &&School| it.left_on.is_none_or(|left| left >= question.from);
            known.all().into_iter().filter(here).collect()
        };
        let from = page.after.as_ref().map_or(question.from, |it| it.0);
        let periods: Vec<_> = question.kind.between(from, question.to).collect();
        let wanted = usize::try_from(page.limit()).map_err(Error::internal)?;
        let at_once = wanted / (schools.len() * question.measures.len()).max(1) + 1;
        let mut observations = Vec::new();
        for periods in periods.chunks(at_once) {
            let readings = read(&mut tx, question, &schools, periods).await?;
            for period in periods {
                for school in &schools {
                    let reading = readings.get(&(school.school_id, period.starts_on));
                    observe(question, ctx.today(), school, period, reading, &mut observations);
                }
            }
            observations.retain(|it| page.after.as_ref().is_none_or(|after| place(it) > *after));
            if observations.len() >= wanted {
                break;
            }
        }
        observations.truncate(wanted);
        Ok(observations)
    }
}

pub(crate) fn place(it: &Observation) -> Place {
    (it.period.starts_on, it.urn.clone(), it.measure, it.year_group)
}

fn observe(
    question: &Question,
    today: NaiveDate,
    school: &School,
    period: &Period,
    reading: Option<&Reading>,
    observations: &mut Vec<Observation>,
) {
    for measure in &question.measures {
        let of = |year_group, value| Observation {
            measure: *measure,
            urn: school.urn.clone(),
            year_group,
            period: *period,
            value,
        };
        if question.by_year_group {
            let groups = reading.map(|it| year_groups(*measure, &it.year_groups));
            let groups = groups.into_iter().flatten();
            observations.extend(groups.map(|(year_group, value)| of(Some(year_group), value)));
        } else {
            let whole = reading.map(|it| &it.whole);
            observations.push(of(None, whole_school(*measure, period, today, whole)));
        }
    }
}

async fn read(
    tx: &mut Tx,
    question: &Question,
    schools: &[&School],
    periods: &[Period],
) -> Result<HashMap<(SchoolId, NaiveDate), Reading>> {
    let (Some(first), Some(last)) = (periods.first(), periods.last()) else {
        return Ok(HashMap::new());
    };
    let mut readings = HashMap::new();
    if question.kind == PeriodKind::Day {
        for school in schools {
            let mut days = BTreeMap::<NaiveDate, Tally>::new();
            let (from, to) = (first.starts_on, last.starts_on);
            for (slot, register) in store::register::between(tx, school.school_id, from, to).await?
            {
                days.entry(slot.date).or_default().add(&register);
            }
            let read = days.into_iter().map(|(day, it)| ((school.school_id, day), it.into()));
            readings.extend(read);
        }
        return Ok(readings);
    }
    let lines = store::tally::of_trust(
        tx,
        question.trust_id,
        question.kind,
        first.starts_on,
        last.starts_on,
    )
    .await?;
    let asked = |it: &SchoolId| schools.iter().any(|school| school.school_id == *it);
    for line in lines.into_iter().filter(|it| asked(&it.school_id)) {
        let reading = if question.by_year_group {
            let tally =
                store::tally::get(tx, line.school_id, question.kind, line.starts_on).await?;
            tally.unwrap_or_default().into()
        } else {
            Reading { whole: line.summary, year_groups: BTreeMap::new() }
        };
        readings.insert((line.school_id, line.starts_on), reading);
    }
    Ok(readings)
}

impl From<Tally> for Reading {
    fn from(tally: Tally) -> Self {
        Self { whole: tally.summary(), year_groups: tally.by_year_group() }
    }
}
