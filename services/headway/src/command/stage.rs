//! A trust with its schools, made over the network as an operator would make it.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use contract::{
    intelligence::{
        CreateFeedRequest, ListStandingsRequest, RecordKind,
        intelligence_service_client::IntelligenceServiceClient,
    },
    registry::{
        CreateClientRequest, CreateClientSecretRequest, CreateGrantRequest, Establishment,
        GetEstablishmentRequest, GetIdentityProviderRequest, ListSchoolsRequest, Role, RoleMapping,
        School, SetIdentityProviderRequest, access_service_client::AccessServiceClient,
        registry_service_client::RegistryServiceClient,
    },
};
use indicatif::ProgressBar;
use rpc::{Peer, Scope, all_scopes, token::OF_SERVICES};
use uuid::Uuid;

use super::import::{push, refused};
use crate::{demo, issuer, secrets::Secrets};

/// Scopes that no trust can grant.
const OF_PLATFORM: [Scope; 4] =
    [Scope::PlatformWrite, Scope::JournalOperate, Scope::MetricsRead, Scope::DirectoryRead];

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

    /// Makes a vendor's client, granted to push records and read what became of them; gives its secret.
    pub(crate) async fn vendor(&self, client_id: &str) -> Result<String> {
        self.client(client_id, &[Scope::RecordsWrite], "registers of the schools").await
    }

    /// Makes a client of the trust's own administrators; gives its secret.
    pub(crate) async fn admin(&self, client_id: &str) -> Result<String> {
        let scopes: Vec<_> = all_scopes().filter(|it| !OF_PLATFORM.contains(it)).collect();
        self.client(client_id, &scopes, "running the trust").await
    }

    async fn client(&self, client_id: &str, scopes: &[Scope], purpose: &str) -> Result<String> {
        let mut access = AccessServiceClient::new(self.operator.clone());
        let request = CreateClientRequest {
            name: client_id.to_owned(),
            client_id: Some(client_id.to_owned()),
            trust_id: None,
        };
        access.create_client(request).await.map_err(refused)?;
        let request = CreateClientSecretRequest { client_id: client_id.to_owned() };
        let made = access.create_client_secret(request).await.map_err(refused)?.into_inner();
        let request = CreateGrantRequest {
            trust_id: self.trust_id.to_string(),
            client_id: client_id.to_owned(),
            scopes: scopes.iter().map(|it| i32::from(*it)).collect(),
            named: true,
            purpose: purpose.to_owned(),
            ..CreateGrantRequest::default()
        };
        access.create_grant(request).await.map_err(refused)?;
        made.secret.context("the secret of a new client")
    }

    /// A token of an hour, got as any client gets one.
    pub(crate) async fn token(&self, client_id: &str, secret: &str) -> Result<String> {
        #[derive(serde::Deserialize)]
        struct Given {
            access_token: String,
        }
        let url = format!("http://{}/oauth2/token", self.address);
        let asked = reqwest::Client::builder().no_proxy().build()?.post(url);
        let asked = asked.basic_auth(client_id, Some(secret));
        let form = "application/x-www-form-urlencoded";
        let asked = asked.header("content-type", form).body("grant_type=client_credentials");
        let given = asked.send().await?.error_for_status()?.bytes().await?;
        Ok(serde_json::from_slice::<Given>(&given)?.access_token)
    }

    /// Lets the demonstration's people sign in at the issuer of this server; those of one school see the one named.
    pub(crate) async fn sign_in_here(&self, urn: &str) -> Result<()> {
        let mut access = AccessServiceClient::new(self.operator.clone());
        let trust_id = self.trust_id.to_string();
        let request = GetIdentityProviderRequest { trust_id: trust_id.clone() };
        let before = match access.get_identity_provider(request).await {
            Ok(found) => Some(found.into_inner()),
            Err(status) if status.code() == tonic::Code::NotFound => None,
            Err(status) => return Err(refused(status)),
        };
        let issuer = issuer::issuer(self.address);
        if !self.address.ip().is_loopback() || before.as_ref().is_some_and(|it| it.issuer == issuer)
        {
            return Ok(());
        }
        let mappings = issuer::PEOPLE.iter().map(|it| RoleMapping {
            group: it.id.to_owned(),
            role: it.role.into(),
            audience: it.audience.into(),
            urns: if it.one_school { vec![urn.to_owned()] } else { Vec::new() },
            named: it.role == Role::DataProtection,
        });
        let request = SetIdentityProviderRequest {
            trust_id,
            issuer,
            audience: issuer::AUDIENCE.to_owned(),
            groups_claim: None,
            mappings: mappings.collect(),
            enabled: true,
            expected_version: before.map(|it| it.version),
        };
        access.set_identity_provider(request).await.map_err(refused)?;
        Ok(())
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

/// Every call has a token of its own, for a demonstration runs longer than a token holds.
fn channel(
    address: SocketAddr,
    secrets: &Secrets,
    client_id: &str,
    trust: Option<Uuid>,
    scopes: &[Scope],
) -> Result<Peer> {
    let (keys, client_id, scopes) =
        (secrets.tokens.clone(), client_id.to_owned(), scopes.to_owned());
    let token = move || keys.issue(&client_id, trust, &scopes, rpc::now(), OF_SERVICES);
    Ok(rpc::far(&format!("http://{address}"), None, token)?)
}
