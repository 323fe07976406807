//! One attempt to tell a target something.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{FutureExt, future::BoxFuture};
use reqwest::{
    Client, Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::RETRY_AFTER,
    redirect,
};
use rpc::{Error, Fault, Result};

use crate::{Policy, Target, target::refused};

/// How long a connection may take, and all of an attempt.
const CONNECTING: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read, and thrown away, so that its connection can be used again.
const ANSWER_BYTES: usize = 4096;
const AGENT: &str = concat!("Headway-Webhooks/", env!("CARGO_PKG_VERSION"));

/// What a target is told.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub at: DateTime<Utc>,
    pub body: Bytes,
    /// The value of `webhook-signature`.
    pub signature: String,
}

/// What came of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub status: Option<u16>,
    pub took: Duration,
    /// Why it is no success; empty when it is.
    pub failure: String,
    /// For how long the target asks to be left alone.
    pub pause: Option<Duration>,
}

impl Outcome {
    pub fn is_success(&self) -> bool {
        self.failure.is_empty()
    }

    /// Whether the target says that it is not there any more.
    pub fn is_gone(&self) -> bool {
        self.status == Some(StatusCode::GONE.as_u16())
    }
}

/// Asks for the addresses of a name.
pub(crate) type LookUp =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Sends messages to targets of one policy.
#[derive(Clone)]
pub struct Sender {
    policy: Policy,
    client: Client,
    guard: Guard,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sender").field(&self.policy).finish()
    }
}

impl Sender {
    pub fn new(policy: Policy) -> Result<Self> {
        Self::asking(policy, Arc::new(|host| look_up(host).boxed()))
    }

    pub(crate) fn asking(policy: Policy, look_up: LookUp) -> Result<Self> {
        let guard = Guard { policy, look_up };
        let client = Client::builder()
            .user_agent(AGENT)
            // A proxy would connect for us, to wherever it finds the name.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(guard.clone()))
            .connect_timeout(CONNECTING)
            .timeout(PATIENCE)
            .pool_max_idle_per_host(1)
            .build()
            .map_err(Error::internal)?;
        Ok(Self { policy, client, guard })
    }

    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Takes a URL whose form is acceptable and whose host has admissible addresses only.
    pub async fn admit(&self, url: &str) -> Result<Target, Fault> {
        let target = Target::parse(url, self.policy)?;
        if target.literal().is_none() {
            let host = target.host().to_owned();
            let found = self.guard.addresses(host).await;
            found.map_err(|it| if it.is_refusal() { refused() } else { unknown() })?;
        }
        Ok(target)
    }

    /// Sends a message. An answer of 2xx within the time is success, anything else is not.
    pub async fn send(&self, url: &str, message: Message) -> Outcome {
        let started = Instant::now();
        let failed = |failure: &str| Outcome {
            failure: failure.to_owned(),
            took: started.elapsed(),
            ..Outcome::default()
        };
        // Asked again each time: the policy may have become narrower, and a literal address meets no resolver.
        let target = match Target::parse(url, self.policy) {
            Ok(target) => target,
            Err(fault) => return failed(&fault.detail),
        };
        let sent = self
            .client
            .post(target.0)
            .header("content-type", "application/cloudevents+json; charset=utf-8")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", message.at.timestamp().to_string())
            .header("webhook-signature", &message.signature)
            .body(message.body)
            .send()
            .await;
        match sent {
            Ok(answer) => {
                let (status, pause) = (answer.status(), pause(&answer, message.at));
                throw_away(answer).await;
                let failure = if status.is_success() {
                    String::new()
                } else if status.is_redirection() {
                    "redirects are not followed: change the webhook's URL".to_owned()
                } else {
                    status.canonical_reason().unwrap_or("not a success").to_owned()
                };
                Outcome { status: Some(status.as_u16()), took: started.elapsed(), failure, pause }
            }
            Err(error) => failed(why(&error)),
        }
    }
}

/// In words that tell the target's owner what to look at, and nothing of our own network.
fn why(error: &reqwest::Error) -> &'static str {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(it) = cause {
        if let Some(unresolved) = it.downcast_ref::<Unresolved>() {
            return if unresolved.is_refusal() {
                "its host leads to an address that is not public"
            } else {
                "its host has no address"
            };
        }
        cause = it.source();
    }
    if error.is_timeout() {
        "no answer within 15 seconds"
    } else if error.is_connect() {
        "no connection, or no TLS that can be trusted"
    } else {
        "the connection broke off, or what came is not HTTP"
    }
}

/// Retry-After, of the answers that mean it.
fn pause(answer: &Response, now: DateTime<Utc>) -> Option<Duration> {
    if answer.status().is_success() {
        return None;
    }
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    (until.to_utc() - now).to_std().ok()
}

/// Reads the little that is read of an answer.
async fn throw_away(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read += chunk.len();
        if read > ANSWER_BYTES {
            return;
        }
    }
}

async fn look_up(host: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((host, 0)).await?.map(|it| it.ip()).collect())
}

/// A resolver that gives no address but such as may be connected to. Whoever connects is given what was checked, so a
/// name that means something else a moment later does no harm.
#[derive(Clone)]
struct Guard {
    policy: Policy,
    look_up: LookUp,
}

/// Why a name cannot be called.
#[derive(Debug)]
enum Unresolved {
    Unknown(io::Error),
    Refused,
}

impl Unresolved {
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown(error) => error.fmt(f),
            Self::Refused => f.write_str("not a public address"),
        }
    }
}

impl std::error::Error for Unresolved {}

impl Guard {
    /// All addresses of a name; refused when one of them is not admissible.
    async fn addresses(&self, host: String) -> Result<Vec<IpAddr>, Unresolved> {
        let found = tokio::time::timeout(CONNECTING, (self.look_up)(host)).await;
        let found = found.unwrap_or_else(|it| Err(it.into())).map_err(Unresolved::Unknown)?;
        if found.is_empty() {
            return Err(Unresolved::Unknown(io::ErrorKind::NotFound.into()));
        }
        if !found.iter().all(|it| self.policy.admits(*it)) {
            return Err(Unresolved::Refused);
        }
        Ok(found)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.addresses(name.as_str().to_owned()).await?;
            let found: Addrs = Box::new(found.into_iter().map(|it| SocketAddr::new(it, 0)));
            Ok(found)
        })
    }
}

fn unknown() -> Fault {
    Fault::invalid("its host has no address")
}

#[cfg(test)]
mod tests;
