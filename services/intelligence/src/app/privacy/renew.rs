//! Making a trust's pseudonyms anew with one more key. Every hash is hashed once more, so nobody needs the ids they came
//! from, and nothing of a trust is of two generations at a time.

use chrono::{DateTime, Utc};
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Ctx, Result};

use crate::{
    app::App,
    domain::{Hash, hex, unhex},
    pupil_key::{TrustKey, mark},
    store::{
        self,
        privacy::{erasure::Sealed, pseudonym::Generation},
    },
};

impl App {
    /// With how many keys a trust's ids are hashed, and how many there are.
    pub(crate) async fn pseudonyms(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
    ) -> Result<(Option<Generation>, u32)> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let found = store::privacy::pseudonym::of_trusts(&mut tx, &[trust_id]).await?;
        Ok((found.get(&trust_id).copied(), self.keys.newest()))
    }

    /// How many keys there are, and with how many the ids of each trust are hashed.
    pub async fn generations(&self) -> Result<(u32, Vec<(uuid::Uuid, u32)>)> {
        let mut tx = self.journal.db().read().await?;
        let trusts = store::privacy::retention::trusts(&mut tx).await?;
        let there = store::privacy::pseudonym::of_trusts(&mut tx, &trusts).await?;
        let of = |it: TrustId| (it.0, there.get(&it).map_or(1, |it| it.generation));
        Ok((self.keys.newest(), trusts.into_iter().map(of).collect()))
    }

    /// Takes the newest key on for every trust that has not; says how many are left, for they have pushes under way.
    pub async fn renew_pseudonyms(&self, now: DateTime<Utc>) -> Result<usize> {
        if self.keys.newest() < 2 {
            return Ok(0);
        }
        let mut tx = self.journal.db().read().await?;
        let trusts = store::privacy::retention::trusts(&mut tx).await?;
        let there = store::privacy::pseudonym::of_trusts(&mut tx, &trusts).await?;
        tx.rollback().await?;
        let newest = self.keys.newest();
        let is_behind = |it: &TrustId| there.get(it).map_or(1, |it| it.generation) < newest;
        let (mut left, mut any) = (0, false);
        for trust_id in trusts.into_iter().filter(is_behind) {
            let ctx = Ctx { now, ..Ctx::system(crate::NAME) };
            let (app, context) = (self.clone(), ctx.clone());
            let renewed = self
                .journal
                .write(&ctx, move |tx| {
                    Box::pin(async move { app.renew(tx, &context, trust_id).await })
                })
                .await?;
            any |= renewed;
            left += usize::from(!renewed);
        }
        if any {
            // The hashes of before are in the files still.
            self.journal.db().scrub(&super::scrub::TABLES).await?;
        }
        Ok(left)
    }

    async fn renew(&self, tx: &mut Tx, ctx: &Ctx, trust_id: TrustId) -> Result<bool> {
        journal::lock(tx).await?;
        // Parts of snapshots remember what they named by hashes of before.
        if store::work::is_under_way(tx, trust_id).await? {
            return Ok(false);
        }
        let found = store::privacy::pseudonym::of_trusts(tx, &[trust_id]).await?;
        let (generation, version) =
            found.get(&trust_id).map_or((1, 0), |it| (it.generation, it.version));
        let old = self.keys.of_trust(trust_id, generation)?;
        let new = self.keys.of_trust(trust_id, self.keys.newest())?;
        let renewed = |it: Hash| new.renewed(it, generation);
        let schools = store::privacy::retention::first_registers(tx, trust_id).await?;
        let schools: Vec<SchoolId> = schools.into_iter().map(|it| it.0).collect();
        let mut people = 0;
        for school_id in schools {
            let mut rolls = store::roll::of_schools(tx, &[school_id]).await?;
            for (_, roll) in &mut rolls {
                people += roll.rename_all(renewed);
            }
            let rolls: Vec<_> = rolls.iter().map(|it| (it.0, trust_id, &it.1)).collect();
            store::roll::put_all(tx, &rolls, &|_| 0).await?;
        }
        store::pupil::rename_all(tx, trust_id, renewed).await?;
        people += store::fact::rename_all(tx, trust_id, renewed).await?;
        for mut it in store::parked::all_of_trust(tx, trust_id).await? {
            for wait in &mut it.waits {
                wait.pupil = renewed(wait.pupil);
            }
            store::parked::put_waits(tx, &it).await?;
        }
        store::privacy::hold::rename_all(tx, trust_id, renewed).await?;
        seal_again(tx, trust_id, (&old, &new), generation).await?;
        name_results_again(tx, trust_id, renewed).await?;
        let people = u64::try_from(people).unwrap_or(u64::MAX);
        let (generation, event_id) = (new.generation(), ctx.new_id());
        let event = store::privacy::event::pseudonyms_renewed;
        let draft = event(trust_id, (generation, people), version + 1, event_id);
        let recorded = self.journal.record(tx, ctx, vec![draft]).await?;
        let position = recorded.first().map_or(0, |it| it.position);
        // Whoever keeps a copy knows everybody by another name now, and begins again.
        store::change::begin_again(tx, trust_id, position).await?;
        Ok(true)
    }
}

async fn seal_again(
    tx: &mut Tx,
    trust_id: TrustId,
    (old, new): (&TrustKey, &TrustKey),
    generation: u32,
) -> Result<()> {
    let sealed = store::privacy::erasure::sealed(tx, &[trust_id]).await?;
    store::privacy::erasure::unseal(tx, trust_id, None).await?;
    for Sealed { seal, erasure_id, .. } in sealed {
        let person = new.renewed(old.open_person(seal)?, generation);
        let sealed =
            Sealed { trust_id, seal: new.seal_person(&person)?, mark: mark(&person), erasure_id };
        store::privacy::erasure::seal(tx, &sealed).await?;
    }
    Ok(())
}

/// Natural keys that batches tell of name people by their pseudonyms.
async fn name_results_again(
    tx: &mut Tx,
    trust_id: TrustId,
    renewed: impl Fn(Hash) -> Hash,
) -> Result<()> {
    let named = |part: &str| unhex(part).map_or_else(|| part.to_owned(), |it| hex(&renewed(it)));
    for mut found in store::batch::results_with(tx, trust_id, "natural_key").await? {
        for key in found.1.iter_mut().filter_map(|it| it.natural_key.as_mut()) {
            *key = key.split('/').map(named).collect::<Vec<_>>().join("/");
        }
        store::batch::replace_results(tx, &found).await?;
    }
    Ok(())
}
