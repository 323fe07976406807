//! All that is held of one person.

use chrono::NaiveDate;
use db::Tx;
use identity::SchoolId;
use rpc::{Ctx, Result};

use super::{Person, person::Known};
use crate::{
    app::{
        App,
        book::{FIRST, LAST},
    },
    domain::{
        AttendanceCode, BatchId, Content, Enrolment, Hash, Kind, RecordResult, Schools, Session,
        hex,
    },
    store::{self, Range},
};

/// A record as it is held.
#[derive(Clone, Debug)]
pub(crate) enum HeldAs {
    Enrolment(Enrolment),
    Mark { date: NaiveDate, session: Session, code: String, waiting: bool },
    Fact { content: Box<Content>, waiting: bool },
}

#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub hash: Hash,
    pub schools: Schools,
    pub records: Vec<(SchoolId, HeldAs)>,
    pub results: Vec<(BatchId, RecordResult)>,
    pub readers: Vec<String>,
}

impl App {
    pub(crate) async fn export(
        &self,
        ctx: &Ctx,
        person: &Person,
        purpose: String,
        rpc: &'static str,
    ) -> Result<Export> {
        ctx.within(person.trust_id.0)?;
        ctx.everything_of_people()?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let known = self.known(&mut tx, person).await?;
        let trust_id = person.trust_id;
        let mut records = on_rolls(&mut tx, person, &known).await?;
        for (key, fact) in
            store::fact::of_people_anywhere(&mut tx, &[(trust_id, known.hash)]).await?
        {
            let waiting = fact.waits();
            let content = Box::new(fact.content);
            records.push((key.school_id, HeldAs::Fact { content, waiting }));
        }
        let results = results(&mut tx, person, &known).await?;
        let schools = store::school::of_trust(&mut tx, trust_id).await?;
        let readers = store::privacy::read::readers(&mut tx, trust_id).await?;
        tx.rollback().await?;
        let kinds: Vec<Kind> = person.subject.kinds().collect();
        let rows = records.len() + results.len();
        self.note_read(ctx, (trust_id, rpc), &kinds, rows, Some(purpose)).await?;
        Ok(Export { hash: known.hash, schools, records, results, readers })
    }
}

/// Enrolments, and marks one by one.
async fn on_rolls(tx: &mut Tx, person: &Person, known: &Known) -> Result<Vec<(SchoolId, HeldAs)>> {
    let mut found = Vec::new();
    let schools = store::roll::naming(tx, person.trust_id, &known.hash).await?;
    for (school_id, roll) in store::roll::of_schools(tx, &schools).await? {
        let Some(index) = roll.index(&known.hash) else { continue };
        let enrolments = roll.held(index).iter().map(|it| it.enrolment.clone());
        found.extend(enrolments.map(|it| (school_id, HeldAs::Enrolment(it))));
        let range = Range { school_id, from: FIRST, to: LAST };
        let mut registers = store::register::within(tx, &[range]).await?;
        registers.sort_by_key(|it| it.0);
        for (slot, register) in registers {
            let code = register
                .code(index)
                .and_then(|it| AttendanceCode::all().get(usize::from(it.row())));
            let Some(code) = code.map(|it| it.code.clone()) else { continue };
            let waiting = roll.standing_at(index, slot.date).is_none();
            let (date, session) = (slot.date, slot.session);
            found.push((school_id, HeldAs::Mark { date, session, code, waiting }));
        }
    }
    Ok(found)
}

/// What was told of pushes and names the person.
async fn results(
    tx: &mut Tx,
    person: &Person,
    known: &Known,
) -> Result<Vec<(BatchId, RecordResult)>> {
    let mut found = std::collections::BTreeMap::new();
    let pseudonyms: Vec<String> = known.all.iter().map(hex).collect();
    let texts = pseudonyms.iter().map(String::as_str).chain([person.vendor_id.as_str()]);
    for text in texts {
        for (batch_id, results) in store::batch::results_with(tx, person.trust_id, text).await? {
            for it in results {
                if it.names(&person.vendor_id, &pseudonyms) {
                    found.insert((batch_id, it.ordinal), it);
                }
            }
        }
    }
    Ok(found.into_iter().map(|((batch_id, _), it)| (batch_id, it)).collect())
}
