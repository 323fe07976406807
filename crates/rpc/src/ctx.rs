//! Who calls, when, and where new ids come from: the one place clock and randomness enter.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
pub use contract::common::{Division, Scope};
use contract::intelligence::RecordKind;
use uuid::Uuid;

use crate::{Asked, Error, Method, Permit, Person, Reason, Result};

tokio::task_local! {
    /// The id of the request this task serves, for error documents and logs.
    pub static REQUEST_ID: Uuid;
}

/// The id of the request in hand; nil outside one.
pub fn request_id() -> Uuid {
    REQUEST_ID.try_with(|it| *it).unwrap_or_default()
}

/// A new id, ordered by time.
#[expect(clippy::disallowed_methods, reason = "the boundary where ids enter")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Now, to the microsecond: the finest time both databases keep.
#[expect(clippy::disallowed_methods, reason = "the boundary where the clock enters")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Whose data a credential reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Every trust: those who run the platform, and its services.
    Platform,
    Trust(Uuid),
}

/// The holder of a verified credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub client_id: String,
    pub reach: Reach,
    pub scopes: BTreeSet<i32>,
    /// What the scopes apply to.
    pub permit: Arc<Permit>,
    /// Set where the caller is a person, not a client.
    pub person: Option<Arc<Person>>,
}

impl Caller {
    /// A caller whose scopes apply to all within its reach: a service, or whoever runs the platform.
    pub fn whole(
        client_id: impl Into<String>,
        reach: Reach,
        scopes: impl IntoIterator<Item = Scope>,
    ) -> Self {
        let scopes = scopes.into_iter().map(i32::from).collect();
        let (client_id, permit) = (client_id.into(), Arc::new(Permit::Whole));
        Self { client_id, reach, scopes, permit, person: None }
    }

    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&i32::from(scope))
    }
}

/// A caller's promise that a repeated request is the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    pub key: String,
    /// SHA-256 of the RPC's name and its message.
    pub request: [u8; 32],
}

/// The context of one operation.
#[derive(Clone, Debug)]
pub struct Ctx {
    pub caller: Caller,
    /// Of the RPC in hand.
    pub scope: Scope,
    pub now: DateTime<Utc>,
    pub request_id: Uuid,
    pub idempotency: Option<Idempotency>,
    /// The event that led to this operation, when an event did.
    pub cause: Option<Uuid>,
}

impl Ctx {
    /// Lets a caller in whose credential carries the method's scope.
    pub fn enter(caller: Option<&Caller>, method: &Method) -> Result<Self> {
        let caller = caller.ok_or_else(|| {
            Error::new(Reason::Unauthenticated, "send a valid token: Authorization: Bearer …")
        })?;
        if !caller.may(method.scope) {
            return Err(Error::new(
                Reason::ScopeMissing,
                format!("the credential lacks the scope {}", scope_name(method.scope)),
            ));
        }
        // Every client has its own clients and grants to read: those RPCs tell its own from others'.
        if method.scope != Scope::AccessRead {
            caller.permit.demand(method.scope, &Asked::default())?;
        }
        if method.division == Division::Unspecified {
            caller.permit.demand_every_school(method.scope, &Asked::default())?;
        }
        let request_id = Some(request_id()).filter(|it| !it.is_nil()).unwrap_or_else(new_id);
        Ok(Self {
            caller: caller.clone(),
            scope: method.scope,
            now: now(),
            request_id,
            idempotency: None,
            cause: None,
        })
    }

    /// The context of something a service does by itself.
    pub fn system(service: &str) -> Self {
        let caller = Caller::whole(service, Reach::Platform, all_scopes());
        let scope = Scope::Unspecified;
        Self { caller, scope, now: now(), request_id: new_id(), idempotency: None, cause: None }
    }

    /// Refuses a trust that is not the caller's as if it did not exist.
    pub fn within(&self, trust_id: Uuid) -> Result<()> {
        match self.caller.reach {
            Reach::Platform => Ok(()),
            Reach::Trust(own) if own == trust_id => Ok(()),
            Reach::Trust(_) => Err(Error::not_found("trust", trust_id)),
        }
    }

    /// The one trust the caller is confined to, if it is confined.
    pub fn own_trust(&self) -> Option<Uuid> {
        match self.caller.reach {
            Reach::Platform => None,
            Reach::Trust(trust_id) => Some(trust_id),
        }
    }

    /// Whose rows a database may show to this caller, whatever is asked of it.
    pub fn tenant(&self) -> db::Tenant {
        self.own_trust().into()
    }

    /// Refuses a school of the caller's own trust that no grant covers. Ask [`Ctx::within`] first.
    pub fn school(&self, school_id: Uuid, urn: &str) -> Result<()> {
        self.granted(&Asked { school: Some((school_id, urn)), ..Asked::default() })
    }

    /// Refuses a kind of records that no grant covers, of whichever schools.
    pub fn kind(&self, kind: RecordKind) -> Result<()> {
        self.granted(&Asked { kind: Some(kind), ..Asked::default() })
    }

    /// Refuses a caller whose grants do not cover whatever is held of people, in every school.
    pub fn everything_of_people(&self) -> Result<()> {
        self.caller.permit.demand_everything(self.scope)
    }

    /// Refuses what no one grant covers as a whole: a kind of records of a school, with or without individuals.
    pub fn granted(&self, asked: &Asked<'_>) -> Result<()> {
        self.caller.permit.demand(self.scope, asked)
    }

    /// The schools to which lists are narrowed; none when the caller may see every school within its reach.
    pub fn schools(&self) -> Option<BTreeSet<Uuid>> {
        self.caller.permit.schools(self.scope, &Asked::default())
    }

    /// Whether a school is among those to which lists are narrowed.
    pub fn sees(&self, school_id: Uuid) -> bool {
        self.schools().is_none_or(|it| it.contains(&school_id))
    }

    /// Refuses a caller whose grants are not of every school, where what is asked cannot be divided by schools.
    pub fn every_school(&self) -> Result<()> {
        self.caller.permit.demand_every_school(self.scope, &Asked::default())
    }

    /// What the caller was given what is asked for; nothing where no trust gave it.
    pub fn purpose(&self, asked: &Asked<'_>) -> Option<&str> {
        self.caller.permit.purpose(self.scope, asked)
    }

    /// Today in England.
    pub fn today(&self) -> NaiveDate {
        calendar::london_date(self.now)
    }

    pub fn new_id(&self) -> Uuid {
        new_id()
    }
}

/// Every scope there is.
pub fn all_scopes() -> impl Iterator<Item = Scope> {
    (1..).map_while(|it| Scope::try_from(it).ok())
}

/// A scope as tokens carry it: `records:write`.
pub fn scope_name(scope: Scope) -> String {
    let name = scope.as_str_name();
    name.strip_prefix("SCOPE_").unwrap_or(name).to_ascii_lowercase().replace('_', ":")
}

pub fn parse_scope(name: &str) -> Option<Scope> {
    all_scopes().find(|it| scope_name(*it) == name)
}
