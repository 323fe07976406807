//! What the national register means for the trusts here: which schools join, go on under another URN, merge or leave.
//!
//! The outcome follows from the register as a whole, never from the order in which its files arrived: a school that
//! left because it closed is looked at again whenever the register has grown.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use identity::{GroupUid, SchoolId, TrustId, Urn};

use super::{
    establishment::{EstablishmentStatus, Registered},
    import::SchoolChange,
    school::{Details, School},
    trust::Trust,
};

/// Something that happens to a school.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Joined { details: Details },
    Updated { details: Details },
    Converted { previous_urn: Urn, details: Details },
    Merged { urn: Urn, into: SchoolId, into_urn: Urn },
    Left { urn: Urn, closed: bool },
}

/// A change of one school, the school's version after it, and the day it takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub trust_id: TrustId,
    pub school_id: SchoolId,
    pub version: i32,
    pub effective_on: Option<NaiveDate>,
    pub change: Change,
}

/// The part of the register that concerns the trusts here.
#[derive(Debug, Default)]
pub(crate) struct Register {
    pub entries: HashMap<Urn, Registered>,
    /// What followed an establishment, by the links in either direction.
    pub successors: HashMap<Urn, Vec<Urn>>,
    /// Schools that stand for more than an entry of the register: they have units, journeys or an earlier URN.
    pub in_use: HashSet<SchoolId>,
}

/// Decides what the register changes: first what leaves or goes on as another, then what joins.
pub(crate) fn reconcile(
    trusts: &[Trust],
    mut schools: Vec<School>,
    register: &Register,
    today: NaiveDate,
    new_id: impl FnMut() -> SchoolId,
) -> Vec<Step> {
    let in_use = register.in_use.clone();
    let mut work = Work {
        schools: Vec::new(),
        places: HashMap::new(),
        named: HashMap::new(),
        members: HashMap::new(),
        register,
        in_use,
        today,
        new_id,
        steps: Vec::new(),
    };
    schools.sort_by(|a, b| a.urn().cmp(b.urn()));
    work.take_up(schools);
    for trust in trusts {
        let ids: Vec<SchoolId> = work.of(trust.trust_id).map(|it| it.school_id).collect();
        for school_id in ids {
            work.review(trust, school_id);
        }
    }
    for trust in trusts {
        work.join(trust);
    }
    work.steps
}

struct Work<'r, F> {
    /// By URN as they were at first, newcomers behind them.
    schools: Vec<School>,
    /// Where each school is, those that have or had a URN, and those of each trust: England has 22,000.
    places: HashMap<SchoolId, usize>,
    named: HashMap<Urn, BTreeSet<usize>>,
    members: HashMap<TrustId, BTreeSet<usize>>,
    register: &'r Register,
    in_use: HashSet<SchoolId>,
    today: NaiveDate,
    new_id: F,
    steps: Vec<Step>,
}

