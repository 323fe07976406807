//! Webhooks: which events they are told of, when they are on and off, and what becomes of a message.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use identity::TrustId;
use rpc::{Error, Reason, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

identity::id! {
    /// A URL that is told of a trust's events.
    WebhookId
}

/// The most webhooks of one trust.
pub(crate) const LIMIT: i64 = 50;

/// Messages of one webhook that may wait to be tried again. While there are so many, no new ones are begun: a target that
/// is away is not told each event for nothing, and one event that it cannot take does not hold up the others.
pub(crate) const WAITING: i64 = 16;

/// Failed attempts in a row after which a success has all that waits tried at once: the target is back.
pub(crate) const AWAY: i32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub(crate) enum WebhookState {
    Enabled,
    Disabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub(crate) enum DisabledReason {
    Requested,
    Gone,
    Failing,
    AccessWithdrawn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    Pending,
    Delivered,
    Failed,
}

/// Full names of types of event; every type when empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct EventTypes(pub(crate) Vec<String>);

impl EventTypes {
    pub(crate) fn wants(&self, kind: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|it| it == kind)
    }
}

impl TryFrom<String> for EventTypes {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct Webhook {
    pub webhook_id: WebhookId,
    pub trust_id: TrustId,
    pub url: String,
    pub description: String,
    #[sqlx(try_from = "String")]
    pub event_types: EventTypes,
    pub state: WebhookState,
    pub disabled_reason: Option<DisabledReason>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub client_id: String,
    /// The number of its secret.
    pub generation: i32,
    /// Until when the secret before signs too.
    pub previous_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub version: i32,
}

impl Webhook {
    /// The numbers of the secrets that sign now, newest first.
    pub(crate) fn generations(&self, now: DateTime<Utc>) -> Vec<u32> {
        let newest = u32::try_from(self.generation).unwrap_or(1);
        let before = newest.checked_sub(1).filter(|it| *it > 0);
        let before = before.filter(|_| self.previous_until.is_some_and(|it| it > now));
        std::iter::once(newest).chain(before).collect()
    }

    /// Refuses to switch it to what it is.
    pub(crate) fn may_become(&self, to: WebhookState) -> Result<()> {
        let detail = match (self.state, to) {
            (WebhookState::Enabled, WebhookState::Enabled) => {
                "it is enabled; it may only be disabled"
            }
            (WebhookState::Disabled, WebhookState::Disabled) => {
                "it is disabled; it may only be enabled"
            }
            _ => return Ok(()),
        };
        Err(Error::new(Reason::TransitionNotAllowed, detail))
    }
}

/// A place in a journal, as the trust counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct Place {
    pub service: String,
    pub position: i64,
}

/// How a target fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct Health {
    /// Failed attempts since the last success.
    pub failures: i32,
    pub failing_since: Option<DateTime<Utc>>,
    pub last_success_at: Option<DateTime<Utc>>,
    /// The target has asked to be left alone until then.
    pub not_before: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct Delivery {
    pub delivery_id: Uuid,
    pub webhook_id: WebhookId,
    pub trust_id: TrustId,
    /// Absent of a ping, as is the position.
    pub service: Option<String>,
    pub position: Option<i64>,
    pub message_id: Uuid,
    #[sqlx(rename = "type")]
    pub kind: String,
    pub state: DeliveryState,
    pub created_at: DateTime<Utc>,
    pub next_attempt_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct Attempt {
    pub delivery_id: Uuid,
    pub number: i32,
    pub attempted_at: DateTime<Utc>,
    pub status: Option<i32>,
    pub duration_ms: i32,
    pub failure: String,
}

/// What becomes of a message that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Tried again then.
    Again(DateTime<Utc>),
    /// Given up.
    Over,
    /// Given up, and the webhook with it.
    Off(DisabledReason),
}

impl Delivery {
    pub(crate) fn is_ping(&self) -> bool {
        self.service.is_none()
    }

    /// Judges a failure: `wait` is what the schedule and the target say, `patience` how long a message is tried at all.
    pub(crate) fn failed(
        &self,
        health: &Health,
        gone: bool,
        now: DateTime<Utc>,
        (wait, patience): (Duration, Duration),
    ) -> Verdict {
        if gone {
            return Verdict::Off(DisabledReason::Gone);
        }
        if self.is_ping() {
            return Verdict::Over;
        }
        let span = |it| TimeDelta::from_std(it).unwrap_or(TimeDelta::MAX);
        let end = self.created_at + span(patience);
        let next = now + span(wait);
        if next <= end {
            Verdict::Again(next)
        } else if health.last_success_at.is_none_or(|it| it < self.created_at) {
            Verdict::Off(DisabledReason::Failing)
        } else {
            Verdict::Over
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const DAYS: Duration = Duration::from_hours(72);

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn delivery(service: Option<&str>) -> Delivery {
        Delivery {
            delivery_id: Uuid::nil(),
            webhook_id: WebhookId(Uuid::nil()),
            trust_id: TrustId(Uuid::nil()),
            service: service.map(str::to_owned),
            position: service.map(|_| 1),
            message_id: Uuid::nil(),
            kind: String::new(),
            state: DeliveryState::Pending,
            created_at: at(100),
            next_attempt_at: None,
            ended_at: None,
        }
    }

    #[test]
    fn a_message_is_tried_for_three_days() {
        let judge = |succeeded: Option<i64>, now: i64| {
            let health = Health { last_success_at: succeeded.map(at), ..Health::default() };
            delivery(Some("registry")).failed(&health, false, at(now), (HOUR, DAYS))
        };
        assert_eq!(judge(None, 100), Verdict::Again(at(101)));
        assert_eq!(judge(None, 171), Verdict::Again(at(172)));
        assert_eq!(judge(None, 172), Verdict::Off(DisabledReason::Failing));
        assert_eq!(judge(Some(99), 172), Verdict::Off(DisabledReason::Failing));
        assert_eq!(judge(Some(150), 172), Verdict::Over, "the target takes others");
    }

    #[test]
    fn what_is_gone_is_off_and_a_ping_is_tried_once() {
        let healthy = Health { last_success_at: Some(at(100)), ..Health::default() };
        for service in [Some("registry"), None] {
            let verdict = delivery(service).failed(&healthy, true, at(100), (HOUR, DAYS));
            assert_eq!(verdict, Verdict::Off(DisabledReason::Gone));
        }
        let ping = delivery(None).failed(&healthy, false, at(100), (HOUR, DAYS));
        assert_eq!(ping, Verdict::Over);
    }

    #[test]
    fn no_type_named_means_every_type() {
        assert!(EventTypes::default().wants("a.B"));
        let some = EventTypes(vec!["a.B".to_owned()]);
        assert!(some.wants("a.B") && !some.wants("a.C"));
    }
}
