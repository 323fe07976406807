//! The facts that pushes touch, read beforehand, changed record by record, and what must be stored after.
//!
//! What they count as is a function of the facts and enrolments that hold, whatever order they came in: a pupil's fact
//! of a day the pupil is not on roll is kept, counts in nothing, and counts the moment an enrolment covers it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use identity::{SchoolId, TrustId};
use rpc::{Fault, Reason};

use super::{
    Content, Fact, ReportedObservation, Stated,
    cell::{Bundle, CellKey, Counted, Sums},
};
use crate::domain::{Hash, Kind, Outcome, Standing};

/// A fact's natural key, in full.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactKey {
    pub school_id: SchoolId,
    pub kind: Kind,
    /// With the person's hash in front, in hexadecimal digits, where the person is part of it.
    pub key: String,
}

/// A fact as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptFact {
    pub trust_id: TrustId,
    pub person: Option<Hash>,
    pub on: NaiveDate,
    pub content: Content,
    /// What a pupil counts under that day; none where no pupil is spoken of, and while the fact waits for an enrolment.
    pub standing: Option<Standing>,
}

/// A fact before and after the pushes.
#[derive(Clone, Debug)]
struct Entry {
    before: Option<KeptFact>,
    now: Option<KeptFact>,
    /// The push that changed it last; none where no more changed than what its pupil counts under.
    push: Option<usize>,
}

/// A fact to be stored, or none where it is to be no more, with the push that changed it last; without one where no more
/// changed than what its pupil counts under.
#[derive(Clone, Copy, Debug)]
pub struct ChangedFact<'a> {
    pub key: &'a FactKey,
    pub before: Option<&'a KeptFact>,
    pub now: Option<&'a KeptFact>,
    pub push: Option<usize>,
}

#[derive(Debug, Default)]
pub struct Facts {
    entries: BTreeMap<FactKey, Entry>,
}

impl FactKey {
    pub fn of(school_id: SchoolId, fact: &Fact<Hash>) -> Self {
        let key = match &fact.person {
            Some(person) if fact.kind.is_keyed_by_person() => {
                format!("{:032x}/{}", u128::from_be_bytes(*person), fact.key)
            }
            _ => fact.key.clone(),
        };
        Self { school_id, kind: fact.kind, key }
    }
}

impl KeptFact {
    /// The record that says it, or takes it back, of the same person or another.
    pub fn record(&self, key: &FactKey, person: Option<Hash>, deleted: bool) -> Fact<Hash> {
        let own = match (&self.person, key.kind.is_keyed_by_person()) {
            (Some(_), true) => key.key.split_once('/').map_or("", |it| it.1),
            _ => key.key.as_str(),
        };
        let content = match (&self.content, deleted) {
            (content, false) => Some(content.clone()),
            // Its revision stays, so that an older one that comes late is still without effect.
            (Content::Observation(it), true) => {
                let withdrawn = ReportedObservation { stated: Stated::Withdrawn, ..it.clone() };
                Some(Content::Observation(withdrawn))
            }
            (_, true) => None,
        };
        Fact { kind: key.kind, person, on: self.on, key: own.to_owned(), content }
    }

    /// Whether it is kept only for its revision.
    pub fn is_withdrawn(&self) -> bool {
        matches!(&self.content, Content::Observation(it) if it.is_withdrawn())
    }

    /// Whether it waits for its pupil's enrolment.
    pub fn waits(&self) -> bool {
        self.content.is_of_pupil() && self.person.is_some() && self.standing.is_none()
    }
}

impl Facts {
    /// A fact as it is stored.
    pub fn open(&mut self, key: FactKey, fact: KeptFact) {
        let entry = Entry { before: Some(fact.clone()), now: Some(fact), push: None };
        self.entries.entry(key).or_insert(entry);
    }

    /// Enters one record.
    pub fn apply(
        &mut self,
        push: usize,
        trust_id: TrustId,
        school_id: SchoolId,
        fact: &Fact<Hash>,
    ) -> Outcome {
        let key = FactKey::of(school_id, fact);
        let now = self.entries.get(&key).and_then(|it| it.now.as_ref());
        let Some(content) = &fact.content else {
            if now.is_none() {
                return Outcome::Unchanged;
            }
            self.put(push, key, None);
            return Outcome::Corrected;
        };
        let same = |it: &KeptFact| it.content == *content && it.person == fact.person;
        if now.is_some_and(|it| same(it) || supersedes(&it.content, content)) {
            return Outcome::Unchanged;
        }
        let outcome = if now.is_some() { Outcome::Corrected } else { Outcome::Accepted };
        let (person, on, content) = (fact.person, fact.on, content.clone());
        self.put(push, key, Some(KeptFact { trust_id, person, on, content, standing: None }));
        outcome
    }

