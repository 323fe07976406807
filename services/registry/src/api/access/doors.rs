use contract::registry::{
    self as v1, Client, ClientSecret, CreateClientRequest, CreateClientSecretRequest,
    CreateClientTransitionRequest, CreateGrantRequest, GetClientRequest, GetDirectoryRequest,
    GetDirectoryResponse, GetGrantRequest, GetIdentityProviderRequest, Grant, IdentityProvider,
    ListClientsRequest, ListClientsResponse, ListGrantsRequest, ListGrantsResponse,
    ListOwnGrantsRequest, SetClientKeysRequest, SetIdentityProviderRequest,
    WithdrawClientSecretRequest, WithdrawGrantRequest, access_service_server::AccessService,
};
use identity::TrustId;
use journal::AsOf;
use rpc::{Ctx, Error, PAGES, Page, Result, Twin};

use super::{
    convert::{new_client, new_grant, new_keys, new_provider, transition},
    show,
};
use crate::{
    App,
    api::convert::{id, trust_id},
    domain::access::{
        client::SecretId,
        grant::{GrantId, GrantState},
    },
};

/// Access behind its two doors.
#[derive(Clone, Debug)]
pub struct AccessDoors(pub(crate) App);

rpc::doors! {
    impl AccessService as "headway.registry.v1.AccessService" for AccessDoors {
        CreateClient => create_client(CreateClientRequest) -> Client;
        GetClient => get_client(GetClientRequest) -> Client;
        ListClients => list_clients(ListClientsRequest) -> ListClientsResponse;
        CreateClientSecret => create_client_secret(CreateClientSecretRequest) -> ClientSecret;
        WithdrawClientSecret => withdraw_client_secret(WithdrawClientSecretRequest) -> Client;
        SetClientKeys => set_client_keys(SetClientKeysRequest) -> Client;
        CreateClientTransition => create_client_transition(CreateClientTransitionRequest) -> Client;
        CreateGrant => create_grant(CreateGrantRequest) -> Grant;
        GetGrant => get_grant(GetGrantRequest) -> Grant;
        ListGrants => list_grants(ListGrantsRequest) -> ListGrantsResponse;
        ListOwnGrants => list_own_grants(ListOwnGrantsRequest) -> ListGrantsResponse;
        WithdrawGrant => withdraw_grant(WithdrawGrantRequest) -> Grant;
        SetIdentityProvider => set_identity_provider(SetIdentityProviderRequest) -> IdentityProvider;
        GetIdentityProvider => get_identity_provider(GetIdentityProviderRequest) -> IdentityProvider;
        GetDirectory => get_directory(GetDirectoryRequest) -> GetDirectoryResponse;
    }
    also {}
}

impl AccessDoors {
    async fn create_client(&self, ctx: &Ctx, request: CreateClientRequest) -> Result<Client> {
        let client_id = self.0.create_client(ctx, new_client(request)?).await?;
        Ok(show::client(self.0.client(ctx, &client_id).await?))
    }

    async fn get_client(&self, ctx: &Ctx, request: GetClientRequest) -> Result<Client> {
        Ok(show::client(self.0.client(ctx, &request.client_id).await?))
    }

