//! What pushes do beside entering their records: changes of keys go before, deletions of a snapshot after; what waits is
//! listed, what has come is resolved, and what is gone is told of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Ctx, Error, Fault, Reason, Result};

use super::{
    Ingest, Piece, Push, Sheet,
    admit::{self, Admitted, problem},
    enter::Entered,
};
use crate::{
    app::{
        rekey::{Aliases, Rekeyed, rekey},
        snapshot,
    },
    domain::{
        Batch, Body, Book, Facts, Hash, Kind, Outcome, PARKED_FOR, Parked, ParkedState, Schools,
        Slot, Snapshot, Wait, hex,
    },
    store::{self, change::Gone},
};

impl Ingest {
    /// The records of every push as they are entered.
    pub(super) async fn sheets(
        &self,
        tx: &mut Tx,
        asked: &[(&Ctx, &Push<Hash>)],
        schools: &mut HashMap<TrustId, Schools>,
    ) -> Result<Vec<Sheet>> {
        let trusts: BTreeSet<TrustId> = asked.iter().map(|it| it.1.feed.trust_id).collect();
        let trusts: Vec<TrustId> = trusts.into_iter().collect();
        let mut aliases = BTreeMap::<TrustId, Vec<(Hash, Hash)>>::new();
        for (trust_id, pupil, new_pupil) in store::pupil::aliases(tx, &trusts).await? {
            aliases.entry(trust_id).or_default().push((pupil, new_pupil));
        }
        let mut aliases: BTreeMap<TrustId, Aliases> =
            aliases.into_iter().map(|(trust_id, it)| (trust_id, Aliases::new(it))).collect();
        let struck = self.struck(tx, asked, &trusts).await?;
        let mut sheets = Vec::with_capacity(asked.len());
        for (ctx, push) in asked {
            let trust_id = push.feed.trust_id;
            if push.snapshot.is_some() {
                // Its scope may have schools that no record names.
                schools.insert(trust_id, store::school::of_trust(tx, trust_id).await?);
            }
            let none = Schools::default();
            let schools = schools.get(&trust_id).unwrap_or(&none);
            let records = struck.renewed(push)?;
            let records = admit::all(ctx, &push.feed, schools, records.into_iter());
            // Only the last part has results beside those of its records.
            let told = push.piece.as_ref().map_or(0, |it| it.work.totals.records);
            let mut sheet = Sheet::new(trust_id, records, told);
            let aliases = aliases.entry(trust_id).or_default();
            for it in &mut sheet.records {
                struck.strike(trust_id, it);
            }
            change_keys(tx, &mut sheet, aliases).await?;
            for (_, body) in sheet.records.iter_mut().filter_map(|it| it.body.as_mut().ok()) {
                if !matches!(body, Body::KeyChange { .. }) {
                    body.rename(|it| aliases.resolve(it));
                }
            }
            if let Some(snapshot) = &push.snapshot {
                take_snapshot(tx, &mut sheet, push, (snapshot, schools)).await?;
            }
            sheets.push(sheet);
        }
        Ok(sheets)
    }
}

/// Changes of keys come first, wherever they stand in the push.
async fn change_keys(tx: &mut Tx, sheet: &mut Sheet, aliases: &mut Aliases) -> Result<()> {
    let trust_id = sheet.trust_id;
    for (index, record) in sheet.records.iter_mut().enumerate() {
        let Ok((_, Body::KeyChange { pupil, new_pupil })) = &record.body else { continue };
        let pair = (*pupil, *new_pupil);
        let outcome = match rekey(tx, trust_id, aliases, pair).await? {
            Rekeyed::Unchanged => Outcome::Unchanged,
            Rekeyed::Refused(problems) => {
                record.body = Err(problems);
                continue;
            }
            Rekeyed::Ahead => {
                sheet.renamed.push(pair);
                Outcome::Parked
            }
            Rekeyed::Moved(records) => {
                sheet.before.extend(records);
                sheet.renamed.push(pair);
                Outcome::Accepted
            }
        };
        sheet.decided.insert(index, outcome);
    }
    Ok(())
}

/// Adds what a snapshot deletes once its last part is here, or refuses it.
async fn take_snapshot(
    tx: &mut Tx,
    sheet: &mut Sheet,
    push: &Push<Hash>,
    (snapshot, schools): (&Snapshot, &Schools),
) -> Result<()> {
    let mut named = BTreeSet::new();
    for record in &mut sheet.records {
        let Ok((school_id, body)) = &record.body else { continue };
        if let Some(school_id) = school_id.filter(|it| snapshot::is_inside(snapshot, *it, body)) {
            named.extend(snapshot::named(school_id, body));
        } else {
            let detail = "is outside of what the snapshot says it is all of";
            let pointer = format!("/{}", body.kind().field());
            record.body = Err(problem(pointer, Fault::invalid(detail)));
        }
    }
    let mut is_whole = sheet.records.iter().all(|it| it.body.is_ok());
    if let Some(Piece { work, .. }) = &push.piece {
        if !work.is_last() {
            let place = (work.trust_id, work.batch_id, work.done);
            return store::snapshot::keep(tx, place, &named).await;
        }
        is_whole &= work.totals.rejected == 0;
        named.extend(store::snapshot::take(tx, work.batch_id).await?);
    }
    if !is_whole {
        return Ok(());
    }
    let last = sheet.records.iter().map(|it| it.line).max().unwrap_or(0);
    match snapshot::removal(tx, snapshot, schools, &named, last).await? {
        Ok(removal) => {
            sheet.after = removal.records;
            sheet.removed = removal.results;
        }
        Err(unconfirmed) if push.piece.is_some() => sheet.unconfirmed = Some(unconfirmed),
        Err(unconfirmed) => {
            let detail = unconfirmed.detail(snapshot.kind);
            return Err(Error::new(Reason::RemovalUnconfirmed, detail));
        }
    }
    Ok(())
}

