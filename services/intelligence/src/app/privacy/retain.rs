//! Letting go of what has been kept for as long as it may be. Figures go on counting it; a legal hold stops it.

use std::collections::BTreeSet;

use calendar::AcademicYear;
use chrono::{DateTime, Days, NaiveDate, Utc};
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Ctx, Error, Fault, Result};

use crate::{
    app::{
        App,
        book::{FIRST, LAST},
    },
    domain::{Content, Hash, Kind, LegalHold, Remainder, Retained, RetentionRule, Roll, Went},
    store::{self, Range},
};

/// Rows that go in one step.
const STEP: i64 = 1000;

/// Facts of one kind that are looked through, a step at a time.
type Cursor = Option<(SchoolId, String)>;

impl App {
    pub(crate) async fn retention(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
    ) -> Result<Vec<RetentionRule>> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        store::privacy::retention::rules(&mut tx, trust_id).await
    }

    pub(crate) async fn set_retention(
        &self,
        ctx: &Ctx,
        (trust_id, what): (TrustId, String),
        months: Option<u32>,
        expected_version: u32,
    ) -> Result<RetentionRule> {
        ctx.within(trust_id.0)?;
        let (journal, context, of) = (self.journal.clone(), ctx.clone(), what.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let rule = rule(tx, trust_id, &of).await?;
                    rpc::unchanged(rule.version, expected_version)?;
                    let admitted = rule.admit(months);
                    admitted.map_err(|fault: Fault| Error::field("/months", fault))?;
                    let (version, event_id) = (rule.version + 1, context.new_id());
                    let event = store::privacy::event::retention_set;
                    let draft = event((trust_id, &of), months, version, event_id);
                    journal.record(tx, &context, vec![draft]).await.map(drop)
                })
            })
            .await?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        rule(&mut tx, trust_id, &what).await
    }

    /// Lets go of what is due, once a day.
    pub(crate) async fn retain(&self, now: DateTime<Utc>) -> Result<()> {
        let ctx = Ctx { now, ..Ctx::system(crate::NAME) };
        if !self.is_new_day(ctx.today()) {
            return Ok(());
        }
        let done = self.retain_all(&ctx).await;
        if done.is_err() {
            // What is left is due still.
            self.day_is_not_over();
        }
        done
    }

    async fn retain_all(&self, ctx: &Ctx) -> Result<()> {
        let mut tx = self.journal.db().read().await?;
        let trusts = store::privacy::retention::trusts(&mut tx).await?;
        drop(tx);
        for trust_id in trusts {
            self.retain_of(ctx, trust_id).await?;
        }
        Ok(())
    }

    async fn retain_of(&self, ctx: &Ctx, trust_id: TrustId) -> Result<()> {
        let mut tx = self.journal.db().read().await?;
        let rules = store::privacy::retention::rules(&mut tx, trust_id).await?;
        let holds = store::privacy::hold::of_trust(&mut tx, trust_id).await?;
        let schools = store::privacy::retention::first_registers(&mut tx, trust_id).await?;
        drop(tx);
        for rule in rules {
            if let Some(oldest) = rule.oldest(ctx.now) {
                self.forget_reads(ctx, trust_id, oldest).await?;
            }
            let (Some(kind), Some(before)) = (rule.of.kind(), rule.kept_from(ctx.today())) else {
                continue;
            };
            let Some(held) = held(&holds, kind) else { continue };
            match kind {
                Kind::AttendanceRegister => {
                    for (school_id, first) in &schools {
                        let old = first.filter(|it| *it < before);
                        let place = (trust_id, *school_id);
                        self.forget_years(ctx, place, (old, before), &held).await?;
                    }
                }
                Kind::Enrolment => {
                    for (school_id, _) in &schools {
                        self.forget_enrolments(ctx, (trust_id, *school_id), before, &held).await?;
                    }
                }
                kind => self.forget_facts(ctx, (trust_id, kind), before, &held).await?,
            }
        }
        Ok(())
    }

    async fn forget_facts(
        &self,
        ctx: &Ctx,
        (trust_id, kind): (TrustId, Kind),
        before: NaiveDate,
        held: &BTreeSet<Hash>,
    ) -> Result<()> {
        let mut cursor: Cursor = None;
        loop {
            let (app, context, held) = (self.clone(), ctx.clone(), held.clone());
            let after = cursor.take();
            let next: Cursor = self
                .journal
                .write(ctx, move |tx| {
                    Box::pin(async move {
                        let of = (trust_id, kind);
                        let old = store::privacy::retention::old_facts(
                            tx,
                            of,
                            before,
                            after.as_ref(),
                            STEP,
                        );
                        let old = old.await?;
                        let next = old.last().map(|it| (it.0, it.1.clone()));
                        let mut rows = 0;
                        for (school_id, key, person, content) in old {
                            let is_held = person.is_some_and(|it| held.contains(&it));
                            if !is_held && is_over(&content, before) {
                                store::privacy::retention::forget_fact(tx, school_id, kind, &key)
                                    .await?;
                                rows += 1;
                            }
                        }
                        let went = [Went::new(kind.path(), rows)];
                        app.applied(tx, &context, trust_id, before, &went).await?;
                        Ok(next)
                    })
                })
                .await?;
            if next.is_none() {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// Registers go by academic years, oldest first.
    async fn forget_years(
        &self,
        ctx: &Ctx,
        (trust_id, school_id): (TrustId, SchoolId),
        (first, before): (Option<NaiveDate>, NaiveDate),
        held: &BTreeSet<Hash>,
    ) -> Result<()> {
        let mut year = first.map(AcademicYear::of);
        while let Some(it) = year.filter(|it| it.starts_on() < before) {
            let (app, context, held) = (self.clone(), ctx.clone(), held.clone());
            let days = (it.starts_on(), it.ends_on());
            self.journal
                .write(ctx, move |tx| {
                    Box::pin(async move {
                        journal::lock(tx).await?;
                        let mut rolls = store::roll::of_schools(tx, &[school_id]).await?;
                        let roll = rolls.pop().map(|it| it.1).unwrap_or_default();
                        if held.iter().any(|it| roll.index(it).is_some()) {
                            return Ok(());
                        }
                        let rows = fold(tx, (trust_id, school_id), &roll, days).await?;
                        let went = [Went::new("attendance-marks", rows)];
                        app.applied(tx, &context, trust_id, before, &went).await
                    })
                })
                .await?;
            year = days.1.checked_add_days(Days::new(1)).map(AcademicYear::of);
        }
        Ok(())
    }

    async fn forget_enrolments(
        &self,
        ctx: &Ctx,
        (trust_id, school_id): (TrustId, SchoolId),
        before: NaiveDate,
        held: &BTreeSet<Hash>,
    ) -> Result<()> {
        let (app, context, held) = (self.clone(), ctx.clone(), held.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    journal::lock(tx).await?;
                    let mut rolls = store::roll::of_schools(tx, &[school_id]).await?;
                    let Some((_, mut roll)) = rolls.pop() else { return Ok(()) };
                    if !roll.has_ended(before) {
                        return Ok(());
                    }
                    let range = Range { school_id, from: FIRST, to: LAST };
                    let registers = store::register::within(tx, &[range]).await?;
                    // Marks count by enrolments: as long as there are any of before, enrolments stay.
                    if registers.iter().any(|(slot, _)| slot.date < before) {
                        return Ok(());
                    }
                    let has_marks =
                        |index| registers.iter().any(|(_, it)| it.code(index).is_some());
                    let (remainder, rows) = roll.let_go(before, &held, has_marks);
                    if rows == 0 {
                        return Ok(());
                    }
                    // Nothing of a roll as it was read is of a push under way.
                    store::roll::put_all(tx, &[(school_id, trust_id, &roll)], &|_| 0).await?;
                    store::privacy::remainder::add(tx, (trust_id, school_id), &remainder).await?;
                    let went = [Went::new(Kind::Enrolment.path(), rows)];
                    app.applied(tx, &context, trust_id, before, &went).await
                })
            })
            .await
    }

    async fn forget_reads(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        before: DateTime<Utc>,
    ) -> Result<()> {
        loop {
            let (app, context) = (self.clone(), ctx.clone());
            let rows: usize = self
                .journal
                .write(ctx, move |tx| {
                    Box::pin(async move {
                        let gone = store::privacy::read::forget(tx, trust_id, before, STEP).await?;
                        let rows = usize::try_from(gone).map_err(Error::internal)?;
                        let went = [Went::new("read-log", rows)];
                        let day = calendar::london_date(before);
                        app.applied(tx, &context, trust_id, day, &went).await?;
                        Ok(rows)
                    })
                })
                .await?;
            if rows == 0 {
                return Ok(());
            }
        }
    }

    /// Records what went, if anything did.
    async fn applied(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        trust_id: TrustId,
        before: NaiveDate,
        went: &[Went],
    ) -> Result<()> {
        if went.iter().all(|it| it.rows == 0) {
            return Ok(());
        }
        let event = store::privacy::event::retention_applied;
        let draft = event(trust_id, &before.to_string(), went, ctx.new_id());
        self.journal.record(tx, ctx, vec![draft]).await.map(drop)
    }
}

