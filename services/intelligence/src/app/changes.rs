//! What changed in a trust's records since a reader last asked.

use std::collections::{BTreeMap, BTreeSet};

use contract::intelligence::RecordKind;
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Asked, Ctx, Error, Page, Reason, Result, Twin};

use super::App;
use crate::{
    domain::{
        AttendanceCode, Change, ChangeOp, Changed, ChangedRecord, Content, Cursor, Kind, Roll,
        Schools, Session, Slot, hex, unhex,
    },
    store::{self, change::Wanted},
};

/// Keys begin with what they are of. At one position a name changes first, then goes what goes, then comes what is.
const SCHOOL: &str = "a/";
const PUPIL: &str = "b/";
const GONE: &str = "c/";
const HELD: &str = "d/";

/// Changes with the URNs of today, and where to go on.
#[derive(Debug)]
pub(crate) struct Told {
    pub changes: Vec<Change>,
    pub schools: Schools,
    pub next: Cursor,
    pub more: bool,
}

impl App {
    pub(crate) async fn changes(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        (kind, number): (Kind, Option<&str>),
        page: &Page<Cursor>,
    ) -> Result<Told> {
        ctx.within(trust_id.0)?;
        // Before the snapshot that is read: everything up to here is in it.
        let head = self.journal.head().await?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let schools = store::school::of_trust(&mut tx, trust_id).await?;
        let school = number.map(|it| schools.find(it)).transpose();
        let school = school.map_err(|it| Error::new(it.reason, it.detail))?;
        let cursor = page.after.clone().unwrap_or_else(|| Cursor::beginning(head));
        if cursor.is_gone(store::change::forgotten_to(&mut tx, trust_id).await?) {
            let detail = "deletions are told of for 90 days, and until pupils are given other pseudonyms, and you were away \
                          since: begin again without `after`, and forget records that are not told of then";
            return Err(Error::new(Reason::ChangesGone, detail));
        }
        let asked = asked(kind);
        match school {
            Some(it) => {
                ctx.granted(&Asked { school: Some((it.school_id.0, &it.urn)), ..asked })?;
            }
            None => ctx.granted(&asked)?,
        }
        let seen = ctx.caller.permit.schools(ctx.scope, &asked);
        let school_id = school.map(|it| it.school_id);
        let wanted = Wanted { trust_id, school_id, limit: page.limit() };
        let mut changes = collect(&mut tx, kind, wanted, &schools, &cursor).await?;
        changes.sort_by(|a, b| (a.position, &a.key).cmp(&(b.position, &b.key)));
        let size = usize::try_from(page.limit() - 1).map_err(Error::internal)?;
        let more = changes.len() > size;
        changes.truncate(size);
        let last = changes.last();
        let next = match last.filter(|_| more) {
            Some(last) => cursor.after(last),
            None => Cursor::end(last.map_or(head, |it| it.position.max(head))),
        };
        // What is of no school is for those who may see every school.
        if let Some(seen) = seen {
            changes.retain(|it| it.school_id.is_some_and(|it| seen.contains(&it.0)));
        }
        let positions: BTreeSet<i64> = changes.iter().map(|it| it.position).collect();
        let positions: Vec<i64> = positions.into_iter().collect();
        let recorded = store::change::recorded_at(&mut tx, &positions).await?;
        for it in &mut changes {
            it.recorded_at = recorded.get(&it.position).copied();
        }
        if kind.is_personal() {
            tx.rollback().await?;
            let read = (trust_id, "headway.intelligence.v1.IntelligenceService.ListChanges");
            let rows = changes.iter().map(rows).sum();
            self.note_read(ctx, read, &[kind], rows, None).await?;
        }
        Ok(Told { changes, schools, next, more })
    }
}

/// How many rows about individuals a change tells.
fn rows(it: &Change) -> usize {
    match &it.record {
        ChangedRecord::Register { marks, .. } => marks.len(),
        ChangedRecord::School { .. } => 0,
        _ => 1,
    }
}

/// What a reader of a kind must have been granted.
fn asked(kind: Kind) -> Asked<'static> {
    let named = !matches!(kind, Kind::Cover | Kind::BudgetLine | Kind::Observation);
    Asked { kind: RecordKind::try_from(kind.to_wire()).ok(), named, school: None }
}

/// At least the next changes of every sort, as many as are wanted.
async fn collect(
    tx: &mut Tx,
    kind: Kind,
    wanted: Wanted,
    schools: &Schools,
    cursor: &Cursor,
) -> Result<Vec<Change>> {
    let mut changes = names(tx, kind, wanted, cursor).await?;
    let (position, after) = bound(cursor, GONE);
    for it in store::change::tombstones(tx, kind, wanted, position, &after).await? {
        changes.push(Change {
            position: it.changed,
            key: format!("{GONE}{}", it.key),
            op: ChangeOp::Delete,
            school_id: it.school_id,
            record: ChangedRecord::Written(it.record),
            recorded_at: None,
        });
    }
    match kind {
        Kind::AttendanceRegister => changes.extend(registers(tx, wanted, cursor).await?),
        Kind::Enrolment => changes.extend(enrolments(tx, wanted, schools, cursor).await?),
        Kind::Pupil | Kind::PupilKeyChange => {}
        kind => changes.extend(facts(tx, kind, wanted, cursor).await?),
    }
    Ok(changes)
}