/// Keeps what waits, what came, what went and what is named otherwise.
pub(super) async fn keep(
    tx: &mut Tx,
    (book, facts): (&Book, &Facts),
    batches: &[Batch],
    (sheets, entered): (&[Sheet], &[Entered]),
    position_of: impl Fn(usize) -> i64,
) -> Result<()> {
    let mut parked = Vec::new();
    for ((batch, sheet), entered) in batches.iter().zip(sheets).zip(entered) {
        let mut wait = |index: usize, waits: Vec<Wait>| {
            let pair = sheet.records.get(index).zip(entered.results.get(index));
            parked.extend(pair.and_then(|(it, result)| park(batch, it, result.ordinal, waits)));
        };
        for (index, waits) in &entered.parked {
            wait(*index, waits.clone());
        }
        for (index, _) in sheet.decided.iter().filter(|it| *it.1 == Outcome::Parked) {
            let body = sheet.records.get(*index).map(|it| &it.body);
            if let Some(Ok((_, Body::KeyChange { pupil, .. }))) = body {
                wait(*index, vec![Wait { place: 0, pupil: *pupil }]);
            }
        }
    }
    store::parked::insert(tx, &parked).await?;
    let now = batches.last().map(|it| it.applied_at.unwrap_or_else(rpc::now));
    let Some(now) = now else { return Ok(()) };
    let enrolled: BTreeSet<SchoolId> = book.changed_enrolments().map(|it| it.0).collect();
    if !enrolled.is_empty() {
        let enrolled: Vec<SchoolId> = enrolled.into_iter().collect();
        for it in store::parked::waiting(tx, &enrolled).await? {
            let roll = it.school_id.and_then(|it| book.roll(it));
            let waits =
                |pupil: &Hash| roll.is_none_or(|roll| roll.standing(pupil, it.date).is_none());
            if it.waiting(waits).is_empty() {
                store::parked::settle(tx, &it, ParkedState::Resolved, now).await?;
            }
        }
    }
    for (push, sheet) in sheets.iter().enumerate() {
        for (pupil, new_pupil) in &sheet.renamed {
            let changed = position_of(push);
            store::pupil::alias(tx, sheet.trust_id, (pupil, new_pupil), changed).await?;
        }
    }
    store::change::bury(tx, &gone((book, facts), &position_of, now)?).await
}

fn park(batch: &Batch, record: &Admitted, ordinal: u32, waits: Vec<Wait>) -> Option<Parked> {
    let (school_id, body) = record.body.as_ref().ok()?;
    let (date, session) = match body {
        Body::Register { date, session, .. } => (*date, Some(*session)),
        Body::Fact { fact, .. } => (fact.on, None),
        _ => (calendar::london_date(batch.received_at), None),
    };
    Some(Parked {
        batch_id: batch.batch_id,
        ordinal,
        line: record.line,
        trust_id: batch.trust_id,
        feed_id: batch.feed_id,
        external_id: record.external_id.clone(),
        kind: body.kind(),
        school_id: *school_id,
        date,
        session,
        waits,
        state: ParkedState::Waiting,
        parked_at: batch.received_at,
        deadline: batch.received_at + PARKED_FOR,
        settled_at: None,
    })
}

/// Enrolments that were taken back, and registers without a mark.
pub(in crate::app) fn gone(
    (book, facts): (&Book, &Facts),
    position_of: impl Fn(usize) -> i64,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<Gone>> {
    let mut gone = Vec::new();
    for (school_id, trust_id, it) in book.removed_enrolments() {
        let held = book.roll(school_id).and_then(|roll| Some(roll.held(roll.index(&it.pupil)?)));
        // It may have come again since.
        if held.into_iter().flatten().any(|held| held.enrolment.starts_on == it.starts_on) {
            continue;
        }
        let key = serde_json::json!({"enrolment": {
            "urn": school_id.to_string(),
            "pupil": hex(&it.pupil),
            "startsOn": it.starts_on,
            "deleted": true,
        }});
        let (kind, changed) = (Kind::Enrolment, position_of(it.push));
        let (school_id, key) = (Some(school_id), key.to_string());
        gone.push(Gone { trust_id, kind, school_id, record: key.clone(), key, changed, at });
    }
    let emptied = book.changed_registers().filter(|it| it.2.is_empty());
    for (Slot { school_id, date, session }, trust_id, _, push) in emptied {
        let key = serde_json::json!({"attendanceRegister": {
            "urn": school_id.to_string(), "date": date, "session": session.to_string(),
        }});
        let (kind, changed) = (Kind::AttendanceRegister, position_of(push));
        let (school_id, key) = (Some(school_id), key.to_string());
        gone.push(Gone { trust_id, kind, school_id, record: key.clone(), key, changed, at });
    }
    for it in facts.changed() {
        let (Some(before), None, Some(push)) = (it.before, it.now, it.push) else { continue };
        let (trust_id, kind, changed) = (before.trust_id, it.key.kind, position_of(push));
        let school_id = it.key.school_id;
        let record = (before.person.as_ref().map(hex), &before.content);
        let record = serde_json::to_string(&record).map_err(Error::internal)?;
        let (key, school_id) = (format!("{school_id}/{}", it.key.key), Some(school_id));
        gone.push(Gone { trust_id, kind, school_id, key, record, changed, at });
    }
    Ok(gone)
}
