use contract::registry as v1;
use identity::{GroupUid, SchoolNumber};
use rpc::{Ctx, Fault, PAGES, Page, Result};
use uuid::Uuid;

use super::{
    answer,
    convert::{NAME_LIMIT, field, id, school_number},
    doors::Doors,
};
use crate::store::establishment::Search;

impl Doors {
    pub(super) async fn get_establishment_import(
        &self,
        ctx: &Ctx,
        request: v1::GetEstablishmentImportRequest,
    ) -> Result<v1::EstablishmentImport> {
        let parse = |it: &str| Uuid::try_parse(it).map_err(|_| Fault::invalid("must be a UUID"));
        let import_id = id("import", &request.import_id, parse)?;
        Ok(self.0.import_report(ctx, import_id).await?.into())
    }

    pub(super) async fn get_establishment(
        &self,
        ctx: &Ctx,
        request: v1::GetEstablishmentRequest,
    ) -> Result<v1::Establishment> {
        let (found, links) = self.0.establishment(ctx, &school_number(&request.urn)?).await?;
        Ok(answer::establishment(found, links))
    }

    pub(super) async fn list_establishments(
        &self,
        ctx: &Ctx,
        request: v1::ListEstablishmentsRequest,
    ) -> Result<v1::ListEstablishmentsResponse> {
        let group_uid = request.group_uid.as_deref();
        let group_uid = group_uid.map(|it| field("/groupUid", it, GroupUid::parse)).transpose()?;
        let la = request.la.map(|it| field("/la", &it, la_code)).transpose()?;
        let near = match request.near.as_deref() {
            Some(it) => Some(self.0.near(&field("/near", it, SchoolNumber::parse)?).await?),
            None => None,
        };
        let name = request.name.map(|it| field("/name", &it, name_part)).transpose()?;
        let search = Search { name: name.filter(|it| !it.is_empty()), la, group_uid, near };
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &("establishments", &search), PAGES)?;
        let (found, next_page_token) = self.0.establishments(ctx, &search, page).await?;
        let establishments = found.into_iter().map(Into::into).collect();
        Ok(v1::ListEstablishmentsResponse { establishments, next_page_token })
    }
}

/// Part of a name, in lower case.
fn name_part(text: &str) -> Result<String, Fault> {
    if text.chars().count() > NAME_LIMIT || text.contains('\0') {
        return Err(Fault::invalid(format!(
            "must be at most {NAME_LIMIT} characters, none of them NUL"
        )));
    }
    Ok(text.trim().to_lowercase())
}

fn la_code(text: &str) -> Result<String, Fault> {
    if text.len() == 3 && text.bytes().all(|it| it.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err(Fault::invalid("must be a local authority code: 3 digits"))
    }
}
