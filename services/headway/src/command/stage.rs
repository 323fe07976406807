//! A trust with its schools, made over the network as an operator would make it.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use chrono::Duration as Span;
use contract::{
    intelligence::{
        CreateFeedRequest, ListStandingsRequest, RecordKind,
        intelligence_service_client::IntelligenceServiceClient,
    },
    registry::{
        Establishment, GetEstablishmentRequest, ListSchoolsRequest, School,
        registry_service_client::RegistryServiceClient,
    },
};
use indicatif::ProgressBar;
use rpc::{Peer, Scope, all_scopes};
use uuid::Uuid;

use super::import::{push, refused};
use crate::{demo, secrets::Secrets};

/// How long the demonstration's tokens hold.
const LIFETIME: Span = Span::days(90);

pub(crate) struct Stage {
    pub(crate) trust_id: Uuid,
    pub(crate) schools: Vec<School>,
    /// The operator's channel: every trust, every scope.
    pub(crate) operator: Peer,
    pub(crate) address: SocketAddr,
    secrets: Secrets,
}

impl Stage {
    /// Imports the demonstration's register and creates its trust; waits until every service knows the schools.
    pub(crate) async fn raise(address: SocketAddr, secrets: &Secrets) -> Result<Self> {
        let operator = operator(address, secrets)?;
        for file in [demo::REGISTER, demo::LINKS] {
            push(operator.clone(), file, &ProgressBar::hidden()).await?;
        }
        let mut registry = RegistryServiceClient::new(operator.clone());
        let trust =
            registry.create_trust(demo::story::trust()).await.map_err(refused)?.into_inner();
        let trust_id = Uuid::try_parse(&trust.trust_id)?;
        let schools = schools(&operator, trust_id).await?;
        let stage = Self { trust_id, schools, operator, address, secrets: secrets.clone() };
        stage.known_everywhere().await?;
        Ok(stage)
    }

    /// The stage of a demonstration that was raised before.
    pub(crate) fn again(address: SocketAddr, secrets: &Secrets, trust_id: Uuid) -> Result<Self> {
        let operator = operator(address, secrets)?;
        Ok(Self { trust_id, schools: Vec::new(), operator, address, secrets: secrets.clone() })
    }

    /// The trust's schools as the register the demonstration begins with has them.
    pub(crate) async fn establishments(&self, urns: &[&str]) -> Result<Vec<Establishment>> {
        let mut registry = RegistryServiceClient::new(self.operator.clone());
        let mut found = Vec::new();
        for urn in urns {
            let request = GetEstablishmentRequest { urn: (*urn).to_owned() };
            found.push(registry.get_establishment(request).await.map_err(refused)?.into_inner());
        }
        Ok(found)
    }

    /// Authorises a client to push records for all the trust's schools.
    pub(crate) async fn feed(&self, client_id: &str, kinds: &[RecordKind]) -> Result<String> {
        let request = CreateFeedRequest {
            trust_id: self.trust_id.to_string(),
            name: "Attendance".to_owned(),
            client_id: client_id.to_owned(),
            kinds: kinds.iter().map(|it| i32::from(*it)).collect(),
            urns: Vec::new(),
        };
        let mut intelligence = IntelligenceServiceClient::new(self.operator.clone());
        let feed = intelligence.create_feed(request).await.map_err(refused)?;
        Ok(feed.into_inner().feed_id)
    }

    /// A vendor's token: records in, and what became of them.
    pub(crate) fn vendor(&self, client_id: &str) -> Result<String> {
        self.token(client_id, &[Scope::RecordsWrite])
    }

    /// A token of the trust's own administrators.
    pub(crate) fn admin(&self, client_id: &str) -> Result<String> {
        let scopes: Vec<_> = all_scopes().filter(|it| *it != Scope::PlatformWrite).collect();
        self.token(client_id, &scopes)
    }

    fn token(&self, client_id: &str, scopes: &[Scope]) -> Result<String> {
        let trust = Some(self.trust_id);
        Ok(self.secrets.tokens.issue(client_id, trust, scopes, rpc::now(), LIFETIME)?)
    }

    /// A channel of a client of the trust.
    pub(crate) fn channel(&self, client_id: &str, scopes: &[Scope]) -> Result<Peer> {
        channel(self.address, &self.secrets, client_id, Some(self.trust_id), scopes)
    }

    /// Waits until the intelligence service knows a school by that number.
    pub(crate) async fn knows(&self, urn: &str) -> Result<()> {
        for _ in 0..600 {
            let mut intelligence = IntelligenceServiceClient::new(self.operator.clone());
            let request = ListStandingsRequest { trust_id: self.trust_id.to_string() };
            let standings = intelligence.list_standings(request).await.map_err(refused)?;
            if standings.into_inner().standings.iter().any(|it| it.urn == urn) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the intelligence service has not heard of {urn}");
    }

    async fn known_everywhere(&self) -> Result<()> {
        let mut intelligence = IntelligenceServiceClient::new(self.operator.clone());
        for _ in 0..600 {
            let request = ListStandingsRequest { trust_id: self.trust_id.to_string() };
            let known = match intelligence.list_standings(request).await {
                Ok(answer) => answer.into_inner().standings.len() >= self.schools.len(),
                Err(status) if status.code() == tonic::Code::NotFound => false,
                Err(status) => return Err(refused(status)),
            };
            if known {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the intelligence service has not heard of the schools");
    }
}

/// A channel of those who run the platform: every trust, every scope.
pub(crate) fn operator(address: SocketAddr, secrets: &Secrets) -> Result<Peer> {
    channel(address, secrets, "operator", None, &all_scopes().collect::<Vec<_>>())
}

/// The schools of a trust.
pub(crate) async fn schools(operator: &Peer, trust_id: Uuid) -> Result<Vec<School>> {
    let request =
        ListSchoolsRequest { trust_id: trust_id.to_string(), ..ListSchoolsRequest::default() };
    let mut registry = RegistryServiceClient::new(operator.clone());
    let schools = registry.list_schools(request).await.map_err(refused)?.into_inner().schools;
    schools.first().context("the trust has no schools")?;
    Ok(schools)
}

fn channel(
    address: SocketAddr,
    secrets: &Secrets,
    client_id: &str,
    trust: Option<Uuid>,
    scopes: &[Scope],
) -> Result<Peer> {
    let token = secrets.tokens.issue(client_id, trust, scopes, rpc::now(), LIFETIME)?;
    Ok(rpc::far(&format!("http://{address}"), None, move || Ok(token.clone()))?)
}
