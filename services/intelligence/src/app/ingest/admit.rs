//! Whether a record may come by its feed, and of which school it speaks.

use contract::intelligence::RecordKind;
use identity::SchoolId;
use rpc::{Asked, Ctx, Fault, Problem, Reason, Result, Twin};

use crate::domain::{Body, Feed, Hash, Kind, Record, Schools};

/// A record with its school found, or what is wrong with it.
pub(super) struct Admitted {
    pub(super) line: u32,
    pub(super) external_id: String,
    pub(super) superseded_by_urn: Option<String>,
    pub(super) body: Result<(Option<SchoolId>, Body<Hash>), Vec<Problem>>,
    /// What is to be said of it although it is taken.
    pub(super) notes: Vec<Problem>,
}

pub(super) fn all(
    ctx: &Ctx,
    feed: &Feed,
    schools: &Schools,
    records: impl Iterator<Item = Record<Hash>>,
) -> Vec<Admitted> {
    records.map(|it| admit(ctx, feed, schools, it)).collect()
}

fn admit(ctx: &Ctx, feed: &Feed, schools: &Schools, record: Record<Hash>) -> Admitted {
    let Record { line, external_id, body } = record;
    let mut superseded_by_urn = None;
    let body = body.and_then(|body| {
        let kind = body.kind();
        if !feed.kinds.contains(&kind) {
            let carried: Vec<_> = feed.kinds.iter().map(|it| it.field()).collect();
            let detail = format!("this feed carries only {}", carried.join(", "));
            return Err(problem(format!("/{}", kind.field()), Fault::invalid(detail)));
        }
        let Some((number, on)) = body.school() else {
            granted(ctx, kind, None)?;
            return Ok((None, body));
        };
        let pointer = || format!("/{}/urn", kind.field());
        let school = schools.find_open(number, on).map_err(|fault| problem(pointer(), fault))?;
        if !feed.speaks_for(school.school_id) {
            let detail = format!("this feed does not speak for school {}", school.urn);
            return Err(problem(pointer(), Fault::new(Reason::SchoolUnknown, detail)));
        }
        granted(ctx, kind, Some((school.school_id.0, &school.urn)))?;
        superseded_by_urn = school.superseding(number);
        Ok((Some(school.school_id), body))
    });
    Admitted { line, external_id, superseded_by_urn, body, notes: Vec::new() }
}

/// Rejects a record that no grant of the caller's covers. One of no school must be covered for every school.
fn granted(ctx: &Ctx, kind: Kind, school: Option<(uuid::Uuid, &str)>) -> Result<(), Vec<Problem>> {
    let asked = Asked { school, kind: RecordKind::try_from(kind.to_wire()).ok(), named: false };
    let covered = match school {
        Some(_) => ctx.granted(&asked),
        None => ctx.caller.permit.demand_every_school(ctx.scope, &asked),
    };
    covered.map_err(|error| {
        problem(format!("/{}", kind.field()), Fault::new(error.reason, error.detail))
    })
}

pub(super) fn problem(pointer: String, fault: Fault) -> Vec<Problem> {
    vec![Problem { pointer, fault }]
}
