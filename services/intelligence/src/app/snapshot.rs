//! What a snapshot deletes: everything in its scope that it does not name.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use contract::intelligence::RecordKind;
use db::{Tenant, Tx};
use identity::SchoolId;
use rpc::{Asked, Ctx, Fault, Fields, Reason, Result, Twin};

use super::App;
use crate::{
    domain::{
        Body, FactKey, Feed, Hash, KeptFact, Kind, Mark, NaturalKey, Outcome, RecordResult,
        Schools, Session, Snapshot, SnapshotAsked, Unconfirmed, hex,
    },
    store::{self, Range},
};

impl App {
    /// A snapshot with its schools found, which must be the feed's; without any it is of all of the feed's.
    pub(crate) async fn snapshot(
        &self,
        ctx: &Ctx,
        feed: &Feed,
        asked: SnapshotAsked,
    ) -> Result<Snapshot> {
        let mut tx = self.journal.db().read_as(Tenant::Trust(feed.trust_id.0)).await?;
        let schools = store::school::of_trust(&mut tx, feed.trust_id).await?;
        let mut fields = Fields::new();
        let mut school_ids = BTreeSet::new();
        for (index, urn) in asked.urns.iter().enumerate() {
            let pointer = format!("/snapshot/urns/{index}");
            let found = fields.take(&pointer, schools.find(urn));
            if let Some(school) = found.filter(|it| !feed.speaks_for(it.school_id)) {
                let detail = format!("this feed does not speak for school {}", school.urn);
                fields.refuse(&pointer, Fault::new(Reason::SchoolUnknown, detail));
            }
            school_ids.extend(found.map(|it| it.school_id));
        }
        if asked.urns.is_empty() {
            school_ids.clone_from(&feed.school_ids);
        }
        // What it does not name it deletes: all of its scope must be the caller's.
        let of_kind =
            Asked { kind: RecordKind::try_from(asked.kind.to_wire()).ok(), ..Asked::default() };
        if school_ids.is_empty() {
            ctx.caller.permit.demand_every_school(ctx.scope, &of_kind)?;
        }
        for id in &school_ids {
            let urn = schools.get(*id).map_or("", |it| &it.urn);
            ctx.granted(&Asked { school: Some((id.0, urn)), ..of_kind })?;
        }
        let SnapshotAsked { kind, starts_on, ends_on, confirmed, .. } = asked;
        fields.done(|| Some(Snapshot { kind, school_ids, starts_on, ends_on, confirmed }))
    }
}

/// A record there is in the scope of a snapshot.
struct Held {
    key: String,
    school_id: SchoolId,
    body: Body<Hash>,
}

/// What a snapshot deletes, as records that do it, and what is told of each.
#[derive(Debug, Default)]
pub(super) struct Removal {
    pub records: Vec<(SchoolId, Body<Hash>)>,
    pub results: Vec<RecordResult>,
}

/// The natural keys a record names, in brief.
pub(super) fn named(school_id: SchoolId, body: &Body<Hash>) -> Vec<NaturalKey> {
    let keys = match body {
        Body::Enrolment { pupil, enrolment, .. } => {
            vec![enrolment_key(school_id, pupil, enrolment.starts_on)]
        }
        Body::Register { date, session, marks, .. } => {
            marks.iter().map(|it| mark_key(school_id, *date, *session, &it.pupil)).collect()
        }
        Body::Fact { fact, .. } => vec![fact_key(&FactKey::of(school_id, fact))],
        Body::Pupil { .. } | Body::KeyChange { .. } => Vec::new(),
    };
    keys.iter().map(|it| NaturalKey::of(it.as_bytes())).collect()
}

/// Whether a record is of the snapshot's kind, schools and days.
pub(super) fn is_inside(snapshot: &Snapshot, school_id: SchoolId, body: &Body<Hash>) -> bool {
    body.school().is_some_and(|(_, on)| snapshot.holds(body.kind(), school_id, on))
}

/// What there is in the scope and was not named, unless it is more than may go unasked. `after` is the last line pushed.
pub(super) async fn removal(
    tx: &mut Tx,
    snapshot: &Snapshot,
    schools: &Schools,
    named: &BTreeSet<NaturalKey>,
    after: u32,
) -> Result<Result<Removal, Unconfirmed>> {
    let held = held(tx, snapshot, schools).await?;
    let in_scope = held.len();
    let unnamed = |it: &Held| !named.contains(&NaturalKey::of(it.key.as_bytes()));
    let gone: Vec<Held> = held.into_iter().filter(unnamed).collect();
    if let Err(unconfirmed) = snapshot.permits(gone.len(), in_scope) {
        return Ok(Err(unconfirmed));
    }
    let mut removal = Removal::default();
    for (it, line) in gone.into_iter().zip(after + 1..) {
        let natural_key = Some(it.key);
        let result = RecordResult::new(line, String::new(), Outcome::Removed);
        removal.results.push(RecordResult { natural_key, ..result });
        merge(&mut removal.records, it.school_id, it.body);
    }
    Ok(Ok(removal))
}

