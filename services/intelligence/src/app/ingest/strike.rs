//! What must not be entered: people who were erased, and what is older than it may be kept. Pushes that were hashed before
//! their trust took another key on are brought up to date here, under the log's lock.

use std::collections::HashMap;

use chrono::{Months, NaiveDate};
use db::Tx;
use identity::TrustId;
use rpc::{Ctx, Fault, Problem, Reason, Result};

use super::{Ingest, Push, admit::Admitted, known};
use crate::{
    app::privacy::Erased,
    domain::{Body, Content, Hash, Kind, Record},
    pupil_key::{MasterKeys, TrustKey},
    store,
};

/// Records of this many months ago are kept whatever a trust has set: a year, and the one that had begun.
const KEPT: u32 = 12;

pub(super) struct Struck {
    erased: Erased,
    keys: MasterKeys,
    /// Of trusts that have taken another key on.
    generations: HashMap<TrustId, u32>,
    /// The first day of which a trust keeps records of a kind; asked only where a push has old ones.
    kept_from: HashMap<(TrustId, Kind), NaiveDate>,
}

impl Ingest {
    pub(super) async fn struck(
        &self,
        tx: &mut Tx,
        asked: &[(&Ctx, &Push<Hash>)],
        trusts: &[TrustId],
    ) -> Result<Struck> {
        let found = store::privacy::pseudonym::of_trusts(tx, trusts).await?;
        let generations: HashMap<TrustId, u32> =
            found.into_iter().map(|(trust_id, it)| (trust_id, it.generation)).collect();
        known(&self.generations).extend(&generations);
        let generation = |it: TrustId| generations.get(&it).copied().unwrap_or(1);
        let erased = Erased::of_trusts(tx, &self.keys, trusts, generation).await?;
        let mut kept_from = HashMap::new();
        for (ctx, push) in asked {
            let trust_id = push.feed.trust_id;
            let today = ctx.today();
            let recent = today.checked_sub_months(Months::new(KEPT)).unwrap_or(today);
            let bodies = push.records.iter().filter_map(|it| it.body.as_ref().ok());
            let any_old = bodies.filter_map(last_day).any(|it| it < recent);
            if !any_old || kept_from.keys().any(|it: &(TrustId, Kind)| it.0 == trust_id) {
                continue;
            }
            for rule in store::privacy::retention::rules(tx, trust_id).await? {
                if let (Some(kind), Some(from)) = (rule.of.kind(), rule.kept_from(today)) {
                    kept_from.insert((trust_id, kind), from);
                }
            }
        }
        Ok(Struck { erased, keys: self.keys.clone(), generations, kept_from })
    }
}

impl Struck {
    /// The records of a push, hashed as its trust's are now.
    pub(super) fn renewed(&self, push: &Push<Hash>) -> Result<Vec<Record<Hash>>> {
        let trust_id = push.feed.trust_id;
        let now = self.generations.get(&trust_id).copied().unwrap_or(1);
        if push.generation >= now {
            return Ok(push.records.clone());
        }
        let key: TrustKey = self.keys.of_trust(trust_id, now)?;
        let renew = |it: &Record<Hash>| {
            let Record { line, external_id, body } = it.clone();
            let body = body.map(|it| it.renamed(|it| key.renewed(it, push.generation)));
            Record { line, external_id, body }
        };
        Ok(push.records.iter().map(renew).collect())
    }

    /// Refuses a record that must not be entered, or takes out of it what must not.
    pub(super) fn strike(&self, trust_id: TrustId, it: &mut Admitted) {
        let Ok((_, body)) = &mut it.body else { return };
        match self.erased.strike(trust_id, body).and_then(|notes| {
            self.judge(trust_id, body)?;
            Ok(notes)
        }) {
            Ok(notes) => it.notes = notes,
            Err(problems) => it.body = Err(problems),
        }
    }

    fn judge(&self, trust_id: TrustId, body: &Body<Hash>) -> Result<(), Vec<Problem>> {
        let kind = body.kind();
        let Some(from) = self.kept_from.get(&(trust_id, kind)) else { return Ok(()) };
        if last_day(body).is_none_or(|it| it >= *from) {
            return Ok(());
        }
        let detail = format!("is of before {from}, from which day on the trust keeps such records");
        let fault = Fault::new(Reason::RetentionPassed, detail);
        Err(vec![Problem { pointer: format!("/{}", kind.field()), fault }])
    }
}

/// The last day a record says anything of; none where it goes on, or takes something back.
fn last_day(body: &Body<Hash>) -> Option<NaiveDate> {
    match body {
        Body::Register { date, .. } => Some(*date),
        Body::Enrolment { enrolment, deleted: false, .. } => enrolment.ends_on,
        Body::Fact { fact, .. } => match fact.content.as_ref()? {
            Content::StaffMember(it) => it.ends_on,
            _ => Some(fact.on),
        },
        Body::Enrolment { .. } | Body::Pupil { .. } | Body::KeyChange { .. } => None,
    }
}
