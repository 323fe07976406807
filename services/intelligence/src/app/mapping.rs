use db::Tenant;
use journal::{AsOf, Of};
use rpc::{Ctx, Error, Page, Result};

use super::App;
use crate::{
    domain::{Feed, FeedId, Mapping, MappingId, Reading},
    store,
};

/// A mapping about to be saved in a feed.
#[derive(Clone, Debug)]
pub(crate) struct SaveMapping {
    pub feed_id: FeedId,
    pub name: String,
    pub reading: Reading,
    /// The version it replaces.
    pub expected_version: Option<u32>,
}

impl App {
    /// Saves a mapping; one that is so already stays at its version.
    pub(crate) async fn keep_mapping(&self, ctx: &Ctx, command: SaveMapping) -> Result<Mapping> {
        let feed = self.feed_to_read(ctx, command.feed_id).await?;
        let (journal, context) = (self.journal.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let SaveMapping { name, reading, expected_version, .. } = command;
                    let mapping = match store::mapping::get(tx, feed.feed_id, &name).await? {
                        None if expected_version.is_some() => return Err(missing(&name)),
                        None => Mapping {
                            mapping_id: MappingId(context.new_id()),
                            feed_id: feed.feed_id,
                            trust_id: feed.trust_id,
                            name,
                            reading,
                            version: 1,
                            saved_at: context.now,
                        },
                        Some(found) => match found.changed(reading, expected_version)? {
                            Some(changed) => changed,
                            None => return Ok(found),
                        },
                    };
                    let draft = store::mapping::saved(&mapping, context.new_id());
                    journal.record(tx, &context, vec![draft]).await?;
                    let saved = store::mapping::get(tx, mapping.feed_id, &mapping.name).await?;
                    saved.ok_or_else(|| missing(&mapping.name))
                })
            })
            .await
    }

    pub(crate) async fn mapping(
        &self,
        ctx: &Ctx,
        feed_id: FeedId,
        name: &str,
        as_of: Option<AsOf>,
    ) -> Result<Mapping> {
        let feed = self.feed_to_read(ctx, feed_id).await?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let found = store::mapping::get(&mut tx, feed_id, name).await?;
        let found = found.ok_or_else(|| missing(name))?;
        let Some(at) = as_of else { return Ok(found) };
        drop(tx);
        let of = Of::Stream(format!("mapping/{}", found.mapping_id));
        let mut then = self.journal.as_of(feed.trust_id.0, at, of).await?;
        let found = store::mapping::get(&mut then, feed_id, name).await?;
        found.ok_or_else(|| at.absent("mapping", name))
    }

    /// A mapping by which a push into its feed is read.
    pub(crate) async fn mapping_of(&self, feed: &Feed, name: &str) -> Result<Mapping> {
        let mut tx = self.journal.db().read_as(Tenant::Trust(feed.trust_id.0)).await?;
        let found = store::mapping::get(&mut tx, feed.feed_id, name).await?;
        found.ok_or_else(|| missing(name))
    }

    pub(crate) async fn mappings(
        &self,
        ctx: &Ctx,
        feed_id: FeedId,
        page: &Page<String>,
    ) -> Result<Vec<Mapping>> {
        self.feed_to_read(ctx, feed_id).await?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        store::mapping::of_feed(&mut tx, feed_id, page.after.as_deref(), page.limit()).await
    }
}

fn missing(name: &str) -> Error {
    Error::not_found("mapping", name)
}
