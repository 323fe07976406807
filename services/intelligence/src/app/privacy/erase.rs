//! Erasing somebody. Everything that is held of them goes, in one transaction, with the event that says so; what figures
//! count of them stays, without a hint of whom.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use db::Tx;
use identity::{SchoolId, TrustId};
use journal::text::Text;
use rpc::{Ctx, Error, Page, Reason, Result};
use serde::{Deserialize, Serialize};

use super::{
    Person,
    person::{Erased, Known},
};
use crate::{
    app::{
        App,
        book::{self, Wanted},
        ingest::gone,
    },
    domain::{
        Body, Book, CellKey, Content, Erasure, ErasureId, Fact, FactKey, Facts, Hash, KeptFact,
        Kind, Parked, Remainder, StaffMember, Sums, Went, certificate, hex, is_named,
    },
    pupil_key::mark,
    store::{self, privacy::erasure::Sealed},
};

#[derive(Clone, Debug)]
pub(crate) struct CreateErasure {
    pub person: Person,
    pub authority: String,
}

/// An erasure with its text and those who may hold copies.
#[derive(Clone, Debug)]
pub(crate) struct NamedErasure {
    pub erasure: Erasure,
    pub authority: Option<String>,
    pub readers: Vec<String>,
}

/// What the transaction of an erasure came to.
#[derive(Serialize, Deserialize)]
struct Done(uuid::Uuid);

impl App {
    /// Erases somebody. Erased once more, they are answered with the erasure there is.
    pub(crate) async fn erase(&self, ctx: &Ctx, it: CreateErasure) -> Result<NamedErasure> {
        ctx.within(it.person.trust_id.0)?;
        ctx.everything_of_people()?;
        let authority = Text::new(it.authority)?;
        // An answer is kept beside a digest of its request, and an id is easily guessed from one.
        let ctx = Ctx { idempotency: None, ..ctx.clone() };
        let (app, context, person) = (self.clone(), ctx.clone(), it.person);
        let Done(erasure_id) = self
            .journal
            .write(&ctx, move |tx| {
                Box::pin(async move { app.erase_in(tx, &context, &person, authority).await })
            })
            .await?;
        self.erasure(&ctx, ErasureId(erasure_id)).await
    }

    async fn erase_in(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        person: &Person,
        authority: Text,
    ) -> Result<Done> {
        journal::lock(tx).await?;
        let trust_id = person.trust_id;
        let known = self.known(tx, person).await?;
        if let Some(erasure_id) = self.erased_before(tx, trust_id, &known.hash).await? {
            return Ok(Done(erasure_id.0));
        }
        let body = Body::Pupil { pupil: known.hash, deleted: true };
        let wanted = [Wanted { trust_id, school_id: None, body: &body }];
        let mut book = book::open(tx, ctx.today(), &wanted).await?;
        let facts = store::fact::of_people_anywhere(tx, &[(trust_id, known.hash)]).await?;
        let left = book.erase(0, (trust_id, &known.hash), ctx.today());
        book.settle();
        held(tx, trust_id, (&known.hash, &left, &facts)).await?;
        let mut went = counted(&left, &facts);
        went.push(Went::new("pupils", book.changed_pupils().count()));
        went.extend(self.forget_traces(tx, person, &known).await?);
        went.retain(|it| it.rows > 0);
        if went.is_empty() {
            let detail = "nothing is held of anybody with this id";
            return Err(Error::new(Reason::NotFound, detail));
        }
        let erasure = Erasure {
            erasure_id: ErasureId(ctx.new_id()),
            trust_id,
            subject: person.subject,
            erased: went,
            authority: Some(authority.id()),
            erased_at: ctx.now,
            erased_by: ctx.caller.client_id.clone(),
            position: 0,
            scrubbed_at: None,
            scrubbed_how: None,
            lifted_at: None,
            version: 1,
        };
        let draft = store::privacy::event::person_erased(&erasure, authority, ctx.new_id());
        let recorded = self.journal.record(tx, ctx, vec![draft]).await?;
        let position = recorded.first().map_or(0, |it| it.position);
        save(tx, trust_id, (&book, &left), (ctx, position)).await?;
        store::fact::forget_person(tx, trust_id, &known.hash).await?;
        store::cell::add_all(tx, &contracts_ended(&facts, ctx.today())).await?;
        let key = self.key_of(tx, trust_id).await?;
        for hash in &known.all {
            let (seal, erasure_id) = (key.seal_person(hash)?, erasure.erasure_id);
            let sealed = Sealed { trust_id, seal, mark: mark(hash), erasure_id };
            store::privacy::erasure::seal(tx, &sealed).await?;
        }
        Ok(Done(erasure.erasure_id.0))
    }

