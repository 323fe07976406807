//! Somebody by a vendor's id: hashed, looked up, and whether they were erased.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use db::Tx;
use identity::TrustId;
use rpc::{Fault, Problem, Reason, Result};

use crate::{
    app::{App, rekey::Aliases},
    domain::{Body, ErasureId, Hash, Subject},
    pupil_key::{MasterKeys, TrustKey, mark},
    store::{self, privacy::erasure::Sealed},
};

/// Somebody, as vendors name them.
#[derive(Clone)]
pub(crate) struct Person {
    pub trust_id: TrustId,
    pub subject: Subject,
    /// Never stored.
    pub vendor_id: String,
}

/// Under what hashes somebody is known here.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// By which data is kept now.
    pub hash: Hash,
    /// With every hash that became it.
    pub all: BTreeSet<Hash>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Person").field(&self.subject).finish()
    }
}

impl App {
    /// A trust's keys, as many as its ids are hashed with.
    pub(super) async fn key_of(&self, tx: &mut Tx, trust_id: TrustId) -> Result<TrustKey> {
        let found = store::privacy::pseudonym::of_trusts(tx, &[trust_id]).await?;
        let generation = found.get(&trust_id).map_or(1, |it| it.generation);
        self.keys.of_trust(trust_id, generation)
    }

    pub(super) async fn known(&self, tx: &mut Tx, person: &Person) -> Result<Known> {
        let key = self.key_of(tx, person.trust_id).await?;
        let said = match person.subject {
            Subject::Pupil => key.hash(&person.vendor_id),
            Subject::Staff => key.hash(&format!("staff\u{1f}{}", person.vendor_id)),
        };
        let pairs = store::pupil::aliases(tx, &[person.trust_id]).await?;
        let pairs: Vec<(Hash, Hash)> = pairs.into_iter().map(|it| (it.1, it.2)).collect();
        let aliases = Aliases::new(pairs.iter().copied());
        let hash = aliases.resolve(said);
        let named = pairs.into_iter().flat_map(|it| [it.0, it.1]);
        let mut all: BTreeSet<Hash> = named.filter(|it| aliases.resolve(*it) == hash).collect();
        all.extend([said, hash]);
        Ok(Known { hash, all })
    }
}

/// Whom trusts have erased, so that they stay erased.
#[derive(Default)]
pub(in crate::app) struct Erased {
    trusts: HashMap<TrustId, OfTrust>,
}

struct OfTrust {
    key: TrustKey,
    marks: BTreeSet<i32>,
    seals: BTreeMap<Vec<u8>, ErasureId>,
}

impl Erased {
    /// Whom these trusts erased; asks nothing more of trusts that erased nobody.
    pub(in crate::app) async fn of_trusts(
        tx: &mut Tx,
        keys: &MasterKeys,
        trusts: &[TrustId],
        generation: impl Fn(TrustId) -> u32,
    ) -> Result<Self> {
        let mut erased = Self::default();
        for Sealed { trust_id, seal, mark, erasure_id } in
            store::privacy::erasure::sealed(tx, trusts).await?
        {
            let of_trust = match erased.trusts.entry(trust_id) {
                std::collections::hash_map::Entry::Occupied(it) => it.into_mut(),
                std::collections::hash_map::Entry::Vacant(it) => it.insert(OfTrust {
                    key: keys.of_trust(trust_id, generation(trust_id))?,
                    marks: BTreeSet::new(),
                    seals: BTreeMap::new(),
                }),
            };
            of_trust.marks.insert(mark);
            of_trust.seals.insert(seal, erasure_id);
        }
        Ok(erased)
    }

    /// The erasure by which somebody is gone.
    pub(in crate::app) fn by(&self, trust_id: TrustId, person: &Hash) -> Option<ErasureId> {
        let it = self.trusts.get(&trust_id)?;
        if !it.marks.contains(&mark(person)) {
            return None;
        }
        it.seals.get(&it.key.seal_person(person).ok()?).copied()
    }

    /// Takes people who were erased out of a record, and says whom by their places; a record of nobody else is refused.
    pub(in crate::app) fn strike(
        &self,
        trust_id: TrustId,
        body: &mut Body<Hash>,
    ) -> Result<Vec<Problem>, Vec<Problem>> {
        if !self.trusts.contains_key(&trust_id) {
            return Ok(Vec::new());
        }
        let kind = body.kind();
        let is_gone = |it: &Hash| self.by(trust_id, it).is_some();
        let problem = |pointer: String| Problem { pointer, fault: fault() };
        match body {
            // What is gone may be told to be gone.
            Body::Pupil { deleted: true, .. } => Ok(Vec::new()),
            Body::Register { marks, .. } => {
                let mut notes = Vec::new();
                for (place, it) in marks.iter_mut().enumerate().filter(|it| is_gone(&it.1.pupil)) {
                    it.code = None;
                    notes.push(problem(format!("/{}/marks/{place}/pupil", kind.field())));
                }
                Ok(notes)
            }
            body if body.pupils().any(is_gone) => {
                let field = if kind.names_staff() { "person" } else { "pupil" };
                Err(vec![problem(format!("/{}/{field}", kind.field()))])
            }
            _ => Ok(Vec::new()),
        }
    }
}

fn fault() -> Fault {
    let detail = "was erased: nothing is kept of this person unless the trust lifts the erasure";
    Fault::new(Reason::PersonErased, detail)
}
