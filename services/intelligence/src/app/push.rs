use std::collections::{BTreeSet, HashMap};

use calendar::Week;
use db::Tx;
use identity::SchoolId;
use journal::Draft;
use rpc::{Ctx, Fault, Problem, Reason, Result};

use super::{App, book};
use crate::{
    domain::{
        Batch, BatchId, BatchState, Body, Book, Complaint, Feed, Kind, Outcome, Record,
        RecordResult, Schools, Slot, Totals,
    },
    store,
};

/// Problems told of one record at the most.
const PROBLEMS: usize = 50;

/// Records on their way into a feed the caller may push into.
#[derive(Debug)]
pub(crate) struct Push {
    pub feed: Feed,
    pub dry_run: bool,
    pub records: Vec<Record>,
}

/// A record with its school found, or what is wrong with it.
pub(super) struct Admitted<P> {
    line: u32,
    external_id: String,
    superseded_by_urn: Option<String>,
    pub(super) body: Result<(Option<SchoolId>, Body<P>), Vec<Problem>>,
}

impl App {
    pub(crate) async fn push(&self, ctx: &Ctx, push: Push) -> Result<Batch> {
        let (app, context) = (self.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| Box::pin(async move { app.apply(tx, &context, push).await }))
            .await
    }

    async fn apply(&self, tx: &mut Tx, ctx: &Ctx, push: Push) -> Result<Batch> {
        let Push { feed, dry_run, records } = push;
        journal::lock(tx).await?;
        let schools = store::school::of_trust(tx, feed.trust_id).await?;
        let admitted: Vec<_> = records.into_iter().map(|it| admit(&feed, &schools, it)).collect();
        let key = self.key.of_trust(feed.trust_id)?;
        let (pupils, admitted) = book::Pupils::name(tx, feed.trust_id, &key, admitted).await?;
        let mut book =
            book::open(tx, ctx.today(), (feed.trust_id, &schools), &pupils, &admitted).await?;
        let results = enter(&mut book, admitted);

        let totals = Totals::of(&results);
        let mut batch = Batch {
            batch_id: BatchId(ctx.new_id()),
            feed_id: feed.feed_id,
            trust_id: feed.trust_id,
            state: BatchState::of(&totals, dry_run),
            totals,
            received_at: ctx.now,
        };
        let mut drafts = vec![store::event::batch_applied(&batch, ctx.new_id())];
        if !dry_run {
            book::save(tx, feed.trust_id, &pupils, &book).await?;
            drafts.extend(self.signals(tx, ctx, &schools, &book).await?);
        }
        store::batch::forget_results(tx, BatchId::oldest_kept(ctx.now)).await?;
        store::batch::keep_results(tx, batch.batch_id, &results).await?;
        for event in self.journal.record(tx, ctx, drafts).await? {
            batch.received_at = event.recorded_at;
        }
        Ok(batch)
    }

    /// Signals for the schools of which a complete week has changed.
    async fn signals(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        schools: &Schools,
        book: &Book,
    ) -> Result<Vec<Draft>> {
        let this_week = Week::of(ctx.today());
        let changed: BTreeSet<SchoolId> = book
            .shifts()
            .filter(|(_, date, _)| Week::of(*date) < this_week)
            .map(|(school_id, ..)| school_id)
            .collect();
        let mut drafts = Vec::new();
        for school in changed.into_iter().filter_map(|it| schools.get(it)) {
            drafts.extend(super::signal::raise(tx, ctx, school).await?);
        }
        Ok(drafts)
    }
}

/// Whether a record may come by this feed, and of which school it speaks.
fn admit(feed: &Feed, schools: &Schools, record: Record) -> Admitted<String> {
    let Record { line, external_id, body } = record;
    let mut superseded_by_urn = None;
    let body = body.and_then(|body| {
        let kind = body.kind();
        if !feed.kinds.contains(&kind) {
            let carried: Vec<_> = feed.kinds.iter().map(|it| it.field()).collect();
            let detail = format!("this feed carries only {}", carried.join(", "));
            return Err(problem(format!("/{}", kind.field()), Fault::invalid(detail)));
        }
        let Some((number, on)) = body.school() else { return Ok((None, body)) };
        let pointer = || format!("/{}/urn", kind.field());
        let school = schools.find_open(number, on).map_err(|fault| problem(pointer(), fault))?;
        if !feed.speaks_for(school.school_id) {
            let detail = format!("this feed does not speak for school {}", school.urn);
            return Err(problem(pointer(), Fault::new(Reason::SchoolUnknown, detail)));
        }
        superseded_by_urn = school.superseding(number);
        Ok((Some(school.school_id), body))
    });
    Admitted { line, external_id, superseded_by_urn, body }
}

/// Enters every record in order, then says what became of each.
fn enter(book: &mut Book, admitted: Vec<Admitted<i32>>) -> Vec<RecordResult> {
    let outcomes: Vec<Outcome> = admitted
        .iter()
        .map(|it| match &it.body {
            Ok((school_id, body)) => book.apply(*school_id, body),
            Err(_) => Outcome::Rejected,
        })
        .collect();
    book.settle();
    admitted
        .into_iter()
        .zip(outcomes)
        .map(|(it, outcome)| {
            let (outcome, problems) = match it.body {
                Err(problems) => (outcome, problems),
                Ok((school_id, body)) => {
                    let waiting = waiting(book, school_id, &body);
                    let parked = !waiting.is_empty();
                    (if parked { Outcome::Parked } else { outcome }, waiting)
                }
            };
            let (line, external_id) = (it.line, it.external_id);
            let problems = problems.into_iter().take(PROBLEMS).map(Complaint::from).collect();
            let superseded_by_urn = it.superseded_by_urn;
            RecordResult { line, external_id, outcome, problems, superseded_by_urn }
        })
        .collect()
}

/// The marks of a register whose pupils are not on roll that day, as far as anybody has told.
fn waiting(book: &Book, school_id: Option<SchoolId>, body: &Body<i32>) -> Vec<Problem> {
    let (Some(school_id), Body::Register { date, session, marks, .. }) = (school_id, body) else {
        return Vec::new();
    };
    let slot = Slot { school_id, date: *date, session: *session };
    let waiting =
        marks.iter().enumerate().filter(|(_, it)| it.code.is_some() && book.waits(&slot, it.pupil));
    waiting
        .take(PROBLEMS)
        .map(|(index, _)| Problem {
            pointer: format!("/{}/marks/{index}/pupil", Kind::AttendanceRegister.field()),
            fault: Fault::new(
                Reason::PupilUnknown,
                "waits for an enrolment of this pupil at the school on that day",
            ),
        })
        .collect()
}

fn problem(pointer: String, fault: Fault) -> Vec<Problem> {
    vec![Problem { pointer, fault }]
}

impl Admitted<String> {
    /// The same with pupils by number.
    pub(super) fn numbered(self, numbers: &HashMap<String, i32>) -> Option<Admitted<i32>> {
        let Self { line, external_id, superseded_by_urn, body } = self;
        let body = match body {
            Ok((school_id, body)) => Ok((school_id, body.renamed(numbers)?)),
            Err(problems) => Err(problems),
        };
        Some(Admitted { line, external_id, superseded_by_urn, body })
    }
}
