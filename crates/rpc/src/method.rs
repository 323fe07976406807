//! What the contract says of each RPC: its scope and its place over HTTP.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::http::{Method as Verb, StatusCode};
use contract::common::{Division, Scope};
use prost_reflect::{DynamicMessage, MethodDescriptor, Value};

/// One RPC of the contract.
#[derive(Clone, Debug)]
pub struct Method {
    pub descriptor: MethodDescriptor,
    pub scope: Scope,
    pub division: Division,
    pub verb: Verb,
    /// As axum writes paths, which is how `google.api.http` does.
    pub path: String,
}

impl Method {
    /// Whether it may change something.
    pub fn writes(&self) -> bool {
        self.verb != Verb::GET
    }

    /// Whether its message is the body, over REST, rather than the query.
    pub fn has_body(&self) -> bool {
        self.writes() && self.verb != Verb::DELETE
    }

    /// The status of success over REST.
    pub fn success(&self) -> StatusCode {
        let name = self.descriptor.name();
        if name.starts_with("Push") {
            StatusCode::ACCEPTED
        } else if ["Create", "Open", "Add", "Import"].iter().any(|it| name.starts_with(it)) {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        }
    }
}

static METHODS: LazyLock<BTreeMap<String, Method>> = LazyLock::new(|| {
    contract::pool()
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .filter_map(|it| Some((it.full_name().to_owned(), read(it)?)))
        .collect()
});

/// Every RPC that has a scope and an HTTP rule; a test says that all have both.
pub fn methods() -> impl Iterator<Item = &'static Method> {
    METHODS.values()
}

/// The RPC of that full name, for example `headway.registry.v1.RegistryService.GetTrust`.
///
/// # Panics
/// If the contract has no such RPC: the name is written in code, never input.
#[expect(clippy::panic, reason = "a wrong name is a mistake in this code, seen at start")]
pub fn method(service: &str, rpc: &str) -> &'static Method {
    let name = format!("{service}.{rpc}");
    METHODS.get(&name).unwrap_or_else(|| panic!("{name} lacks a scope or an HTTP rule"))
}

fn read(descriptor: MethodDescriptor) -> Option<Method> {
    let options = descriptor.options();
    let pool = contract::pool();
    let scope = pool.get_extension_by_name("headway.common.v1.scope")?;
    let scope = Scope::try_from(options.get_extension(&scope).as_enum_number()?).ok()?;
    let division = pool.get_extension_by_name("headway.common.v1.division")?;
    let division = options.get_extension(&division).as_enum_number()?;
    let division = Division::try_from(division).ok()?;
    let rule = pool.get_extension_by_name("google.api.http")?;
    let Value::Message(rule) = options.get_extension(&rule).into_owned() else { return None };
    let (verb, path) = pattern(&rule)?;
    (scope != Scope::Unspecified).then_some(Method { descriptor, scope, division, verb, path })
}

fn pattern(rule: &DynamicMessage) -> Option<(Verb, String)> {
    [Verb::GET, Verb::POST, Verb::PUT, Verb::PATCH, Verb::DELETE].into_iter().find_map(|verb| {
        let field = rule.get_field_by_name(&verb.as_str().to_ascii_lowercase())?;
        let path = field.as_str()?;
        (!path.is_empty()).then(|| (verb, path.to_owned()))
    })
}
