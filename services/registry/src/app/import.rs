use std::{collections::HashMap, hash::Hash};

use db::Tx;
use rpc::{Ctx, Error, Reason, Result};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::App;
use crate::{
    domain::{
        establishment::{Establishment, EstablishmentStatus},
        import::{Counts, ImportReport, QUARANTINE_SHOWN},
    },
    gias::{self, Content},
    store::{event, import, register},
};

impl App {
    /// Imports a file of the register. All of it is stored, or none.
    pub async fn import(
        &self,
        ctx: &Ctx,
        file: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<ImportReport> {
        if ctx.own_trust().is_some() {
            let detail = "a credential confined to one trust imports no national register";
            return Err(Error::new(Reason::ScopeMissing, detail));
        }
        let (sha256, file) = tokio::task::spawn_blocking(move || {
            let bytes = file.as_ref();
            Ok::<_, Error>((hex(&Sha256::digest(bytes)), gias::read(bytes)?))
        })
        .await
        .map_err(Error::internal)??;
        let (app, ctx2) = (self.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let kind = file.content.file();
                    let counts = store(tx, file.content).await?;
                    let school_changes = app.reconcile(tx, &ctx2, None).await?;
                    let mut quarantine = file.quarantine;
                    let quarantined = u32::try_from(quarantine.len()).unwrap_or(u32::MAX);
                    quarantine.truncate(QUARANTINE_SHOWN);
                    let report = ImportReport {
                        import_id: ctx2.new_id(),
                        file: kind,
                        sha256,
                        rows: file.rows,
                        counts,
                        ignored: file.ignored,
                        quarantined,
                        quarantine,
                        unknown_columns: file.unknown_columns,
                        imported_at: ctx2.now,
                        school_changes,
                    };
                    let version = import::count(tx).await? + 1;
                    import::insert(tx, &report).await?;
                    let draft = event::register_imported(ctx2.new_id(), version, &report);
                    app.journal.record(tx, &ctx2, vec![draft]).await?;
                    Ok(report)
                })
            })
            .await
    }

    /// What an import did, of which a trust sees what it changed in its own schools.
    pub async fn import_report(&self, ctx: &Ctx, import_id: Uuid) -> Result<ImportReport> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let found = import::find(&mut tx, import_id).await?;
        let mut report = found.ok_or_else(|| Error::not_found("import", import_id))?;
        report.school_changes.retain(|it| ctx.within(it.trust_id.0).is_ok());
        Ok(report)
    }
}

/// Stores what differs from what is there.
async fn store(tx: &mut Tx, content: Content) -> Result<Counts> {
    match content {
        Content::Establishments(mut rows, stated) => {
            let old = register::establishments(tx).await?;
            let old: HashMap<_, _> = old.into_iter().map(|it| (it.urn.clone(), it)).collect();
            for row in &mut rows {
                if let Some(old) = old.get(&row.urn) {
                    stated.complete(row, old);
                }
            }
            let closed = |it: &Establishment| it.status == EstablishmentStatus::Closed;
            let (counts, rows) = compare(rows, &old, |it| it.urn.clone(), closed);
            register::put_establishments(tx, &rows).await?;
            Ok(counts)
        }
        Content::Links(rows) => {
            let key = |it: &crate::domain::establishment::Link| {
                (it.urn.clone(), it.link_urn.clone(), it.kind.clone())
            };
            let old = register::links(tx).await?;
            let old: HashMap<_, _> = old.into_iter().map(|it| (key(&it), it)).collect();
            let (counts, rows) = compare(rows, &old, key, |_| false);
            register::put_links(tx, &rows).await?;
            Ok(counts)
        }
        Content::Groups(rows) => {
            let key = |it: &crate::domain::establishment::Group| it.group_uid.clone();
            let old = register::groups(tx).await?;
            let old: HashMap<_, _> = old.into_iter().map(|it| (key(&it), it)).collect();
            let (counts, rows) = compare(rows, &old, key, |it| it.status == "Closed");
            register::put_groups(tx, &rows).await?;
            Ok(counts)
        }
        Content::Memberships(rows) => {
            let key = |it: &crate::domain::establishment::Membership| it.urn.clone();
            let old = register::memberships(tx).await?;
            let old: HashMap<_, _> = old.into_iter().map(|it| (key(&it), it)).collect();
            let (counts, rows) = compare(rows, &old, key, |it| it.closed);
            register::put_memberships(tx, &rows).await?;
            Ok(counts)
        }
    }
}

/// Counts what is new, different and the same; gives what has to be written.
fn compare<T: PartialEq, K: Hash + Eq>(
    rows: Vec<T>,
    old: &HashMap<K, T>,
    key: impl Fn(&T) -> K,
    closed: impl Fn(&T) -> bool,
) -> (Counts, Vec<T>) {
    let mut counts = Counts::default();
    let mut written = Vec::new();
    for row in rows {
        let was = old.get(&key(&row));
        match was {
            Some(was) if *was == row => {
                counts.unchanged += 1;
                continue;
            }
            Some(_) => counts.changed += 1,
            None => counts.added += 1,
        }
        if closed(&row) && !was.is_some_and(&closed) {
            counts.closed += 1;
        }
        written.push(row);
    }
    (counts, written)
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|it| [it >> 4, it & 15]);
    digits.filter_map(|it| char::from_digit(it.into(), 16)).collect()
}