    async fn list_clients(
        &self,
        ctx: &Ctx,
        request: ListClientsRequest,
    ) -> Result<ListClientsResponse> {
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &"clients", PAGES)?;
        let (clients, next_page_token) = self.0.clients(ctx, page).await?;
        let clients = clients.into_iter().map(show::client).collect();
        Ok(ListClientsResponse { clients, next_page_token })
    }

    async fn create_client_secret(
        &self,
        ctx: &Ctx,
        request: CreateClientSecretRequest,
    ) -> Result<ClientSecret> {
        Ok(show::secret(self.0.create_client_secret(ctx, &request.client_id).await?))
    }

    async fn withdraw_client_secret(
        &self,
        ctx: &Ctx,
        request: WithdrawClientSecretRequest,
    ) -> Result<Client> {
        let secret_id = id("secret", &request.secret_id, SecretId::parse)?;
        let client = self.0.withdraw_client_secret(ctx, &request.client_id, secret_id).await?;
        Ok(show::managed(client))
    }

    async fn set_client_keys(&self, ctx: &Ctx, request: SetClientKeysRequest) -> Result<Client> {
        let keys = new_keys(ctx, &request)?;
        Ok(show::managed(self.0.set_client_keys(ctx, &request.client_id, keys).await?))
    }

    async fn create_client_transition(
        &self,
        ctx: &Ctx,
        request: CreateClientTransitionRequest,
    ) -> Result<Client> {
        let state = transition(request.kind)?;
        Ok(show::managed(self.0.move_client(ctx, &request.client_id, state).await?))
    }

    async fn create_grant(&self, ctx: &Ctx, request: CreateGrantRequest) -> Result<Grant> {
        Ok(show::grant(self.0.create_grant(ctx, new_grant(request)?).await?, ctx.today()))
    }

    async fn get_grant(&self, ctx: &Ctx, request: GetGrantRequest) -> Result<Grant> {
        let grant_id = grant_id(&request.grant_id)?;
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        let on = as_of.map_or_else(|| ctx.today(), |it| it.effective_on);
        Ok(show::grant(self.0.grant(ctx, grant_id, as_of).await?, on))
    }

    async fn list_grants(
        &self,
        ctx: &Ctx,
        request: ListGrantsRequest,
    ) -> Result<ListGrantsResponse> {
        let trust_id: TrustId = trust_id(&request.trust_id)?;
        let state = request.state.map(state).transpose()?;
        let filters = (trust_id, &request.client_id, state);
        let page = Page::parse(request.page_size, request.page_token.as_deref(), &filters, PAGES)?;
        if request.client_id.as_ref().is_some_and(|it| it.contains('\0')) {
            return Err(Error::field("/clientId", rpc::Fault::invalid("is no client's id")));
        }
        let wanted = (request.client_id.clone(), state);
        let listed = self.0.grants(ctx, trust_id, wanted, page).await?;
        Ok(show::grants(listed, ctx.today()))
    }

    async fn list_own_grants(
        &self,
        ctx: &Ctx,
        request: ListOwnGrantsRequest,
    ) -> Result<ListGrantsResponse> {
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &"own grants", PAGES)?;
        Ok(show::grants(self.0.own_grants(ctx, page).await?, ctx.today()))
    }

    async fn withdraw_grant(&self, ctx: &Ctx, request: WithdrawGrantRequest) -> Result<Grant> {
        let withdrawn = self.0.withdraw_grant(ctx, grant_id(&request.grant_id)?).await?;
        Ok(show::grant(withdrawn, ctx.today()))
    }

    async fn set_identity_provider(
        &self,
        ctx: &Ctx,
        request: SetIdentityProviderRequest,
    ) -> Result<IdentityProvider> {
        let set = self.0.set_identity_provider(ctx, new_provider(request)?).await?;
        Ok(show::provider(set))
    }

    async fn get_identity_provider(
        &self,
        ctx: &Ctx,
        request: GetIdentityProviderRequest,
    ) -> Result<IdentityProvider> {
        let found = self.0.identity_provider(ctx, trust_id(&request.trust_id)?).await?;
        Ok(show::provider(found))
    }

    async fn get_directory(
        &self,
        ctx: &Ctx,
        request: GetDirectoryRequest,
    ) -> Result<GetDirectoryResponse> {
        let after = i64::try_from(request.after.unwrap_or(0)).unwrap_or(i64::MAX);
        show::directory(self.0.directory(ctx, after).await?)
    }
}

fn grant_id(text: &str) -> Result<GrantId> {
    id("grant", text, GrantId::parse)
}

fn state(number: i32) -> Result<GrantState> {
    let names = [v1::GrantState::Active, v1::GrantState::Withdrawn, v1::GrantState::Ended];
    GrantState::from_wire(number).ok_or_else(|| {
        let fault = rpc::Fault::invalid("is not one of the names of this list");
        Error::field("/state", fault.accepting(names.map(|it| it.as_str_name())))
    })
}
