//! Measures and observations: what is asked, and what is told.

use calendar::AcademicYear;
use chrono::{Days, NaiveDate};
use contract::intelligence as pb;
use identity::{SchoolNumber, TrustId};
use rpc::{Fault, Fields, Result, Twin};

use crate::{
    app::{Question, Split},
    domain::{COMBINED, CodeList, FactMeasure, Good, Group, Measure, Observation, Shown, UnitId},
};

/// The longest stretch observations are listed for, in days: four years.
const STRETCH: u64 = 4 * 366;

impl Question {
    pub(super) fn read(it: &pb::ListObservationsRequest, today: NaiveDate) -> Result<Self> {
        let mut fields = Fields::new();
        let trust_id = fields.take("/trustId", TrustId::parse(&it.trust_id));
        let number = fields.optional("/urn", it.urn.as_deref(), SchoolNumber::parse);
        let kind = fields.listed("/periodKind", it.period_kind);
        let from = fields.optional("/from", it.from.as_deref(), identity::date);
        let to = fields.optional("/to", it.to.as_deref(), identity::date);
        let this_year = AcademicYear::of(today).starts_on();
        let (from, to) = (from.map(|it| it.unwrap_or(this_year)), to.map(|it| it.unwrap_or(today)));
        if let (Some(from), Some(to)) = (from, to) {
            let latest = from.checked_add_days(Days::new(STRETCH));
            if to < from {
                fields.refuse("/to", Fault::invalid(format!("is before {from}")));
            } else if latest.is_none_or(|it| it < to) {
                fields.refuse("/to", Fault::invalid("is more than 4 years after from"));
            }
        }
        let split = split(&mut fields, it);
        let subject = fields.optional("/subject", it.subject.as_deref(), subject);
        let unit = fields.optional("/unit", it.unit.as_deref(), UnitId::parse);
        fields.done(|| {
            number?;
            Some(Self {
                trust_id: trust_id?,
                measure: it.measure.clone(),
                number: it.urn.clone(),
                kind: kind?,
                from: from?,
                to: to?,
                split: split?,
                subject: subject?,
                unit: unit?,
                years: None,
            })
        })
    }
}

fn split(fields: &mut Fields, it: &pb::ListObservationsRequest) -> Option<Split> {
    let group = fields.optional("/group", it.group.as_deref(), Group::parse)?;
    match (it.by_year_group.unwrap_or(false), it.by_group.unwrap_or(false), group) {
        (false, false, None) => Some(Split::Whole),
        (true, false, None) => Some(Split::YearGroups),
        (false, true, None) => Some(Split::Groups),
        (false, _, Some(group)) => Some(Split::Group(group)),
        (true, _, _) => {
            let detail = "cannot be combined with group or byGroup: what is left would be too few";
            fields.refuse("/byYearGroup", Fault::invalid(detail));
            None
        }
    }
}

/// A subject of results, or the three that are taken together.
fn subject(code: &str) -> Result<String, Fault> {
    let subjects = CodeList::named("subjects");
    if code == COMBINED || subjects.is_some_and(|it| it.get(code).is_some()) {
        return Ok(code.to_owned());
    }
    let codes = subjects.into_iter().flat_map(|it| &it.codes).map(|it| it.code.as_str());
    Err(Fault::invalid("is not a subject").accepting(codes.chain([COMBINED])))
}

impl From<Measure> for pb::Measure {
    fn from(it: Measure) -> Self {
        let definition = it.definition();
        let good = if definition.higher_is_better {
            pb::GoodDirection::Higher
        } else {
            pb::GoodDirection::Lower
        };
        Self {
            measure: definition.key.to_owned(),
            name: definition.name.to_owned(),
            numerator: definition.numerator.to_owned(),
            denominator: definition.denominator.to_owned(),
            unit: "percent".to_owned(),
            good: good.into(),
            source: definition.source.to_owned(),
        }
    }
}

impl From<&FactMeasure> for pb::Measure {
    fn from(it: &FactMeasure) -> Self {
        let good = match it.good {
            Good::Higher => pb::GoodDirection::Higher,
            Good::Lower => pb::GoodDirection::Lower,
            Good::Neither => pb::GoodDirection::Neither,
        };
        Self {
            measure: it.key.clone(),
            name: it.name.clone(),
            numerator: it.numerator.clone(),
            denominator: it.denominator.clone(),
            unit: it.unit.clone(),
            good: good.into(),
            source: it.source.clone(),
        }
    }
}

impl From<Shown> for pb::Observation {
    fn from(it: Shown) -> Self {
        let figure = it.figure.as_ref().ok();
        let numerator = figure.and_then(|it| whole(it.numerator));
        let denominator = figure.and_then(|it| whole(it.denominator));
        let result = match it.figure {
            Ok(figure) => pb::observation::Result::Value(figure.value),
            Err(absent) => pb::observation::Result::Absent(absent.to_wire()),
        };
        let (source, source_code, revision) = match it.report {
            Some(it) => (Some(it.source), it.source_code, Some(it.revision)),
            None => (None, None, None),
        };
        Self {
            measure: it.measure,
            urn: it.urn,
            year_group: it.year_group.map(i32::from),
            period_kind: it.period.kind.to_wire(),
            starts_on: it.period.starts_on.to_string(),
            ends_on: it.period.ends_on.to_string(),
            result: Some(result),
            numerator,
            denominator,
            group: it.group,
            subject: it.subject,
            assessment_point: it.point,
            source,
            source_code,
            revision,
        }
    }
}

impl From<Observation> for pb::Observation {
    fn from(it: Observation) -> Self {
        Shown::from(it).into()
    }
}

/// A count, where it is one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn whole(number: Option<f64>) -> Option<u32> {
    let fits = |it: &f64| it.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(it);
    number.filter(fits).map(|it| it as u32)
}