    /// Facts of a kind that wait for a pupil's enrolment at a school on a day.
    pub fn waiting(
        &self,
        (school_id, kind): (SchoolId, Kind),
        pupil: &Hash,
        on: NaiveDate,
    ) -> Vec<Fact<Hash>> {
        let held =
            self.entries.iter().filter(|(key, _)| (key.school_id, key.kind) == (school_id, kind));
        let held = held.filter_map(|(key, it)| Some((key, it.now.as_ref()?)));
        let waiting =
            held.filter(|(_, it)| it.waits() && it.on == on && it.person.as_ref() == Some(pupil));
        waiting.map(|(key, it)| it.record(key, it.person, true)).collect()
    }

    /// Forgets every fact of a pupil; whether there were any.
    pub fn forget(&mut self, push: usize, trust_id: TrustId, pupil: &Hash) -> bool {
        let of = |it: &KeptFact| it.trust_id == trust_id && it.person.as_ref() == Some(pupil);
        let held = self.entries.iter().filter(|(_, it)| it.now.as_ref().is_some_and(of));
        let keys: Vec<_> = held.map(|(key, _)| key.clone()).collect();
        let any = !keys.is_empty();
        for key in keys {
            self.put(push, key, None);
        }
        any
    }

    /// Finds what every pupil counts under. Once, when every record is in; `standing` knows the rolls of all schools a
    /// record spoke of.
    pub fn settle(&mut self, standing: impl Fn(SchoolId, &Hash, NaiveDate) -> Option<Standing>) {
        for (key, entry) in &mut self.entries {
            let Some(fact) = &mut entry.now else { continue };
            if let (true, Some(person)) = (fact.content.is_of_pupil(), &fact.person) {
                fact.standing = standing(key.school_id, person, fact.on);
            }
        }
    }

    /// What became of a record in the end, and what is to be said of it, by the field.
    pub fn told(
        &self,
        school_id: SchoolId,
        fact: &Fact<Hash>,
        outcome: Outcome,
    ) -> (Outcome, Option<(&'static str, Fault)>) {
        let key = FactKey::of(school_id, fact);
        let kept = self.entries.get(&key).and_then(|it| it.now.as_ref());
        let (Some(kept), Some(content)) = (kept, &fact.content) else { return (outcome, None) };
        if kept.waits() {
            let detail = "waits for an enrolment of this pupil at the school on that day";
            let fault = Fault::new(Reason::PupilUnknown, detail);
            return (Outcome::Parked, Some(("pupil", fault)));
        }
        if outcome == Outcome::Unchanged && supersedes(&kept.content, content) {
            let detail = "a higher revision is held, and stays";
            return (outcome, Some(("revision", Fault::new(Reason::VersionStale, detail))));
        }
        (outcome, None)
    }

    /// Facts that are otherwise than they were.
    pub fn changed(&self) -> impl Iterator<Item = ChangedFact<'_>> {
        let changed = self.entries.iter().filter(|(_, it)| it.before != it.now);
        changed.map(|(key, it)| ChangedFact {
            key,
            before: it.before.as_ref(),
            now: it.now.as_ref(),
            push: it.push,
        })
    }

    /// By how much the cells of measures move.
    pub fn moves(&self) -> BTreeMap<CellKey, Sums> {
        let mut touched = BTreeSet::new();
        for it in self.changed() {
            touched.extend(it.before.map(|fact| Bundle::of(it.key, fact)));
            touched.extend(it.now.map(|fact| Bundle::of(it.key, fact)));
        }
        let mut before = BTreeMap::<&Bundle, Vec<&KeptFact>>::new();
        let mut now = BTreeMap::<&Bundle, Vec<&KeptFact>>::new();
        for (key, entry) in &self.entries {
            for (fact, bundles) in [(&entry.before, &mut before), (&entry.now, &mut now)] {
                let Some(fact) = fact else { continue };
                if let Some(bundle) = touched.get(&Bundle::of(key, fact)) {
                    bundles.entry(bundle).or_default().push(fact);
                }
            }
        }
        let mut moves = Counted::default();
        for (bundle, facts) in before {
            bundle.count(&facts, &mut |key, sums| moves.add(key, -sums));
        }
        for (bundle, facts) in now {
            bundle.count(&facts, &mut |key, sums| moves.add(key, sums));
        }
        moves.into_cells()
    }

    fn put(&mut self, push: usize, key: FactKey, now: Option<KeptFact>) {
        let none = Entry { before: None, now: None, push: None };
        let entry = self.entries.entry(key).or_insert(none);
        (entry.now, entry.push) = (now, Some(push));
    }
}

/// Whether what is held is a later revision than what came.
fn supersedes(held: &Content, came: &Content) -> bool {
    match (held, came) {
        (Content::Observation(held), Content::Observation(came)) => held.revision > came.revision,
        _ => false,
    }
}