/// Pupils and schools that are named otherwise.
async fn names(tx: &mut Tx, kind: Kind, wanted: Wanted, cursor: &Cursor) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let (position, told) = bound(cursor, SCHOOL);
    // One event renumbers one school.
    let position = if told.is_empty() { position } else { position + 1 };
    for it in store::change::renumbered(tx, wanted, position).await? {
        changes.push(Change {
            position: it.changed,
            key: format!("{SCHOOL}{}", it.school_id),
            op: ChangeOp::KeyChange,
            school_id: Some(it.school_id),
            record: ChangedRecord::School { previous_urn: it.previous_urn, urn: it.urn },
            recorded_at: None,
        });
    }
    if kind.names_pupils() {
        let (position, told) = bound(cursor, PUPIL);
        let told = unhex(&told);
        for (position, pupil, new_pupil) in
            store::change::renamed_pupils(tx, wanted, position, told).await?
        {
            changes.push(Change {
                position,
                key: format!("{PUPIL}{}", hex(&pupil)),
                op: ChangeOp::KeyChange,
                school_id: None,
                record: ChangedRecord::Pupil { pupil, new_pupil },
                recorded_at: None,
            });
        }
    }
    Ok(changes)
}

/// From where to ask for keys that begin so: a position, and the rest of the key told last.
fn bound(cursor: &Cursor, prefix: &str) -> (i64, String) {
    match cursor.key.as_deref() {
        None => (cursor.position + 1, String::new()),
        Some(told) => match told.strip_prefix(prefix) {
            Some(rest) => (cursor.position, rest.to_owned()),
            None if told < prefix => (cursor.position, String::new()),
            None => (cursor.position + 1, String::new()),
        },
    }
}

async fn facts(tx: &mut Tx, kind: Kind, wanted: Wanted, cursor: &Cursor) -> Result<Vec<Change>> {
    let (position, after) = bound(cursor, HELD);
    let after = after.split_once('/');
    let after = after.and_then(|(school, key)| Some((SchoolId::parse(school).ok()?, key)));
    let found = store::change::facts(tx, kind, wanted, position, after).await?;
    let change = |it: store::change::FactRow| {
        let content: Box<Content> = serde_json::from_str(&it.body).map_err(Error::internal)?;
        let is_gone = matches!(&*content, Content::Observation(it) if it.is_withdrawn());
        Ok(Change {
            position: it.changed,
            key: format!("{HELD}{}/{}", it.school_id, it.key),
            op: if is_gone { ChangeOp::Delete } else { ChangeOp::Upsert },
            school_id: Some(it.school_id),
            record: ChangedRecord::Fact { person: it.person, content },
            recorded_at: None,
        })
    };
    found.into_iter().map(change).collect()
}

async fn registers(tx: &mut Tx, wanted: Wanted, cursor: &Cursor) -> Result<Vec<Change>> {
    let (position, after) = bound(cursor, HELD);
    let found = store::change::registers(tx, wanted, position, slot(&after)).await?;
    let schools: BTreeSet<SchoolId> = found.iter().map(|it| it.1.school_id).collect();
    let schools: Vec<SchoolId> = schools.into_iter().collect();
    let rolls: BTreeMap<SchoolId, Roll> =
        store::roll::of_schools(tx, &schools).await?.into_iter().collect();
    let mut changes = Vec::with_capacity(found.len());
    for (position, slot, register) in found {
        let roll = rolls.get(&slot.school_id);
        let marks = register.marks().filter_map(|(index, code)| {
            let code = AttendanceCode::all().get(usize::from(code.row()))?;
            Some((*roll?.pupil(index)?, code.code.clone()))
        });
        changes.push(Change {
            position,
            key: format!("{HELD}{}/{}/{}", slot.school_id, slot.date, slot.session),
            op: ChangeOp::Upsert,
            school_id: Some(slot.school_id),
            record: ChangedRecord::Register {
                date: slot.date,
                session: slot.session,
                marks: marks.collect(),
            },
            recorded_at: None,
        });
    }
    Ok(changes)
}

/// The slot a key was written for.
fn slot(key: &str) -> Option<Slot> {
    let mut parts = key.split('/');
    let school_id = SchoolId::parse(parts.next()?).ok()?;
    let date = parts.next()?.parse().ok()?;
    let session = Session::parse(parts.next()?).ok()?;
    Some(Slot { school_id, date, session })
}

/// Enrolments lie packed in their school's roll, so all of a roll is looked through.
async fn enrolments(
    tx: &mut Tx,
    wanted: Wanted,
    schools: &Schools,
    cursor: &Cursor,
) -> Result<Vec<Change>> {
    let limit = usize::try_from(wanted.limit).map_err(Error::internal)?;
    let all = schools.all();
    let ids = all.iter().map(|it| it.school_id);
    let ids = ids.filter(|it| wanted.school_id.is_none_or(|wanted| wanted == *it));
    let mut next = BTreeMap::new();
    for school_id in ids {
        for (school_id, roll) in store::roll::of_schools(tx, &[school_id]).await? {
            for (pupil, held) in roll.enrolments() {
                let Changed::At(position) = held.changed else { continue };
                let key = format!("{HELD}{school_id}/{}/{}", hex(pupil), held.enrolment.starts_on);
                if cursor.awaits(position, &key) {
                    let place = (position, key);
                    if next.len() >= limit && next.last_key_value().is_some_and(|it| *it.0 < place)
                    {
                        continue;
                    }
                    next.insert(place, (school_id, *pupil, held.enrolment.clone()));
                    if next.len() > limit {
                        next.pop_last();
                    }
                }
            }
        }
    }
    let change = |((position, key), (school_id, pupil, enrolment))| Change {
        position,
        key,
        op: ChangeOp::Upsert,
        school_id: Some(school_id),
        record: ChangedRecord::Enrolment { pupil, enrolment },
        recorded_at: None,
    };
    Ok(next.into_iter().map(change).collect())
}
