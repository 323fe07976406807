//! Code lists, as callers may read them.

use contract::intelligence as pb;
use rpc::{Ctx, Error, Fault, Reason, Result};

use crate::{
    App,
    domain::{CodeList, Listed},
};

impl App {
    #[expect(clippy::unused_async, reason = "the doors await every RPC")]
    pub(super) async fn list_code_lists(
        &self,
        _ctx: &Ctx,
        _request: pb::ListCodeListsRequest,
    ) -> Result<pb::ListCodeListsResponse> {
        Ok(pb::ListCodeListsResponse { lists: CodeList::all().iter().map(Into::into).collect() })
    }

    #[expect(clippy::unused_async, reason = "the doors await every RPC")]
    pub(super) async fn list_codes(
        &self,
        _ctx: &Ctx,
        request: pb::ListCodesRequest,
    ) -> Result<pb::ListCodesResponse> {
        let list = CodeList::named(&request.list).ok_or_else(|| {
            let known = CodeList::all().iter().map(|it| it.name);
            let fault = Fault::new(Reason::FieldInvalid, "is not a code list").accepting(known);
            Error::field("/list", fault)
        })?;
        let on = request.on.as_deref().map(identity::date).transpose();
        let on = on.map_err(|fault| Error::field("/on", fault))?;
        let codes = list.codes.iter().filter(|it| on.is_none_or(|on| it.valid_on(on)));
        Ok(pb::ListCodesResponse {
            list: Some(list.into()),
            codes: codes.map(Into::into).collect(),
        })
    }
}

impl From<&CodeList> for pb::CodeList {
    fn from(it: &CodeList) -> Self {
        Self {
            list: it.name.to_owned(),
            title: it.title.clone(),
            source: it.source.clone(),
            size: u32::try_from(it.codes.len()).unwrap_or(u32::MAX),
        }
    }
}

impl From<&Listed> for pb::ListedCode {
    fn from(it: &Listed) -> Self {
        let said = it.attributes.iter().filter(|(_, value)| !value.is_empty());
        Self {
            code: it.code.clone(),
            meaning: it.meaning.clone(),
            valid_from: it.valid_from.map(|it| it.to_string()),
            valid_to: it.valid_to.map(|it| it.to_string()),
            attributes: said.map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }
}
