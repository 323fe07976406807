use contract::registry as v1;
use identity::TrustId;
use journal::AsOf;
use rpc::{Ctx, PAGES, Page, Result};

use super::{
    convert::{new_trust, trust_id},
    doors::Doors,
};

impl Doors {
    pub(super) async fn create_trust(
        &self,
        ctx: &Ctx,
        request: v1::CreateTrustRequest,
    ) -> Result<v1::Trust> {
        Ok(self.0.create_trust(ctx, new_trust(request)?).await?.into())
    }

    pub(super) async fn get_trust(
        &self,
        ctx: &Ctx,
        request: v1::GetTrustRequest,
    ) -> Result<v1::Trust> {
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        Ok(self.0.trust(ctx, trust_id(&request.trust_id)?, as_of).await?.into())
    }

    pub(super) async fn list_trusts(
        &self,
        ctx: &Ctx,
        request: v1::ListTrustsRequest,
    ) -> Result<v1::ListTrustsResponse> {
        let token = request.page_token.as_deref();
        let page = Page::<(String, TrustId)>::parse(request.page_size, token, &"trusts", PAGES)?;
        let (trusts, next_page_token) = self.0.trusts(ctx, page).await?;
        let trusts = trusts.into_iter().map(Into::into).collect();
        Ok(v1::ListTrustsResponse { trusts, next_page_token })
    }
}
