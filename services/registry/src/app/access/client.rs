use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use db::Tx;
use identity::TrustId;
use rpc::{Caller, Ctx, Error, Fault, Page, Reason, Result, Scope, unchanged};
use uuid::Uuid;

use crate::{
    App,
    domain::access::{
        client::{Client, ClientChange, ClientKind, ClientState, PublicKey, Secret, SecretId},
        operable,
    },
    store::access::{
        client::{self, Reader, missing, taken},
        event,
    },
};

/// Who administers clients from the command line, in the journal.
pub const ADMINISTRATOR: &str = "operator";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// A client to be made.
#[derive(Clone, Debug)]
pub struct NewClient {
    pub name: String,
    /// Made up when none.
    pub client_id: Option<String>,
    pub trust_id: Option<TrustId>,
    /// An operator's scopes; none for an application.
    pub operates: Option<Vec<Scope>>,
}

/// A secret that was made, to be told once.
#[derive(Clone, Debug)]
pub struct Made {
    pub(crate) kept: Secret,
    /// None for a retry: nobody knows it any more.
    pub secret: Option<String>,
}

/// A client, and whether the caller may see how it proves who it is.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub client: Client,
    pub manages: bool,
}

/// The public keys a client is to have.
#[derive(Clone, Debug)]
pub(crate) struct NewKeys {
    pub keys: Vec<PublicKey>,
    pub expected_version: u32,
}

