use std::collections::HashMap;

use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Result};

/// A pupil's id as a vendor gave it, hashed with the trust's key.
pub(crate) type Hash = [u8; 16];

/// The numbers of those pupils that have one. Many at once, which each dialect has its own way to ask.
pub(crate) async fn numbers(
    tx: &mut Tx,
    trust_id: TrustId,
    hashes: &[Hash],
) -> Result<HashMap<Hash, i32>> {
    let rows: Vec<(Vec<u8>, i32)> = match tx {
        Tx::Sqlite(tx) => {
            let hashes: Vec<_> = hashes.iter().map(hex).collect();
            sqlx::query_as(
                "SELECT hash, number FROM pupil
                 WHERE trust_id = $1 AND hash IN (SELECT unhex(value) FROM json_each($2))",
            )
            .bind(trust_id)
            .bind(serde_json::to_string(&hashes).map_err(Error::internal)?)
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => {
            sqlx::query_as("SELECT hash, number FROM pupil WHERE trust_id = $1 AND hash = ANY($2)")
                .bind(trust_id)
                .bind(hashes.iter().map(|it| it.to_vec()).collect::<Vec<_>>())
                .fetch_all(&mut **tx)
                .await?
        }
    };
    rows.into_iter()
        .map(|(hash, number)| match Hash::try_from(hash) {
            Ok(hash) => Ok((hash, number)),
            Err(_) => Err(Error::internal("a pupil's hash has another length")),
        })
        .collect()
}

/// The highest number in use; 0 in a trust without pupils.
pub(crate) async fn last_number(tx: &mut Tx, trust_id: TrustId) -> Result<i32> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT coalesce(max(number), 0) FROM pupil WHERE trust_id = $1"
    )
    .bind(trust_id)
    .fetch_one(c)
    .await)?)
}

pub(crate) async fn insert(tx: &mut Tx, trust_id: TrustId, pupils: &[(i32, Hash)]) -> Result<()> {
    match tx {
        Tx::Sqlite(tx) => {
            let rows: Vec<_> = pupils.iter().map(|(number, hash)| (number, hex(hash))).collect();
            sqlx::query(
                "INSERT INTO pupil (trust_id, number, hash)
                 SELECT $1, value ->> 0, unhex(value ->> 1) FROM json_each($2)",
            )
            .bind(trust_id)
            .bind(serde_json::to_string(&rows).map_err(Error::internal)?)
            .execute(&mut **tx)
            .await?;
        }
        Tx::Postgres(tx) => {
            let (numbers, hashes): (Vec<_>, Vec<_>) =
                pupils.iter().map(|(number, hash)| (*number, hash.to_vec())).unzip();
            sqlx::query(
                "INSERT INTO pupil (trust_id, number, hash)
                 SELECT $1, number, hash FROM unnest($2::integer[], $3::bytea[]) AS new (number, hash)",
            )
            .bind(trust_id)
            .bind(numbers)
            .bind(hashes)
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
}

/// Forgets the hash, so that nothing leads back to the pupil.
pub(crate) async fn delete(tx: &mut Tx, trust_id: TrustId, number: i32) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM pupil WHERE trust_id = $1 AND number = $2")
        .bind(trust_id)
        .bind(number)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

fn hex(hash: &Hash) -> String {
    format!("{:032x}", u128::from_be_bytes(*hash))
}
