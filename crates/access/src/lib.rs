//! Who may do what, as every service knows it: a copy of the registry's clients, grants and identity providers, never
//! older than a minute. A request is judged by its token and by this copy, so that what is withdrawn or revoked is
//! refused everywhere without asking anybody.

mod known;
mod people;
mod roles;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::NaiveDate;
use contract::registry::{GetDirectoryRequest, access_service_client::AccessServiceClient};
use futures::{FutureExt, future::BoxFuture};
use rpc::{
    Caller, Error, Peer, Reason, Result,
    auth::{Admitted, Authority},
    token::{Keys, Token},
};
use uuid::Uuid;

pub use self::people::{Outward, People};
use self::{known::Known, roles::Provider};

/// How often it is asked what has changed.
const EVERY: Duration = Duration::from_secs(5);
/// The same until the first answer has come.
const FIRST: Duration = Duration::from_millis(500);
/// How soon it is asked again on behalf of somebody whose identity provider is not known: anybody can claim one.
const CLAIMED: Duration = Duration::from_secs(1);
/// The age from which on nothing is judged by what is known.
const STALE: Duration = Duration::from_mins(1);
/// How long an answer of the registry is waited for.
const PATIENCE: Duration = Duration::from_secs(4);
/// The largest answer, in bytes.
const ANSWER: usize = 256 << 20;
/// Callers remembered at the most; beyond, all are forgotten.
const REMEMBERED: usize = 10_000;

/// The directory of one process.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    keys: Keys,
    registry: Peer,
    people: People,
    state: Mutex<State>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    known: Known,
    /// When what is known was asked for, on both clocks; none before the first answer.
    asked: Option<(Instant, i64)>,
    /// Grows with every change.
    generation: u64,
    /// Who holds a token, by its id, as of a generation and a day.
    callers: HashMap<String, (u64, NaiveDate, Caller)>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Directory")
    }
}

impl Directory {
    /// Knows nothing until it was refreshed. `registry` answers to a caller with the scope `directory:read`.
    pub fn new(keys: Keys, registry: Peer, people: People) -> Self {
        let (state, asking) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Inner { keys, registry, people, state, asking }))
    }

    /// Keeps the copy young, until it is dropped.
    pub async fn keep(self) {
        let mut failing = false;
        loop {
            match self.refresh(Instant::now()).await {
                Ok(()) => failing = false,
                Err(error) if !std::mem::replace(&mut failing, true) => {
                    tracing::warn!(%error, "the registry does not say who may do what");
                }
                Err(_) => {}
            }
            let wait = if self.state().asked.is_some() { EVERY } else { FIRST };
            tokio::time::sleep(wait).await;
        }
    }

    /// Asks what has changed, unless that was asked at this time or later.
    pub async fn refresh(&self, since: Instant) -> Result<()> {
        let _turn = self.0.asking.lock().await;
        if self.state().asked.is_some_and(|(at, _)| at >= since) {
            return Ok(());
        }
        let after = Some(self.state().known.position).filter(|it| *it > 0);
        let asked = (Instant::now(), rpc::now().timestamp());
        let client = AccessServiceClient::new(self.0.registry.clone());
        let mut client = client.max_decoding_message_size(ANSWER);
        let answer = client.get_directory(GetDirectoryRequest { after });
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer = answer.map_err(|_| unknown())?.map_err(|status| {
            Error::new(Reason::Unavailable, "the registry does not answer").caused_by(status)
        })?;
        let mut state = self.state();
        if state.known.take(answer.into_inner())? {
            state.generation += 1;
            state.callers.clear();
        }
        state.asked = Some(asked);
        Ok(())
    }

    /// Whether a client may still have a trust's events brought to it. Of callers that are no clients nothing is known here.
    pub fn stands(&self, client_id: &str, trust_id: Uuid) -> Result<bool> {
        let today = calendar::london_date(rpc::now());
        let state = self.state();
        state.fresh()?;
        Ok(state.known.stands(client_id, trust_id, today))
    }

    /// Who holds a token of a client, and what its grants come to now.
    async fn client(&self, token: &Token) -> Result<Caller> {
        let today = calendar::london_date(rpc::now());
        {
            let state = self.state();
            if let Some((generation, day, caller)) = state.callers.get(&token.jti)
                && (*generation, *day) == (state.generation, today)
            {
                state.fresh()?;
                return Ok(caller.clone());
            }
        }
        // It may have been given a moment ago, on grounds that are not known here yet.
        let newer = |it: &State| it.asked.is_none_or(|(_, at)| at <= token.issued_at);
        if newer(&self.state())
            && let Err(error) = self.refresh(Instant::now()).await
        {
            tracing::debug!(%error, "a new token is judged by what was known before");
        }
        let mut state = self.state();
        state.fresh()?;
        let caller = state.known.caller(token, today).ok_or_else(refused)?;
        if state.callers.len() >= REMEMBERED {
            state.callers.clear();
        }
        let entry = (state.generation, today, caller.clone());
        state.callers.insert(token.jti.clone(), entry);
        Ok(caller)
    }

    /// Who a person is whom an identity provider vouches for.
    async fn person(&self, token: &str) -> Result<Caller> {
        let said = people::Said::read(token).ok_or_else(refused)?;
        let mut provider = self.provider(&said)?;
        // It may have been named a moment ago.
        if provider.is_none() && said.issuer != self.0.keys.issuer() {
            let now = Instant::now();
            let asked = self.state().asked.map_or(now, |it| it.0);
            tokio::time::sleep_until((asked + CLAIMED).into()).await;
            if let Err(error) = self.refresh(now).await {
                tracing::debug!(%error, "a person's token is judged by what was known before");
            }
            provider = self.provider(&said)?;
        }
        let provider = provider.ok_or_else(refused)?;
        let claims = self.0.people.verify(token, &said, &provider).await?;
        Ok(provider.caller(&claims))
    }

    fn provider(&self, said: &people::Said) -> Result<Option<Arc<Provider>>> {
        let state = self.state();
        state.fresh()?;
        Ok(state.known.provider(said))
    }

    async fn judge(&self, token: &str) -> Result<Admitted> {
        let caller = match self.0.keys.verify(token) {
            Ok(token) if token.service => return Ok(Admitted::service(&token)),
            Ok(token) => self.client(&token).await?,
            Err(_) => self.person(token).await?,
        };
        Ok(Admitted { caller, watched: true })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority for Directory {
    fn admit<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admitted>> {
        self.judge(token).boxed()
    }
}

impl State {
    fn fresh(&self) -> Result<()> {
        let fresh = self.asked.is_some_and(|(at, _)| at.elapsed() < STALE);
        if fresh { Ok(()) } else { Err(unknown()) }
    }
}

fn refused() -> Error {
    Error::new(Reason::Unauthenticated, "the token is not valid")
}

fn unknown() -> Error {
    let detail =
        "who may do what is not known just now, for the registry does not answer; try again";
    Error::new(Reason::Unavailable, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// threat: T-OLD-GRANT
    #[test]
    fn nobody_is_let_in_on_old_knowledge() {
        let mut state = State::default();
        assert_eq!(state.fresh().unwrap_err().reason, Reason::Unavailable, "before any answer");
        let Some(old) = Instant::now().checked_sub(STALE) else { return };
        state.asked = Some((old, 0));
        assert_eq!(state.fresh().unwrap_err().reason, Reason::Unavailable);
        state.asked = Some((old + Duration::from_secs(5), 0));
        assert!(state.fresh().is_ok());
    }
}
