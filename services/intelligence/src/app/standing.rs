use std::collections::BTreeMap;

use calendar::Week;
use chrono::Days;
use contract::intelligence::RecordKind;
use identity::{SchoolId, TrustId};
use rpc::{Ctx, Result};

use super::{App, tally};
use crate::{
    domain::{
        Judgement, Measure, Observation, Period, PeriodKind, School, Summary, THRESHOLD, WEEKS,
        judge, series, whole_school,
    },
    store,
};

/// How far back the weekly series are looked for, in days: a school year's weeks and its holidays.
const LOOK_BACK: u64 = 400;

/// How a school stands on a measure now.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub latest: Observation,
    pub judgement: Judgement,
    /// Weekly values, oldest first.
    pub recent: Vec<f64>,
}

/// A school's complete weeks, oldest first, and its academic year to date.
#[derive(Debug, Default)]
struct Record {
    weeks: Vec<(chrono::NaiveDate, Summary)>,
    year: Option<Summary>,
}

impl App {
    /// Every school of a trust against the headline measures.
    pub(crate) async fn standings(&self, ctx: &Ctx, trust_id: TrustId) -> Result<Vec<Standing>> {
        ctx.within(trust_id.0)?;
        let today = ctx.today();
        let year = PeriodKind::AcademicYear.of(today);
        let last_week = Week::of(today).previous().starts_on();
        let from = today.checked_sub_days(Days::new(LOOK_BACK)).unwrap_or(today);
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let schools = store::school::of_trust(&mut tx, trust_id).await?;
        let mut records = BTreeMap::<SchoolId, Record>::new();
        for it in store::week::of_trust(&mut tx, trust_id, from, last_week).await? {
            records.entry(it.school_id).or_default().weeks.push((it.starts_on, it.summary));
        }
        let ids: Vec<_> = schools.all().into_iter().map(|it| it.school_id).collect();
        for ((school_id, _), it) in tally::of_periods(&mut tx, &ids, &[year]).await? {
            records.entry(school_id).or_default().year = Some(it.summary());
        }
        let none = Record::default();
        ctx.kind(RecordKind::AttendanceRegister)?;
        let here = |it: &&School| it.left_on.is_none_or(|it| it >= today);
        let open = schools.all().into_iter().filter(here).filter(|it| ctx.sees(it.school_id.0));
        Ok(open
            .flat_map(|school| {
                let record = records.get(&school.school_id).unwrap_or(&none);
                Measure::HEADLINES.map(|measure| stand(measure, school, record, &year, today))
            })
            .collect())
    }
}

fn stand(
    measure: Measure,
    school: &School,
    record: &Record,
    year: &Period,
    today: chrono::NaiveDate,
) -> Standing {
    let weeks = record.weeks.iter().skip(record.weeks.len().saturating_sub(WEEKS));
    let series = series(measure, THRESHOLD, weeks.map(|(starts_on, it)| (*starts_on, it)));
    let (period, summary) = match (measure, record.weeks.last()) {
        (Measure::Attendance, Some((starts_on, it))) => (PeriodKind::Week.of(*starts_on), Some(it)),
        (Measure::Attendance, None) => {
            (PeriodKind::Week.of(Week::of(today).previous().starts_on()), None)
        }
        _ => (*year, record.year.as_ref()),
    };
    let latest = Observation {
        measure,
        urn: school.urn.clone(),
        year_group: None,
        value: whole_school(measure, &period, today, summary),
        period,
    };
    let judgement = judge(&series, measure.definition().higher_is_better);
    Standing { latest, judgement, recent: series.iter().map(|it| it.value).collect() }
}
