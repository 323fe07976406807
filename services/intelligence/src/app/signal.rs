use calendar::Week;
use db::Tx;
use identity::TrustId;
use journal::{AsOf, Draft, Of};
use rpc::{Ctx, Error, Gathered, Page, Result, unchanged};

use super::App;
use crate::{
    domain::{
        Measure, School, Signal, SignalId, SignalState, THRESHOLD, Transition, WEEKS, is_filled,
        judge, series,
    },
    store,
};

impl App {
    pub(crate) async fn signal(
        &self,
        ctx: &Ctx,
        signal_id: SignalId,
        as_of: Option<AsOf>,
    ) -> Result<Signal> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let now = readable(&mut tx, ctx, signal_id).await?;
        let Some(at) = as_of else { return Ok(now) };
        drop(tx);
        let of = Of::Stream(format!("signal/{signal_id}"));
        let mut then = self.journal.as_of(now.trust_id.0, at, of).await?;
        let found = store::signal::get(&mut then, signal_id).await?;
        found.ok_or_else(|| at.absent("signal", signal_id))
    }

    pub(crate) async fn signals_of(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        number: Option<&str>,
        state: Option<SignalState>,
        page: &Page<SignalId>,
    ) -> Result<Vec<Signal>> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let school_id = match number {
            Some(number) => {
                let schools = store::school::of_trust(&mut tx, trust_id).await?;
                let found = schools.find(number).map_err(|it| Error::new(it.reason, it.detail))?;
                ctx.school(found.school_id.0, &found.urn)?;
                Some(found.school_id)
            }
            None => None,
        };
        let filter = store::signal::Filter { school_id, state };
        let granted = ctx.schools();
        let is_granted =
            |it: &Signal| granted.as_ref().is_none_or(|all| all.contains(&it.school_id.0));
        let limit = page.limit();
        let mut signals = Gathered::of(page);
        while !signals.is_done() {
            let after = signals.after;
            let next = store::signal::of_trust(&mut tx, trust_id, filter, after, limit).await?;
            signals.take(next, |it| it.signal_id, is_granted);
        }
        Ok(signals.items)
    }

    pub(crate) async fn move_signal(
        &self,
        ctx: &Ctx,
        signal_id: SignalId,
        expected_version: u32,
        transition: Transition,
    ) -> Result<Signal> {
        let (journal, context) = (self.journal.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let signal = readable(tx, &context, signal_id).await?;
                    unchanged(signal.version, expected_version)?;
                    let event = signal.decide(transition)?;
                    let draft = store::event::signal_moved(&signal, event, context.new_id())?;
                    journal.record(tx, &context, vec![draft]).await?;
                    readable(tx, &context, signal_id).await
                })
            })
            .await
    }
}

/// The signal a school's weekly attendance gives cause for, if none says so already.
pub(super) async fn raise(tx: &mut Tx, ctx: &Ctx, school: &School) -> Result<Option<Draft>> {
    let this_week = Week::of(ctx.today()).starts_on();
    let mut weeks = store::week::before(tx, school.school_id, this_week, WEEKS).await?;
    weeks.reverse();
    let measure = Measure::Attendance;
    let series = series(measure, THRESHOLD, weeks.iter().map(|it| (it.starts_on, &it.summary)));
    // What most pushes change is settled first: history needs no judgement.
    let Some(latest) = series.last().filter(|it| Signal::is_news(it.week, ctx.today())) else {
        return Ok(None);
    };
    let judgement = judge(&series, measure.definition().higher_is_better);
    if judgement.rule.is_none() || !is_filled(weeks.iter().map(|it| &it.summary)) {
        return Ok(None);
    }
    let others = store::signal::of_school(tx, school.school_id, measure).await?;
    if others.iter().any(|it| it.covers(latest.week, judgement.direction)) {
        return Ok(None);
    }
    let at = (SignalId(ctx.new_id()), ctx.now, ctx.today());
    let of = (school.trust_id, school.school_id, school.urn.clone());
    let signal = Signal::raise(at, of, measure, *latest, &judgement);
    Ok(signal.map(|it| store::event::signal_raised(&it, ctx.new_id())))
}

async fn readable(tx: &mut Tx, ctx: &Ctx, signal_id: SignalId) -> Result<Signal> {
    let missing = || Error::not_found("signal", signal_id);
    let signal = store::signal::get(tx, signal_id).await?.ok_or_else(missing)?;
    ctx.within(signal.trust_id.0).map_err(|_| missing())?;
    ctx.school(signal.school_id.0, &signal.urn)?;
    Ok(signal)
}