impl<F: FnMut() -> SchoolId> Work<'_, F> {
    fn take_up(&mut self, schools: Vec<School>) {
        self.schools.clear();
        self.places.clear();
        self.named.clear();
        self.members.clear();
        for school in schools {
            self.add(school);
        }
    }

    fn add(&mut self, school: School) {
        let place = self.schools.len();
        self.places.insert(school.school_id, place);
        self.named.entry(school.urn().clone()).or_default().insert(place);
        self.members.entry(school.trust_id).or_default().insert(place);
        self.schools.push(school);
    }

    fn by_id(&self, school_id: SchoolId) -> Option<&School> {
        self.schools.get(*self.places.get(&school_id)?)
    }

    /// Schools that go by a URN.
    fn by_urn(&self, urn: &Urn) -> impl Iterator<Item = &School> {
        let places = self.named.get(urn).into_iter().flatten();
        places.filter_map(|it| self.schools.get(*it)).filter(move |it| it.urn() == urn)
    }

    fn of(&self, trust_id: TrustId) -> impl Iterator<Item = &School> {
        let places = self.members.get(&trust_id).into_iter().flatten();
        places.filter_map(|it| self.schools.get(*it))
    }

    /// Looks at a school that is here, or closed with nothing known to follow it.
    fn review(&mut self, trust: &Trust, school_id: SchoolId) {
        let Some(school) = self.by_id(school_id).cloned() else { return };
        let Some(entry) = self.register.entries.get(school.urn()) else { return };
        let closed = entry.establishment.status == EstablishmentStatus::Closed;
        if closed && (school.is_here() || school.closed_without_successor()) {
            return self.follow(trust, &school, entry);
        }
        if closed || !school.is_here() {
            return;
        }
        let elsewhere = trust
            .group_uid
            .as_ref()
            .is_some_and(|own| entry.group_uid.as_ref().is_some_and(|it| it != own));
        let details = Details::from(&entry.establishment);
        if elsewhere {
            let change = Change::Left { urn: school.urn().clone(), closed: false };
            self.step(&school, entry.joined_on.or(Some(self.today)), change);
        } else if details != school.details {
            self.step(&school, None, Change::Updated { details });
        }
    }

    /// Finds what became of a school whose establishment has closed.
    fn follow(&mut self, trust: &Trust, school: &School, entry: &Registered) {
        let closed_on = entry.establishment.closed_on;
        let urn = school.urn().clone();
        let Some(successor) = self.successor(&urn, trust) else {
            if school.is_here() {
                let gone = self.open_successor(&urn).is_some();
                let change = Change::Left { urn, closed: !gone };
                self.step(school, closed_on.or(Some(self.today)), change);
            }
            return;
        };
        let establishment = &successor.establishment;
        let details = Details::from(establishment);
        let since = establishment.opened_on.or(closed_on).or(Some(self.today));
        let there = self.of(school.trust_id).find(|it| *it.urn() == details.urn && it.is_here());
        let Some(there) = there.cloned() else {
            return self.convert(school, since, details);
        };
        // It joined as a school of its own before anyone knew whom it followed, and nothing hangs on it yet.
        let double = !self.in_use.contains(&there.school_id)
            && establishment
                .opened_on
                .zip(closed_on)
                .is_some_and(|(opened, closed)| opened >= closed);
        let into_urn = details.urn.clone();
        if double {
            let urn = into_urn.clone();
            let into = school.school_id;
            self.step(&there, since, Change::Merged { urn, into, into_urn });
            let mut others = std::mem::take(&mut self.schools);
            others.retain(|it| it.school_id != there.school_id);
            self.take_up(others);
            self.convert(school, since, details);
        } else {
            let into = there.school_id;
            let on = closed_on.or(Some(self.today));
            self.step(school, on, Change::Merged { urn, into, into_urn });
        }
    }

    /// Lets a school go on under another URN; one that had left joins again on the day it first did.
    fn convert(&mut self, school: &School, since: Option<NaiveDate>, details: Details) {
        let previous_urn = school.urn().clone();
        self.in_use.insert(school.school_id);
        let after =
            self.step(school, since, Change::Converted { previous_urn, details: details.clone() });
        if !school.is_here() {
            self.step(&after, Some(school.joined_on), Change::Joined { details });
        }
    }

    /// The open establishment that followed, if the trust may claim it: its own, or nobody's.
    fn successor(&self, urn: &Urn, trust: &Trust) -> Option<&Registered> {
        let own = |it: &Registered| {
            let ours = self
                .of(trust.trust_id)
                .any(|school| school.is_here() && *school.urn() == it.establishment.urn);
            ours || it.group_uid.is_none() || it.group_uid == trust.group_uid
        };
        let taken = |it: &Registered| {
            self.by_urn(&it.establishment.urn)
                .any(|school| school.trust_id != trust.trust_id && school.is_here())
        };
        self.followers(urn).into_iter().find(|it| own(it) && !taken(it))
    }

    fn open_successor(&self, urn: &Urn) -> Option<&Registered> {
        self.followers(urn).into_iter().next()
    }

    /// Every open establishment that followed, at once or after others that closed in turn, by URN.
    fn followers(&self, urn: &Urn) -> Vec<&Registered> {
        let (mut seen, mut open) = (HashSet::from([urn]), Vec::new());
        let mut frontier = vec![urn];
        while let Some(urn) = frontier.pop() {
            for next in self.register.successors.get(urn).into_iter().flatten() {
                let Some(entry) = self.register.entries.get(next).filter(|_| seen.insert(next))
                else {
                    continue;
                };
                if entry.establishment.status.is_open() {
                    open.push(entry);
                } else if entry.establishment.status == EstablishmentStatus::Closed {
                    frontier.push(next);
                }
            }
        }
        open.sort_by(|a, b| a.establishment.urn.cmp(&b.establishment.urn));
        open
    }

    /// Lets the open establishments of a trust's group join.
    fn join(&mut self, trust: &Trust) {
        let Some(group_uid) = trust.group_uid.clone() else { return };
        let mut members: Vec<_> = self
            .register
            .entries
            .values()
            .filter(|it| belongs(it, &group_uid) && it.establishment.status.is_open())
            .collect();
        members.sort_by(|a, b| a.establishment.urn.cmp(&b.establishment.urn));
        for member in members {
            let urn = &member.establishment.urn;
            let details = Details::from(&member.establishment);
            let joined_on = member.joined_on.or(member.establishment.opened_on);
            let there = self.by_urn(urn).find(|it| it.is_here()).cloned();
            match there {
                // The memberships came later and say when it really joined.
                Some(it) if it.trust_id == trust.trust_id => {
                    let known = member.joined_on.filter(|it| *it <= self.today);
                    if known.is_some_and(|day| day != it.joined_on) {
                        self.step(&it, known, Change::Joined { details });
                    }
                }
                Some(_) => {}
                None => {
                    let school = self.newcomer(trust, &details);
                    self.step(&school, joined_on.or(Some(self.today)), Change::Joined { details });
                }
            }
        }
    }

    /// The school that comes back, or a new one.
    fn newcomer(&mut self, trust: &Trust, details: &Details) -> School {
        let back = self.by_urn(&details.urn).find(|it| it.trust_id == trust.trust_id).cloned();
        back.unwrap_or_else(|| {
            let school = School {
                school_id: (self.new_id)(),
                trust_id: trust.trust_id,
                details: details.clone(),
                joined_on: self.today,
                left_on: Some(self.today),
                merged_into_urn: None,
                version: 0,
            };
            self.add(school.clone());
            school
        })
    }

    /// Notes a step and takes it, so that the next decision sees it; gives the school after it.
    fn step(&mut self, school: &School, effective_on: Option<NaiveDate>, change: Change) -> School {
        let effective_on = effective_on.map(|it| it.min(self.today));
        let mut after = school.clone();
        after.version += 1;
        after.take(&change, effective_on);
        self.steps.push(Step {
            trust_id: school.trust_id,
            school_id: school.school_id,
            version: after.version,
            effective_on,
            change,
        });
        if let Some(place) = self.places.get(&school.school_id)
            && let Some(it) = self.schools.get_mut(*place)
        {
            self.named.entry(after.urn().clone()).or_default().insert(*place);
            *it = after.clone();
        }
        after
    }
}

