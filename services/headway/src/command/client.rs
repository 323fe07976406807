//! Clients from the command line: by whoever holds the databases and the keys.

use anyhow::{Context, Result};
use chrono::Duration;
use clap::{Args, Subcommand};
use contract::registry::{
    ClientTransitionKind, CreateClientRequest, CreateClientSecretRequest,
    CreateClientTransitionRequest, CreateGrantRequest, WithdrawClientSecretRequest,
    access_service_client::AccessServiceClient,
};
use registry::{ADMINISTRATOR, NewClient};
use rpc::{
    Ctx, Peer, Reach, Scope, all_scopes, parse_scope, scope_name,
    token::{Asked, LONGEST_S},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{import::refused, say};
use crate::{
    config::{Config, Overrides, Service},
    deployment::Deployment,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Make a client with a secret, and a first token of an hour; both are shown once and not kept
    Create(Create),
    /// Make another secret of a client; it is shown once and not kept
    Secret {
        /// The client
        #[arg(long)]
        id: String,
        /// The secret that is withdrawn first, by its id
        #[arg(long, value_name = "ID")]
        withdraw: Option<String>,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Give a client no more tokens, and refuse those it has
    Disable {
        #[arg(long)]
        id: String,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Let a client that was disabled work again
    Enable {
        #[arg(long)]
        id: String,
        #[command(flatten)]
        settings: Overrides,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// What it is called, for example the vendor's name
    #[arg(long)]
    name: String,
    /// Its id (default: made up)
    #[arg(long)]
    id: Option<String>,
    /// The trust that grants it the scopes; without one it is an operator's, and reaches the whole platform
    #[arg(long, value_name = "ID")]
    trust: Option<Uuid>,
    /// What it may do, for example records:write; repeat for more
    #[arg(long, required = true, value_name = "SCOPE", value_parser = scope)]
    scope: Vec<Scope>,
    /// A school that the grant is of, by URN; repeat for more (default: every school)
    #[arg(long, value_name = "URN", requires = "trust")]
    school: Vec<String>,
    /// Include rows about single pupils and staff
    #[arg(long, requires = "trust")]
    named: bool,
    /// What the trust grants it for
    #[arg(long, default_value = "as agreed with the trust")]
    purpose: String,
    #[command(flatten)]
    settings: Overrides,
}

/// Reads a scope as tokens spell it.
pub(crate) fn scope(text: &str) -> Result<Scope, String> {
    parse_scope(text).ok_or_else(|| {
        let names: Vec<_> = all_scopes().map(scope_name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

impl Client {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Create(it) => it.run().await,
            Self::Secret { id, withdraw, settings } => {
                let (deployment, peer) = open(&settings).await?;
                let mut access = AccessServiceClient::new(peer);
                if let Some(secret_id) = withdraw {
                    let request = WithdrawClientSecretRequest { client_id: id.clone(), secret_id };
                    access.withdraw_client_secret(request).await.map_err(refused)?;
                }
                say(secret(&mut access, &id).await?)?;
                close(deployment).await
            }
            Self::Disable { id, settings } => {
                transition(&settings, id, ClientTransitionKind::Disabled).await
            }
            Self::Enable { id, settings } => {
                transition(&settings, id, ClientTransitionKind::Enabled).await
            }
        }
    }
}

impl Create {
    async fn run(self) -> Result<()> {
        let (deployment, peer) = open(&self.settings).await?;
        let mut access = AccessServiceClient::new(peer);
        let client_id = if self.trust.is_some() {
            let request = CreateClientRequest {
                name: self.name.clone(),
                client_id: self.id.clone(),
                trust_id: None,
            };
            access.create_client(request).await.map_err(refused)?.into_inner().client_id
        } else {
            let new = NewClient {
                name: self.name.clone(),
                client_id: self.id.clone(),
                trust_id: None,
                operates: Some(self.scope.clone()),
            };
            let app = deployment.registry().context("the registry is open")?;
            app.create_client(&Ctx::system(ADMINISTRATOR), new).await?
        };
        let mut told = secret(&mut access, &client_id).await?;
        if let Some(trust) = self.trust {
            let request = CreateGrantRequest {
                trust_id: trust.to_string(),
                client_id: client_id.clone(),
                scopes: self.scope.iter().map(|it| i32::from(*it)).collect(),
                urns: self.school.clone(),
                named: self.named,
                purpose: self.purpose.clone(),
                ..CreateGrantRequest::default()
            };
            let grant = access.create_grant(request).await.map_err(refused)?.into_inner();
            insert(&mut told, "grantId", json!(grant.grant_id));
        }
        let (now, lifetime) = (rpc::now(), Duration::seconds(LONGEST_S));
        let asked =
            Asked { client_id: &client_id, trust: self.trust, scopes: &self.scope, lifetime };
        insert(&mut told, "trustId", json!(self.trust));
        let scopes: Vec<_> = self.scope.iter().map(|it| scope_name(*it)).collect();
        insert(&mut told, "scopes", json!(scopes));
        insert(&mut told, "token", json!(deployment.keys().issue_to(&asked, now)?));
        insert(&mut told, "expires", json!(now + lifetime));
        say(told)?;
        close(deployment).await
    }
}

fn insert(told: &mut Value, name: &str, value: Value) {
    if let Some(members) = told.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// Opens the registry of a deployment, which may be running.
async fn open(settings: &Overrides) -> Result<(Deployment, Peer)> {
    let config = Config::load(settings, None, None)?;
    let deployment = Deployment::open(&config, Some(Service::Registry)).await?;
    let scopes = [Scope::AccessRead, Scope::AccessWrite];
    let peer = deployment.near(ADMINISTRATOR, Reach::Platform, &scopes);
    Ok((deployment, peer))
}

async fn close(deployment: Deployment) -> Result<()> {
    for journal in deployment.journals() {
        journal.close();
        journal.db().close().await;
    }
    Ok(())
}

async fn secret(access: &mut AccessServiceClient<Peer>, client_id: &str) -> Result<Value> {
    let request = CreateClientSecretRequest { client_id: client_id.to_owned() };
    let made = access.create_client_secret(request).await.map_err(refused)?.into_inner();
    Ok(json!({"clientId": client_id, "secretId": made.secret_id, "clientSecret": made.secret}))
}

async fn transition(
    settings: &Overrides,
    client_id: String,
    kind: ClientTransitionKind,
) -> Result<()> {
    let (deployment, peer) = open(settings).await?;
    let request = CreateClientTransitionRequest { client_id, kind: kind.into() };
    let mut access = AccessServiceClient::new(peer);
    let client = access.create_client_transition(request).await.map_err(refused)?.into_inner();
    say(json!({"clientId": client.client_id, "state": client.state().as_str_name()}))?;
    close(deployment).await
}
