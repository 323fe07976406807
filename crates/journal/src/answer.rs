//! Answers kept under idempotency keys, so that a retry is given what the first request was.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Duration, Utc};
use db::{Tx, on};
use rpc::{Ctx, Error, Idempotency, Reason, Result};
use uuid::Uuid;

/// How long an answer is kept for a retry.
const KEPT: Duration = Duration::hours(24);

/// A key a request came under, held while it is being answered.
#[derive(Debug)]
pub(crate) struct Promise {
    client_id: String,
    /// The trust whose data the credential reaches; nil for the platform's own. A client of several trusts may use a key
    /// once for each.
    trust_id: Uuid,
    idempotency: Idempotency,
    now: DateTime<Utc>,
    keys: Keys,
}

/// The keys whose requests are being answered in this process.
pub(crate) type Keys = Arc<Mutex<HashSet<(String, Uuid, String)>>>;

impl Promise {
    /// Nothing when the request came under no key; refused while another request under it is being answered.
    pub(crate) fn enter(keys: &Keys, ctx: &Ctx) -> Result<Option<Self>> {
        let Some(idempotency) = ctx.idempotency.clone() else { return Ok(None) };
        let client_id = ctx.caller.client_id.clone();
        let trust_id = ctx.own_trust().unwrap_or_default();
        let key = (client_id.clone(), trust_id, idempotency.key.clone());
        if !keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
            return Err(in_flight());
        }
        Ok(Some(Self { client_id, trust_id, idempotency, now: ctx.now, keys: Arc::clone(keys) }))
    }

    /// What was answered before, refusing a key that was used for another request.
    pub(crate) async fn answered(&self, tx: &mut Tx) -> Result<Option<String>> {
        let stored: Option<(Vec<u8>, String)> = on!(tx, |c| {
            sqlx::query_as(
            "SELECT request, answer FROM answer WHERE client_id = $1 AND trust_id = $2 AND key = $3"
        )
        .bind(&self.client_id)
        .bind(self.trust_id)
        .bind(&self.idempotency.key)
        .fetch_optional(c)
        .await
        })?;
        match stored {
            Some((request, _)) if request != self.idempotency.request => {
                let detail = "this idempotency key was used for another request; take a new one";
                Err(Error::new(Reason::IdempotencyKeyReused, detail))
            }
            stored => Ok(stored.map(|it| it.1)),
        }
    }

    pub(crate) async fn keep(&self, tx: &mut Tx, answer: String) -> Result<()> {
        on!(tx, |c| sqlx::query(
            "INSERT INTO answer (client_id, trust_id, key, request, answer, answered_at)
             VALUES ($1, $2, $3, $4, $5, $6)"
        )
        .bind(&self.client_id)
        .bind(self.trust_id)
        .bind(&self.idempotency.key)
        .bind(self.idempotency.request.to_vec())
        .bind(answer)
        .bind(self.now)
        .execute(c)
        .await
        .map(drop))
        .map_err(|error| match error.as_database_error() {
            // Another replica answered the same key meanwhile.
            Some(it) if it.is_unique_violation() => in_flight().caused_by(error),
            _ => error.into(),
        })
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let client_id = std::mem::take(&mut self.client_id);
        let key = (client_id, self.trust_id, std::mem::take(&mut self.idempotency.key));
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

fn in_flight() -> Error {
    Error::new(Reason::IdempotencyInFlight, "a request with this idempotency key is being answered")
}

/// Forgets old answers, once an hour.
pub(crate) async fn purge(tx: &mut Tx, purged: &mut Option<DateTime<Utc>>) -> Result<()> {
    let now = rpc::now();
    if purged.is_some_and(|it| now - it < Duration::hours(1)) {
        return Ok(());
    }
    on!(tx, |c| sqlx::query("DELETE FROM answer WHERE answered_at < $1")
        .bind(now - KEPT)
        .execute(c)
        .await
        .map(drop))?;
    *purged = Some(now);
    Ok(())
}