async fn rule(tx: &mut Tx, trust_id: TrustId, what: &str) -> Result<RetentionRule> {
    let rules = store::privacy::retention::rules(tx, trust_id).await?;
    let found = rules.into_iter().find(|it| it.of.what == what);
    found.ok_or_else(|| {
        let known = crate::domain::retained().iter().map(|it: &Retained| it.what.as_str());
        let fault = Fault::invalid("is not kept for a time of its own").accepting(known);
        Error::field("/what", fault)
    })
}

/// Whose records of a kind are held; nothing where all are.
fn held(holds: &[LegalHold], kind: Kind) -> Option<BTreeSet<Hash>> {
    let keeping = || holds.iter().filter(|it| it.keeps(kind));
    if keeping().any(|it| !it.of_person) {
        return None;
    }
    Some(keeping().filter_map(|it| it.person).collect())
}

/// Whether what is said was over by a day: a contract by its last, everything else by its first.
fn is_over(content: &Content, before: NaiveDate) -> bool {
    match content {
        Content::StaffMember(it) => it.ends_on.is_some_and(|it| it < before),
        _ => true,
    }
}

/// Keeps what registers of some days count as, and lets them go; says how many marks went.
async fn fold(
    tx: &mut Tx,
    (trust_id, school_id): (TrustId, SchoolId),
    roll: &Roll,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<usize> {
    let range = Range { school_id, from, to };
    let mut remainder = Remainder::default();
    let mut marks = 0;
    for (slot, register) in store::register::within(tx, &[range]).await? {
        marks += register.marks().count();
        remainder.count(slot.date, &register, &roll.on(slot.date), |_| true);
    }
    store::privacy::remainder::add(tx, (trust_id, school_id), &remainder.unnamed()).await?;
    store::privacy::retention::forget_registers(tx, school_id, (from, to)).await?;
    Ok(marks)
}
