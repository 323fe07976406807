use rpc::{Ctx, Error, Reason, Result};

use crate::{
    App,
    domain::access::{client::Client, grant::Grant, provider::Provider},
    store::access,
};

/// What changed of who may do what.
#[derive(Debug)]
pub(crate) struct Directory {
    pub position: i64,
    pub clients: Vec<Client>,
    pub grants: Vec<Grant>,
    pub providers: Vec<Provider>,
    /// Tokens by their ids, with the Unix seconds at which they expire.
    pub revoked: Vec<(String, i64)>,
}

impl App {
    /// What changed after a position; everything that counts, after none.
    pub(crate) async fn directory(&self, ctx: &Ctx, after: i64) -> Result<Directory> {
        if ctx.own_trust().is_some() {
            let detail = "a credential confined to one trust does not read the directory of all";
            return Err(Error::new(Reason::ScopeMissing, detail));
        }
        // Before the snapshot that is read: everything up to here is in it.
        let position = self.journal.head().await?;
        let mut tx = self.journal.db().read().await?;
        let mut directory = Directory {
            position,
            clients: access::client::after(&mut tx, after).await?,
            grants: access::grant::after(&mut tx, after).await?,
            providers: access::provider::after(&mut tx, after).await?,
            revoked: access::revoked_after(&mut tx, after).await?,
        };
        let now = ctx.now.timestamp();
        directory.revoked.retain(|it| it.1 >= now);
        if after == 0 {
            let today = ctx.today();
            let counts =
                |it: &Grant| it.withdrawn_at.is_none() && it.ends_on.is_none_or(|it| it >= today);
            directory.grants.retain(counts);
        }
        Ok(directory)
    }
}
