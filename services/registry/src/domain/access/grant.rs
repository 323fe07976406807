use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use identity::{SchoolId, TrustId};
use serde::{Deserialize, Serialize};

identity::id! {
    /// One thing that a trust lets a client do.
    GrantId
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GrantState {
    Active,
    Withdrawn,
    Ended,
}

/// What a trust lets a client do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub grant_id: GrantId,
    pub trust_id: TrustId,
    pub client_id: String,
    pub scopes: BTreeSet<i32>,
    /// Empty for every school of the trust.
    pub school_ids: BTreeSet<SchoolId>,
    /// Numbers of `RecordKind`; empty for every kind.
    pub kinds: BTreeSet<i32>,
    pub named: bool,
    pub purpose: String,
    /// Its last day, in England.
    pub ends_on: Option<NaiveDate>,
    pub given_at: DateTime<Utc>,
    pub given_by: String,
    pub withdrawn_at: Option<DateTime<Utc>>,
    pub withdrawn_by: Option<String>,
    pub version: i32,
}

impl Grant {
    pub(crate) fn state(&self, today: NaiveDate) -> GrantState {
        if self.withdrawn_at.is_some() {
            GrantState::Withdrawn
        } else if self.ends_on.is_some_and(|it| it < today) {
            GrantState::Ended
        } else {
            GrantState::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_grant_holds_to_the_end_of_its_last_day_or_until_it_is_withdrawn() {
        let day = |it| NaiveDate::from_ymd_opt(2026, 3, it).unwrap();
        let grant = Grant {
            grant_id: GrantId(Uuid::nil()),
            trust_id: TrustId(Uuid::nil()),
            client_id: "arbor".to_owned(),
            scopes: BTreeSet::new(),
            school_ids: BTreeSet::new(),
            kinds: BTreeSet::new(),
            named: false,
            purpose: "registers".to_owned(),
            ends_on: Some(day(10)),
            given_at: rpc::now(),
            given_by: "admin".to_owned(),
            withdrawn_at: None,
            withdrawn_by: None,
            version: 1,
        };
        assert_eq!(grant.state(day(10)), GrantState::Active);
        assert_eq!(grant.state(day(11)), GrantState::Ended);
        let withdrawn = Grant { withdrawn_at: Some(rpc::now()), ..grant };
        assert_eq!(withdrawn.state(day(1)), GrantState::Withdrawn);
        assert_eq!(withdrawn.state(day(11)), GrantState::Withdrawn);
    }
}
