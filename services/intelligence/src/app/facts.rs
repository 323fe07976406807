//! Reads the facts that records touch, and stores what they changed: by the same few statements however many pushes,
//! schools and trusts there are.

use std::collections::BTreeSet;

use db::Tx;
use rpc::Result;

use super::book::Wanted;
use crate::{
    domain::{Body, FactKey, Facts},
    store,
};

/// Everything of facts that these records can touch. A pupil's whole file at a school is read with the enrolment.
pub(super) async fn open(tx: &mut Tx, wanted: &[Wanted<'_>]) -> Result<Facts> {
    let mut people = BTreeSet::new();
    let mut forgotten = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for it in wanted {
        match (it.body, it.school_id) {
            (Body::Enrolment { pupil, .. }, Some(school_id)) => {
                people.insert((school_id, *pupil));
            }
            (Body::Fact { fact, .. }, Some(school_id)) => {
                people.extend(fact.person.map(|person| (school_id, person)));
                if !fact.kind.is_keyed_by_person() {
                    keys.insert(FactKey::of(school_id, fact));
                }
            }
            (Body::Pupil { pupil, deleted: true }, _) => {
                forgotten.insert((it.trust_id, *pupil));
            }
            _ => {}
        }
    }
    let people: Vec<_> = people.into_iter().collect();
    let forgotten: Vec<_> = forgotten.into_iter().collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let mut facts = Facts::default();
    for (key, fact) in store::fact::of_people(tx, &people).await? {
        facts.open(key, fact);
    }
    for (key, fact) in store::fact::of_people_anywhere(tx, &forgotten).await? {
        facts.open(key, fact);
    }
    for (key, fact) in store::fact::of_keys(tx, &keys).await? {
        facts.open(key, fact);
    }
    Ok(facts)
}

/// Stores what the pushes changed; `position_of` says where in the journal each was recorded.
pub(super) async fn save(
    tx: &mut Tx,
    facts: &Facts,
    position_of: impl Fn(usize) -> i64,
) -> Result<()> {
    let changed: Vec<_> = facts.changed().map(|it| (it, it.push.map(&position_of))).collect();
    store::fact::put_all(tx, &changed).await?;
    store::cell::add_all(tx, &facts.moves()).await
}
