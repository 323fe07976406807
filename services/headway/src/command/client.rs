use anyhow::{Context, Result};
use chrono::Duration;
use rpc::{Scope, all_scopes, parse_scope, scope_name};
use serde_json::json;
use uuid::Uuid;

use super::say;
use crate::{
    config::{Config, Overrides},
    secrets::Secrets,
};

/// Reads a scope as tokens spell it.
pub(crate) fn scope(text: &str) -> Result<Scope, String> {
    parse_scope(text).ok_or_else(|| {
        let names: Vec<_> = all_scopes().map(scope_name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

/// Issues a token and prints it, with whom it is for, as one JSON line.
pub(crate) fn create(
    settings: &Overrides,
    name: &str,
    trust: Option<Uuid>,
    scopes: &[Scope],
    days: u16,
) -> Result<()> {
    let config = Config::load(settings, None, None)?;
    let folder = config.keys_dir();
    let secrets = Secrets::open(&folder, config.journal.name.as_deref())
        .with_context(|| folder.display().to_string())?;
    let now = rpc::now();
    let lifetime = Duration::days(days.into());
    let token = secrets.tokens.issue(name, trust, scopes, now, lifetime)?;
    say(json!({
        "clientId": name,
        "trustId": trust,
        "scopes": scopes.iter().map(|it| scope_name(*it)).collect::<Vec<_>>(),
        "expires": now + lifetime,
        "token": token,
    }))?;
    Ok(())
}