fn belongs(entry: &Registered, group_uid: &GroupUid) -> bool {
    entry.group_uid.as_ref() == Some(group_uid)
}

impl School {
    /// What a change makes of the school.
    pub fn take(&mut self, change: &Change, effective_on: Option<NaiveDate>) {
        match change {
            Change::Joined { details } => {
                self.details = details.clone();
                self.joined_on = effective_on.unwrap_or(self.joined_on);
                self.left_on = None;
                self.merged_into_urn = None;
            }
            Change::Updated { details } => self.details = details.clone(),
            Change::Converted { details, .. } => {
                self.details = details.clone();
                self.left_on = None;
                self.merged_into_urn = None;
            }
            Change::Merged { into_urn, .. } => {
                self.details.status = EstablishmentStatus::Closed;
                self.left_on = effective_on;
                self.merged_into_urn = Some(into_urn.clone());
            }
            Change::Left { closed, .. } => {
                if *closed {
                    self.details.status = EstablishmentStatus::Closed;
                }
                self.left_on = effective_on;
            }
        }
    }
}

impl Change {
    /// Whether it takes away a second entry for a school that goes on under that same URN.
    pub(crate) fn ends_double(&self) -> bool {
        matches!(self, Self::Merged { urn, into_urn, .. } if urn == into_urn)
    }
}

impl Step {
    /// As a line of the report; nothing for the end of a double, which is no change of a school.
    pub(crate) fn report(&self) -> Option<SchoolChange> {
        let (urn, change, previous_urn) = match &self.change {
            Change::Joined { details } => (&details.urn, "joined", None),
            Change::Updated { details } => (&details.urn, "updated", None),
            Change::Converted { previous_urn, details } => {
                (&details.urn, "converted", Some(previous_urn.clone()))
            }
            Change::Merged { urn, into_urn, .. } => (into_urn, "merged", Some(urn.clone())),
            Change::Left { urn, closed: true } => (urn, "closed", None),
            Change::Left { urn, closed: false } => (urn, "left", None),
        };
        (!self.change.ends_double()).then(|| SchoolChange {
            trust_id: self.trust_id,
            urn: urn.clone(),
            change: change.to_owned(),
            previous_urn,
        })
    }
}

#[cfg(test)]
mod tests;
