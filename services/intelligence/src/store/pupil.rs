use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Result};

use super::hash;
use crate::domain::{Hash, hex};

/// Which of these pupils a vendor told of in a record of their own. Many at once, which each dialect has its own way
/// to ask.
pub(crate) async fn told_of(
    tx: &mut Tx,
    pupils: &[(TrustId, Hash)],
) -> Result<Vec<(TrustId, Hash)>> {
    if pupils.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(TrustId, Vec<u8>)> = match tx {
        Tx::Sqlite(tx) => {
            let rows: Vec<_> =
                pupils.iter().map(|it| (it.0.0.simple().to_string(), hex(&it.1))).collect();
            sqlx::query_as(
                "SELECT trust_id, hash FROM json_each($1) CROSS JOIN pupil
                     ON trust_id = unhex(value ->> 0) AND hash = unhex(value ->> 1)",
            )
            .bind(serde_json::to_string(&rows).map_err(Error::internal)?)
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => sqlx::query_as(
            "SELECT trust_id, hash FROM unnest($1::uuid[], $2::bytea[]) AS asked (trust_id, hash)
                 JOIN pupil USING (trust_id, hash)",
        )
        .bind(pupils.iter().map(|it| it.0.0).collect::<Vec<_>>())
        .bind(pupils.iter().map(|it| it.1.as_slice()).collect::<Vec<_>>())
        .fetch_all(&mut **tx)
        .await?,
    };
    rows.into_iter().map(|(trust_id, it)| Ok((trust_id, hash(it)?))).collect()
}

/// Keeps pupils, each with the journal's position of the push that told of it.
pub(crate) async fn insert_all(tx: &mut Tx, pupils: &[(TrustId, Hash, i64)]) -> Result<()> {
    match tx {
        Tx::Sqlite(tx) => {
            for (trust_id, hash, changed) in pupils {
                sqlx::query("INSERT INTO pupil (trust_id, hash, changed) VALUES ($1, $2, $3)")
                    .bind(trust_id)
                    .bind(hash.as_slice())
                    .bind(changed)
                    .execute(&mut **tx)
                    .await?;
            }
        }
        Tx::Postgres(tx) if !pupils.is_empty() => {
            sqlx::query(
                "INSERT INTO pupil (trust_id, hash, changed)
                 SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bigint[])",
            )
            .bind(pupils.iter().map(|it| it.0.0).collect::<Vec<_>>())
            .bind(pupils.iter().map(|it| it.1.as_slice()).collect::<Vec<_>>())
            .bind(pupils.iter().map(|it| it.2).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        }
        Tx::Postgres(_) => {}
    }
    Ok(())
}

/// Forgets the hash, so that nothing leads back to the pupil.
pub(crate) async fn delete(tx: &mut Tx, trust_id: TrustId, pupil: &Hash) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM pupil WHERE trust_id = $1 AND hash = $2")
        .bind(trust_id)
        .bind(pupil.as_slice())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Names a pupil otherwise who was told of in a record of their own.
pub(crate) async fn rename(
    tx: &mut Tx,
    trust_id: TrustId,
    pupil: &Hash,
    new_pupil: &Hash,
) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "UPDATE pupil SET hash = $3 WHERE trust_id = $1 AND hash = $2
             AND NOT EXISTS (SELECT 1 FROM pupil AS other WHERE other.trust_id = $1 AND other.hash = $3)"
    )
    .bind(trust_id)
    .bind(pupil.as_slice())
    .bind(new_pupil.as_slice())
    .execute(c)
    .await
    .map(drop)
    })?;
    delete(tx, trust_id, pupil).await
}

/// What pupils of these trusts are named now: trust, before, now.
pub(crate) async fn aliases(tx: &mut Tx, trusts: &[TrustId]) -> Result<Vec<(TrustId, Hash, Hash)>> {
    let ids: Vec<_> = trusts.iter().map(|it| it.0).collect();
    let sql = "SELECT trust_id, pupil, new_pupil FROM pupil_alias WHERE trust_id = ANY($1)";
    let rows: Vec<(TrustId, Vec<u8>, Vec<u8>)> = db::fetch_any(tx, sql, &ids).await?;
    rows.into_iter().map(|(trust, old, new)| Ok((trust, hash(old)?, hash(new)?))).collect()
}

/// Keeps that a pupil is named otherwise since a position.
pub(crate) async fn alias(
    tx: &mut Tx,
    trust_id: TrustId,
    (pupil, new_pupil): (&Hash, &Hash),
    changed: i64,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO pupil_alias (trust_id, pupil, new_pupil, changed) VALUES ($1, $2, $3, $4)"
    )
    .bind(trust_id)
    .bind(pupil.as_slice())
    .bind(new_pupil.as_slice())
    .bind(changed)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Forgets that a pupil is named otherwise.
pub(crate) async fn forget_alias(tx: &mut Tx, trust_id: TrustId, pupil: &Hash) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM pupil_alias WHERE trust_id = $1 AND pupil = $2")
        .bind(trust_id)
        .bind(pupil.as_slice())
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Forgets every change of a key that leads from a pupil or to them; says how many.
pub(crate) async fn forget_aliases(tx: &mut Tx, trust_id: TrustId, pupil: &Hash) -> Result<u64> {
    Ok(on!(tx, |c| sqlx::query(
        "DELETE FROM pupil_alias WHERE trust_id = $1 AND (pupil = $2 OR new_pupil = $2)"
    )
    .bind(trust_id)
    .bind(pupil.as_slice())
    .execute(c)
    .await?
    .rows_affected()))
}

/// Gives every pupil of a trust another hash, and every hash that became another.
pub(crate) async fn rename_all(
    tx: &mut Tx,
    trust_id: TrustId,
    name: impl Fn(Hash) -> Hash,
) -> Result<()> {
    let told: Vec<Vec<u8>> =
        on!(&mut *tx, |c| sqlx::query_scalar("SELECT hash FROM pupil WHERE trust_id = $1")
            .bind(trust_id)
            .fetch_all(c)
            .await)?;
    for column in told {
        let now = name(hash(column.clone())?);
        let sql = "UPDATE pupil SET hash = $3 WHERE trust_id = $1 AND hash = $2";
        on!(&mut *tx, |c| sqlx::query(sql)
            .bind(trust_id)
            .bind(column)
            .bind(now.as_slice())
            .execute(c)
            .await
            .map(drop))?;
    }
    for (_, pupil, new_pupil) in aliases(tx, &[trust_id]).await? {
        let sql =
            "UPDATE pupil_alias SET pupil = $3, new_pupil = $4 WHERE trust_id = $1 AND pupil = $2";
        on!(&mut *tx, |c| sqlx::query(sql)
            .bind(trust_id)
            .bind(pupil.as_slice())
            .bind(name(pupil).as_slice())
            .bind(name(new_pupil).as_slice())
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}