impl App {
    pub async fn create_client(&self, ctx: &Ctx, new: NewClient) -> Result<String> {
        let own = ctx.own_trust().map(TrustId);
        if let (Some(own), Some(asked)) = (own, new.trust_id)
            && own != asked
        {
            return Err(Error::not_found("trust", asked));
        }
        if own.is_some() && new.client_id.is_some() {
            let fault = Fault::invalid("is chosen by whoever runs the platform: leave it out");
            return Err(Error::field("/clientId", fault));
        }
        let (app, context) = (self.clone(), ctx.clone());
        let made_up = || format!("client-{}", context.new_id().simple());
        let (kind, scopes) = match &new.operates {
            Some(scopes) => {
                let scopes = scopes.iter().map(|it| i32::from(*it));
                (ClientKind::Operator, scopes.filter(|it| operable().contains(it)).collect())
            }
            None => (ClientKind::Application, BTreeSet::default()),
        };
        let created = Client {
            client_id: new.client_id.clone().unwrap_or_else(made_up),
            name: new.name,
            kind,
            trust_id: own.or(new.trust_id),
            state: ClientState::Active,
            scopes,
            secrets: Vec::new(),
            keys: Vec::new(),
            valid_from: ctx.now,
            version: 1,
            created_at: ctx.now,
        };
        let context = ctx.clone();
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    if let Some(trust_id) = created.trust_id {
                        crate::store::trust::get(tx, trust_id).await?;
                    }
                    if client::find(tx, &created.client_id).await?.is_some() {
                        return Err(taken(&created.client_id));
                    }
                    let draft = event::client_created(context.new_id(), &created);
                    app.journal.record(tx, &context, vec![draft]).await?;
                    Ok(created.client_id)
                })
            })
            .await
    }

    /// Makes a secret of 256 random bits, of which only the hash is kept.
    pub async fn create_client_secret(&self, ctx: &Ctx, client_id: &str) -> Result<Made> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(Error::internal)?;
        let secret = format!("hws_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
        let (id, text) = (ctx.new_id(), secret.clone());
        let now = ctx.now;
        let changed = self.change_client(ctx, client_id, None, move |it| {
            it.add_secret((id, &text), now).map(Some)
        });
        let changed = changed.await?;
        // What is stored for a retry names the secret that was made then, which is not this one.
        let kept = changed.secrets.last().ok_or_else(|| Error::internal("a secret was added"))?;
        let is_this = kept.is(SecretId(id));
        Ok(Made { kept: kept.clone(), secret: is_this.then_some(secret) })
    }

    pub(crate) async fn withdraw_client_secret(
        &self,
        ctx: &Ctx,
        client_id: &str,
        secret_id: SecretId,
    ) -> Result<Client> {
        self.change_client(ctx, client_id, None, move |it| it.withdraw_secret(secret_id).map(Some))
            .await
    }

    pub(crate) async fn set_client_keys(
        &self,
        ctx: &Ctx,
        client_id: &str,
        new: NewKeys,
    ) -> Result<Client> {
        let expected = Some(new.expected_version);
        self.change_client(ctx, client_id, expected, move |_| {
            Ok(Some(ClientChange::KeysSet(new.keys)))
        })
        .await
    }

    pub(crate) async fn move_client(
        &self,
        ctx: &Ctx,
        client_id: &str,
        state: ClientState,
    ) -> Result<Client> {
        if ctx.caller.client_id == client_id {
            let detail = "a client does not disable itself: another credential must";
            return Err(Error::new(Reason::TransitionNotAllowed, detail));
        }
        self.change_client(ctx, client_id, None, move |it| Ok(it.move_to(state))).await
    }

    /// Decides on a client that the caller manages; gives it as it is then.
    async fn change_client(
        &self,
        ctx: &Ctx,
        client_id: &str,
        expected_version: Option<u32>,
        decide: impl FnOnce(&Client) -> Result<Option<ClientChange>> + Send + 'static,
    ) -> Result<Client> {
        let (app, context, id) = (self.clone(), ctx.clone(), client_id.to_owned());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    // Replicas take turns: how many secrets there are is counted.
                    journal::lock(tx).await?;
                    let found = client::find(tx, &id).await?;
                    let found = found.filter(|it| manages(&context, it));
                    let found = found.ok_or_else(|| missing(&id))?;
                    if let Some(expected) = expected_version {
                        unchanged(found.version, expected)?;
                    }
                    let Some(change) = decide(&found)? else { return Ok(found) };
                    let draft = event::client_changed(context.new_id(), &found, &change)?;
                    app.journal.record(tx, &context, vec![draft]).await?;
                    client::get(tx, &id).await
                })
            })
            .await
    }

    /// Records that a token is not to be taken any more.
    pub(crate) async fn revoke_token(
        &self,
        client_id: &str,
        (jti, expires_at): (String, chrono::DateTime<chrono::Utc>),
    ) -> Result<()> {
        let ctx = Ctx {
            caller: Caller::whole(client_id, rpc::Reach::Platform, []),
            ..Ctx::system(crate::NAME)
        };
        self.change_client(&ctx, client_id, None, move |_| {
            Ok(Some(ClientChange::TokenRevoked { jti, expires_at }))
        })
        .await
        .map(drop)
    }

    pub(crate) async fn client(&self, ctx: &Ctx, client_id: &str) -> Result<Shown> {
        let mut tx = self.journal.db().read().await?;
        let found = client::find(&mut tx, client_id).await?;
        let found = found.ok_or_else(|| missing(client_id))?;
        if is_readable(&mut tx, ctx, &found).await? {
            Ok(shown(ctx, found))
        } else {
            Err(missing(client_id))
        }
    }

    pub(crate) async fn clients(
        &self,
        ctx: &Ctx,
        page: Page<String>,
    ) -> Result<(Vec<Shown>, Option<String>)> {
        let mut tx = self.journal.db().read().await?;
        let reads_trust = ctx.caller.permit.gives(Scope::AccessRead);
        let reader = Reader {
            trust_id: ctx.own_trust().map(TrustId).filter(|_| reads_trust),
            all: ctx.own_trust().is_none(),
            client_id: &ctx.caller.client_id,
        };
        let found = client::list(&mut tx, reader, page.after.as_deref(), page.limit()).await?;
        let (found, next) = page.cut(found, |it| it.client_id.clone())?;
        Ok((found.into_iter().map(|it| shown(ctx, it)).collect(), next))
    }
}

fn shown(ctx: &Ctx, client: Client) -> Shown {
    Shown { manages: manages(ctx, &client), client }
}

/// Those who run the platform, the trust that made it, and the client itself.
fn manages(ctx: &Ctx, client: &Client) -> bool {
    let own: Option<Uuid> = ctx.own_trust();
    let of_trust = own.is_some() && client.trust_id.map(|it| it.0) == own;
    let itself = client.client_id == ctx.caller.client_id && ctx.caller.person.is_none();
    own.is_none() || itself || of_trust && ctx.caller.permit.gives(ctx.scope)
}

async fn is_readable(tx: &mut Tx, ctx: &Ctx, found: &Client) -> Result<bool> {
    if manages(ctx, found) {
        return Ok(true);
    }
    let Some(own) = ctx.own_trust().filter(|_| ctx.caller.permit.gives(Scope::AccessRead)) else {
        return Ok(false);
    };
    let grants = crate::store::access::grant::of_client(tx, &found.client_id).await?;
    Ok(grants.iter().any(|it| it.trust_id.0 == own))
}
