//! The read log: every read of rows about individuals is recorded before its answer leaves.

use identity::TrustId;
use rpc::{Asked, Ctx, Page, Result};
use uuid::Uuid;

use crate::{
    app::App,
    domain::Kind,
    store::{
        self,
        privacy::read::{Entry, Filter},
    },
};

/// What is written as the purpose of those who run the platform, to whom no trust gave anything.
const OPERATION: &str = "operation of the platform";

impl App {
    /// Records that rows of these kinds are about to be told. No rows are no read.
    pub(crate) async fn note_read(
        &self,
        ctx: &Ctx,
        (trust_id, rpc): (TrustId, &'static str),
        kinds: &[Kind],
        rows: usize,
        purpose: Option<String>,
    ) -> Result<()> {
        if rows == 0 {
            return Ok(());
        }
        // What became of its own records a client may read without a grant of individuals.
        let given = || {
            let individuals = ctx.purpose(&Asked { named: true, ..Asked::default() });
            individuals.or_else(|| ctx.purpose(&Asked::default()))
        };
        let entry = Entry {
            read_id: ctx.new_id(),
            trust_id,
            read_at: ctx.now,
            client_id: ctx.caller.client_id.clone(),
            purpose: purpose.unwrap_or_else(|| given().unwrap_or(OPERATION).to_owned()),
            rpc: rpc.to_owned(),
            kinds: kinds.to_vec(),
            rows: u64::try_from(rows).unwrap_or(u64::MAX),
            request_id: ctx.request_id,
        };
        let ctx = Ctx { idempotency: None, ..ctx.clone() };
        self.journal
            .write(&ctx, move |tx| {
                Box::pin(async move { store::privacy::read::insert(tx, &entry).await })
            })
            .await
    }

    pub(crate) async fn reads(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        filter: &Filter,
        page: &Page<Uuid>,
    ) -> Result<Vec<Entry>> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        store::privacy::read::of_trust(&mut tx, trust_id, filter, page.after, page.limit()).await
    }
}
