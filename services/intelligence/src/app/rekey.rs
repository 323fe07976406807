//! Pupils whose vendor names them otherwise. What is known of a pupil is kept by place in each school's roll, so most
//! changes of a key are one hash written in another's place; where both are known at a school, they become one.

use std::collections::{BTreeMap, BTreeSet};

use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Fault, Problem, Reason, Result};

use crate::{
    domain::{Body, FactKey, Hash, KeptFact, Kind, Mark, Register, Roll, Slot},
    store::{self, Range},
};

/// What hashes of a trust's pupils have become.
#[derive(Clone, Debug, Default)]
pub(super) struct Aliases(BTreeMap<Hash, Hash>);

/// What one change of a key comes to.
#[derive(Debug)]
pub(super) enum Rekeyed {
    /// It had been told before.
    Unchanged,
    /// Neither id is known yet: whatever comes under the old one will be the new one's.
    Ahead,
    /// The history is the new one's now. These records move what cannot be moved in place.
    Moved(Vec<(SchoolId, Body<Hash>)>),
    Refused(Vec<Problem>),
}

impl Aliases {
    pub(super) fn new(pairs: impl IntoIterator<Item = (Hash, Hash)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The hash a pupil is known by now.
    pub(super) fn resolve(&self, pupil: Hash) -> Hash {
        let mut now = pupil;
        // Changes never lead in a circle; a bound costs nothing.
        for _ in 0..=self.0.len() {
            match self.0.get(&now) {
                Some(next) => now = *next,
                None => break,
            }
        }
        now
    }

    /// Whether a change is new, was told before, or contradicts those there are.
    fn admit(&self, pupil: Hash, new_pupil: Hash) -> Result<bool, Problem> {
        if pupil == new_pupil || self.resolve(new_pupil) == pupil {
            let detail = "leads back to the id it begins with";
            return Err(problem("newPupil", detail.to_owned()));
        }
        match self.0.get(&pupil) {
            None => Ok(true),
            Some(there)
                if *there == new_pupil || self.resolve(pupil) == self.resolve(new_pupil) =>
            {
                Ok(false)
            }
            Some(_) => {
                let detail = "became another id before: push the change from that one";
                Err(problem("pupil", detail.to_owned()))
            }
        }
    }

    pub(super) fn add(&mut self, pupil: Hash, new_pupil: Hash) {
        self.0.insert(pupil, new_pupil);
    }
}

/// Writes a pupil's new hash wherever the old one is.
pub(super) async fn rekey(
    tx: &mut Tx,
    trust_id: TrustId,
    aliases: &mut Aliases,
    (pupil, new_pupil): (Hash, Hash),
) -> Result<Rekeyed> {
    match aliases.admit(pupil, new_pupil) {
        Ok(true) => {}
        Ok(false) => return Ok(Rekeyed::Unchanged),
        Err(problem) => return Ok(Rekeyed::Refused(vec![problem])),
    }
    let target = aliases.resolve(new_pupil);
    let old_at: BTreeSet<SchoolId> =
        store::roll::naming(tx, trust_id, &pupil).await?.into_iter().collect();
    let ids: Vec<SchoolId> = old_at.into_iter().collect();
    let mut rolls = store::roll::of_schools(tx, &ids).await?;
    rolls.retain(|(_, roll)| roll.index(&pupil).is_some());
    let mut moved = Vec::new();
    let mut problems = Vec::new();
    for (school_id, roll) in rolls.iter().filter(|(_, roll)| roll.index(&target).is_some()) {
        let from = super::book::FIRST;
        let range = Range { school_id: *school_id, from, to: super::book::LAST };
        let registers = store::register::within(tx, &[range]).await?;
        match merge(*school_id, roll, &registers, (pupil, target)) {
            Ok(records) => moved.extend(records),
            Err(found) => problems.extend(found),
        }
    }
    let old = store::fact::of_people_anywhere(tx, &[(trust_id, pupil)]).await?;
    let new = store::fact::of_people_anywhere(tx, &[(trust_id, target)]).await?;
    match move_facts(&old, &new, target) {
        Ok(records) => moved.extend(records),
        Err(found) => problems.extend(found),
    }
    if !problems.is_empty() {
        return Ok(Rekeyed::Refused(problems));
    }
    let is_known = !rolls.is_empty()
        || !old.is_empty()
        || !new.is_empty()
        || !store::roll::naming(tx, trust_id, &target).await?.is_empty();
    let mut renamed = Vec::new();
    for (school_id, roll) in &mut rolls {
        if roll.rename(&pupil, target) {
            renamed.push((*school_id, trust_id, &*roll));
        }
    }
    // Nothing of a roll as it was read is of a push under way.
    store::roll::put_all(tx, &renamed, &|_| 0).await?;
    store::pupil::rename(tx, trust_id, &pupil, &target).await?;
    aliases.add(pupil, new_pupil);
    Ok(if is_known { Rekeyed::Moved(moved) } else { Rekeyed::Ahead })
}

/// The records by which one pupil of a school becomes another, or what does not agree.
fn merge(
    school_id: SchoolId,
    roll: &Roll,
    registers: &[(Slot, Register)],
    (pupil, new_pupil): (Hash, Hash),
) -> Result<Vec<(SchoolId, Body<Hash>)>, Vec<Problem>> {
    let (Some(old), Some(new)) = (roll.index(&pupil), roll.index(&new_pupil)) else {
        return Ok(Vec::new());
    };
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    for held in roll.held(old) {
        let enrolment = &held.enrolment;
        let same = roll.held(new).iter().find(|it| it.enrolment.starts_on == enrolment.starts_on);
        match same {
            Some(it) if it.enrolment != *enrolment => {
                let detail = format!(
                    "both ids have an enrolment from {}, and they differ",
                    enrolment.starts_on
                );
                problems.push(problem("newPupil", detail));
            }
            Some(_) => {}
            None => records.push(enrol(school_id, new_pupil, enrolment.clone(), false)),
        }
        records.push(enrol(school_id, pupil, enrolment.clone(), true));
    }
    for (slot, register) in registers {
        let Some(code) = register.code(old) else { continue };
        let there = register.code(new);
        if there.is_some_and(|it| it != code) {
            let detail =
                format!("both ids have a mark on {} {}, and they differ", slot.date, slot.session);
            problems.push(problem("newPupil", detail));
            continue;
        }
        let marks = vec![Mark { pupil: new_pupil, code: Some(code) }, Mark { pupil, code: None }];
        let Slot { date, session, .. } = *slot;
        records.push((school_id, Body::Register { urn: String::new(), date, session, marks }));
    }
    if problems.is_empty() { Ok(records) } else { Err(problems) }
}

/// The records by which a pupil's facts become another's, or what does not agree.
fn move_facts(
    old: &[(FactKey, KeptFact)],
    new: &[(FactKey, KeptFact)],
    target: Hash,
) -> Result<Vec<(SchoolId, Body<Hash>)>, Vec<Problem>> {
    let there: BTreeMap<&FactKey, &KeptFact> = new.iter().map(|(key, it)| (key, it)).collect();
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    for (key, fact) in old.iter().filter(|it| it.1.content.is_of_pupil()) {
        let said = fact.record(key, Some(target), false);
        let other = there.get(&FactKey::of(key.school_id, &said));
        if other.is_some_and(|it| it.content != fact.content) {
            let detail = format!(
                "both ids have one of the {} of {}, and they differ",
                key.kind.unit(),
                fact.on
            );
            problems.push(problem("newPupil", detail));
            continue;
        }
        let body = |fact| Body::Fact { urn: String::new(), fact };
        if key.kind.is_keyed_by_person() {
            records.push((key.school_id, body(fact.record(key, fact.person, true))));
        }
        records.push((key.school_id, body(said)));
    }
    if problems.is_empty() { Ok(records) } else { Err(problems) }
}

fn enrol(
    school_id: SchoolId,
    pupil: Hash,
    enrolment: crate::domain::Enrolment,
    deleted: bool,
) -> (SchoolId, Body<Hash>) {
    (school_id, Body::Enrolment { urn: String::new(), pupil, enrolment, deleted })
}

fn problem(field: &str, detail: String) -> Problem {
    let pointer = format!("/{}/{field}", Kind::PupilKeyChange.field());
    Problem { pointer, fault: Fault::new(Reason::PupilsConflict, detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_lead_on_and_never_back() {
        let hash = |it: u8| -> Hash { [it; 16] };
        let mut aliases = Aliases::new([(hash(1), hash(2))]);
        assert_eq!(aliases.resolve(hash(1)), hash(2));
        assert!(matches!(aliases.admit(hash(1), hash(2)), Ok(false)));
        assert!(matches!(aliases.admit(hash(2), hash(3)), Ok(true)));
        assert!(aliases.admit(hash(2), hash(1)).is_err());
        assert!(aliases.admit(hash(4), hash(4)).is_err());
        assert!(aliases.admit(hash(1), hash(5)).is_err());
        aliases.add(hash(2), hash(3));
        assert_eq!(aliases.resolve(hash(1)), hash(3));
        assert!(matches!(aliases.admit(hash(1), hash(3)), Ok(false)));
        assert!(aliases.admit(hash(3), hash(1)).is_err());
    }
}