/// Marks of one register go by one record.
fn merge(records: &mut Vec<(SchoolId, Body<Hash>)>, school_id: SchoolId, body: Body<Hash>) {
    if let (
        Some((last_id, Body::Register { date: last_date, session: last_session, marks, .. })),
        Body::Register { date, session, marks: more, .. },
    ) = (records.last_mut(), &body)
        && (*last_id, *last_date, *last_session) == (school_id, *date, *session)
    {
        marks.extend(more.iter().cloned());
        return;
    }
    records.push((school_id, body));
}

/// Everything in the scope, as records that would take it back.
async fn held(tx: &mut Tx, snapshot: &Snapshot, schools: &Schools) -> Result<Vec<Held>> {
    let all = schools.all().into_iter().map(|it| it.school_id);
    let inside = |it: &SchoolId| snapshot.school_ids.is_empty() || snapshot.school_ids.contains(it);
    let ids: Vec<SchoolId> = all.filter(inside).collect();
    match snapshot.kind {
        Kind::Enrolment => enrolments(tx, snapshot, &ids).await,
        Kind::AttendanceRegister => marks(tx, snapshot, &ids).await,
        Kind::Pupil | Kind::PupilKeyChange => Ok(Vec::new()),
        _ => facts(tx, snapshot, &ids).await,
    }
}

async fn enrolments(tx: &mut Tx, snapshot: &Snapshot, ids: &[SchoolId]) -> Result<Vec<Held>> {
    let mut found = Vec::new();
    for (school_id, roll) in store::roll::of_schools(tx, ids).await? {
        for (pupil, held) in roll.enrolments() {
            let starts_on = held.enrolment.starts_on;
            if snapshot.holds(Kind::Enrolment, school_id, starts_on) {
                found.push(Held {
                    key: enrolment_key(school_id, pupil, starts_on),
                    school_id,
                    body: Body::Enrolment {
                        urn: String::new(),
                        pupil: *pupil,
                        enrolment: held.enrolment.clone(),
                        deleted: true,
                    },
                });
            }
        }
    }
    Ok(found)
}

async fn marks(tx: &mut Tx, snapshot: &Snapshot, ids: &[SchoolId]) -> Result<Vec<Held>> {
    let mut found = Vec::new();
    for (school_id, roll) in store::roll::of_schools(tx, ids).await? {
        let from = snapshot.starts_on.unwrap_or(super::book::FIRST);
        let to = snapshot.ends_on.unwrap_or(super::book::LAST);
        let range = Range { school_id, from, to };
        let mut registers = store::register::within(tx, &[range]).await?;
        registers.sort_by_key(|it| it.0);
        for (slot, register) in registers {
            for (index, _) in register.marks() {
                let Some(pupil) = roll.pupil(index) else { continue };
                found.push(Held {
                    key: mark_key(school_id, slot.date, slot.session, pupil),
                    school_id,
                    body: Body::Register {
                        urn: String::new(),
                        date: slot.date,
                        session: slot.session,
                        marks: vec![Mark { pupil: *pupil, code: None }],
                    },
                });
            }
        }
    }
    Ok(found)
}

async fn facts(tx: &mut Tx, snapshot: &Snapshot, ids: &[SchoolId]) -> Result<Vec<Held>> {
    let from = snapshot.starts_on.unwrap_or(super::book::FIRST);
    let to = snapshot.ends_on.unwrap_or(super::book::LAST);
    let found = store::fact::within(tx, ids, snapshot.kind, (from, to)).await?;
    let held = |(key, fact): (FactKey, KeptFact)| Held {
        key: fact_key(&key),
        school_id: key.school_id,
        body: Body::Fact { urn: String::new(), fact: fact.record(&key, fact.person, true) },
    };
    let there = found.into_iter().filter(|(_, fact)| !fact.is_withdrawn());
    Ok(there.map(held).collect())
}

fn fact_key(it: &FactKey) -> String {
    format!("{}/{}/{}", it.school_id, it.kind.path(), it.key)
}

fn enrolment_key(school_id: SchoolId, pupil: &Hash, starts_on: NaiveDate) -> String {
    format!("{school_id}/{}/{starts_on}", hex(pupil))
}

fn mark_key(school_id: SchoolId, date: NaiveDate, session: Session, pupil: &Hash) -> String {
    format!("{school_id}/{date}/{session}/{}", hex(pupil))
}