    async fn erased_before(
        &self,
        tx: &mut Tx,
        trust_id: TrustId,
        person: &Hash,
    ) -> Result<Option<ErasureId>> {
        let generation = self.key_of(tx, trust_id).await?.generation();
        let erased = Erased::of_trusts(tx, &self.keys, &[trust_id], |_| generation).await?;
        Ok(erased.by(trust_id, person))
    }

    /// Forgets what tells of a person beside the records: what waits, what was told of pushes, what was deleted or renamed.
    async fn forget_traces(
        &self,
        tx: &mut Tx,
        person: &Person,
        known: &Known,
    ) -> Result<Vec<Went>> {
        let trust_id = person.trust_id;
        let (mut parked, mut changes, mut renamed) = (0, 0, 0);
        for hash in &known.all {
            for mut it in store::parked::naming(tx, trust_id, hash).await? {
                parked += 1;
                forget_wait(&mut it, hash, &person.vendor_id);
                store::parked::put_waits(tx, &it).await?;
            }
            changes += store::change::forget_person(tx, trust_id, &hex(hash)).await?;
            renamed += store::pupil::forget_aliases(tx, trust_id, hash).await?;
        }
        let results = forget_results(tx, trust_id, (&person.vendor_id, known)).await?;
        let rows = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
        Ok(vec![
            Went::new("parked-records", parked),
            Went::new("changes", rows(changes)),
            Went::new("key-changes", rows(renamed)),
            Went::new("batch-results", results),
        ])
    }

    pub(crate) async fn erasure(&self, ctx: &Ctx, erasure_id: ErasureId) -> Result<NamedErasure> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let erasure = readable(&mut tx, ctx, erasure_id).await?;
        named(&mut tx, erasure).await
    }

    pub(crate) async fn erasures(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        page: &Page<ErasureId>,
    ) -> Result<Vec<NamedErasure>> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let found =
            store::privacy::erasure::of_trust(&mut tx, trust_id, page.after, page.limit()).await?;
        let mut all = Vec::with_capacity(found.len());
        for erasure in found {
            all.push(named(&mut tx, erasure).await?);
        }
        Ok(all)
    }

    /// What was erased, signed by the journal's keys.
    pub(crate) async fn certificate(&self, ctx: &Ctx, erasure_id: ErasureId) -> Result<String> {
        let it = self.erasure(ctx, erasure_id).await?;
        let text = certificate(&it.erasure, &self.journal.origin()?, it.authority.as_deref());
        self.journal.sign_note(&text)
    }

    /// Takes records of an erased person again.
    pub(crate) async fn lift_erasure(
        &self,
        ctx: &Ctx,
        erasure_id: ErasureId,
        reason: String,
    ) -> Result<NamedErasure> {
        let reason = Text::new(reason)?;
        let (journal, context) = (self.journal.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let it = readable(tx, &context, erasure_id).await?;
                    context.everything_of_people()?;
                    if it.lifted_at.is_some() {
                        let detail = "it was lifted before";
                        return Err(Error::new(Reason::TransitionNotAllowed, detail));
                    }
                    let event_id = context.new_id();
                    let draft = store::privacy::event::erasure_lifted(&it, reason, event_id);
                    journal.record(tx, &context, vec![draft]).await?;
                    store::privacy::erasure::unseal(tx, it.trust_id, Some(erasure_id)).await
                })
            })
            .await?;
        self.erasure(ctx, erasure_id).await
    }
}

async fn readable(tx: &mut Tx, ctx: &Ctx, erasure_id: ErasureId) -> Result<Erasure> {
    let missing = || Error::not_found("erasure", erasure_id);
    let it = store::privacy::erasure::get(tx, erasure_id).await?.ok_or_else(missing)?;
    ctx.within(it.trust_id.0).map_err(|_| missing())?;
    Ok(it)
}

async fn named(tx: &mut Tx, erasure: Erasure) -> Result<NamedErasure> {
    let authority = match erasure.authority {
        Some(it) => journal::text::body(tx, it).await?,
        None => None,
    };
    let readers = store::privacy::read::readers(tx, erasure.trust_id).await?;
    Ok(NamedErasure { erasure, authority, readers })
}

type Left = [(SchoolId, Remainder, usize, usize)];

/// Refuses while a legal hold keeps any of it.
async fn held(
    tx: &mut Tx,
    trust_id: TrustId,
    (person, left, facts): (&Hash, &Left, &[(FactKey, KeptFact)]),
) -> Result<()> {
    let on_roll = [Kind::Enrolment, Kind::AttendanceRegister].into_iter();
    let kinds = || {
        let on_roll = on_roll.clone().filter(|_| !left.is_empty());
        on_roll.chain(facts.iter().map(|it| it.0.kind))
    };
    for it in store::privacy::hold::of_trust(tx, trust_id).await? {
        if it.stops(person, kinds()) {
            let detail = format!("legal hold {} keeps these records: lift it first", it.hold_id);
            return Err(Error::new(Reason::LegalHold, detail));
        }
    }
    Ok(())
}

/// How many of each kind of record go.
fn counted(left: &Left, facts: &[(FactKey, KeptFact)]) -> Vec<Went> {
    let mut kinds = BTreeMap::<&str, usize>::new();
    for (key, _) in facts {
        *kinds.entry(key.kind.path()).or_default() += 1;
    }
    let mut went = vec![
        Went::new("places-on-rolls", left.len()),
        Went::new("enrolments", left.iter().map(|it| it.2).sum()),
        Went::new("attendance-marks", left.iter().map(|it| it.3).sum()),
    ];
    went.extend(kinds.into_iter().map(|(what, rows)| Went::new(what, rows)));
    went
}

async fn save(
    tx: &mut Tx,
    trust_id: TrustId,
    (book, left): (&Book, &Left),
    (ctx, position): (&Ctx, i64),
) -> Result<()> {
    book::save(tx, book, |_| position).await?;
    for (school_id, remainder, _, _) in left {
        store::privacy::remainder::add(tx, (trust_id, *school_id), remainder).await?;
    }
    let emptied = gone((book, &Facts::default()), |_| position, ctx.now)?;
    store::change::bury(tx, &emptied).await
}

/// By how much figures move where contracts would have gone on: they end today, or are none.
fn contracts_ended(facts: &[(FactKey, KeptFact)], today: NaiveDate) -> BTreeMap<CellKey, Sums> {
    let mut ended = Facts::default();
    for (key, fact) in facts.iter().filter(|it| it.0.kind == Kind::StaffMember) {
        ended.open(key.clone(), fact.clone());
    }
    for (key, fact) in facts {
        let Content::StaffMember(it) = &fact.content else { continue };
        if it.ends_on.is_some_and(|it| it <= today) {
            continue;
        }
        let contract = StaffMember { ends_on: Some(today), ..it.clone() };
        let content = (it.starts_on <= today).then_some(Content::StaffMember(contract));
        let said = Fact { content, ..fact.record(key, fact.person, false) };
        ended.apply(0, fact.trust_id, key.school_id, &said);
    }
    ended.moves()
}

fn forget_wait(it: &mut Parked, person: &Hash, vendor_id: &str) {
    it.waits.retain(|it| it.pupil != *person);
    if is_named(&it.external_id, vendor_id) {
        it.external_id.clear();
    }
}

/// Takes a person out of what was told of pushes: ids of records that hold theirs, and natural keys.
async fn forget_results(
    tx: &mut Tx,
    trust_id: TrustId,
    (vendor_id, known): (&str, &Known),
) -> Result<usize> {
    let mut forgotten = 0;
    let pseudonyms: Vec<String> = known.all.iter().map(hex).collect();
    for text in pseudonyms.iter().map(String::as_str).chain([vendor_id]) {
        for mut found in store::batch::results_with(tx, trust_id, text).await? {
            let mut any = false;
            for it in &mut found.1 {
                if it.forget(vendor_id, &pseudonyms) {
                    forgotten += 1;
                    any = true;
                }
            }
            if any {
                store::batch::replace_results(tx, &found).await?;
            }
        }
    }
    Ok(forgotten)
}
