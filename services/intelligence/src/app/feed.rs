use std::collections::BTreeSet;

use db::{Tenant, Tx};
use identity::TrustId;
use journal::{AsOf, Of};
use rpc::{Ctx, Error, Fields, Gathered, Page, Result};

use super::App;
use crate::{
    domain::{CreateFeed, Feed, FeedId, Schools},
    store,
};

/// A feed with the URNs its schools have now.
#[derive(Clone, Debug)]
pub(crate) struct NamedFeed {
    pub feed: Feed,
    pub urns: Vec<String>,
}

impl App {
    pub(crate) async fn make_feed(&self, ctx: &Ctx, command: CreateFeed) -> Result<NamedFeed> {
        ctx.within(command.trust_id.0)?;
        let (journal, context) = (self.journal.clone(), ctx.clone());
        let feed = self
            .journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let schools = store::school::of_trust(tx, command.trust_id).await?;
                    let feed = decide(&context, command, &schools)?;
                    let draft = store::event::feed_created(&feed, context.new_id());
                    journal.record(tx, &context, vec![draft]).await?;
                    required(tx, feed.feed_id).await
                })
            })
            .await?;
        self.with_urns(feed).await
    }

    pub(crate) async fn feed(
        &self,
        ctx: &Ctx,
        feed_id: FeedId,
        as_of: Option<AsOf>,
    ) -> Result<NamedFeed> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let mut feed = required(&mut tx, feed_id).await?;
        ctx.within(feed.trust_id.0).map_err(|_| missing(feed_id))?;
        feed.may_see(ctx)?;
        drop(tx);
        if let Some(at) = as_of {
            let of = Of::Stream(format!("feed/{feed_id}"));
            let mut then = self.journal.as_of(feed.trust_id.0, at, of).await?;
            let found = store::feed::get(&mut then, feed_id).await?;
            feed = found.ok_or_else(|| at.absent("feed", feed_id))?;
        }
        self.with_urns(feed).await
    }

    /// The feed of which a caller is about to read, or change, more than what it is.
    pub(super) async fn feed_to_read(&self, ctx: &Ctx, feed_id: FeedId) -> Result<Feed> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let feed = required(&mut tx, feed_id).await?;
        ctx.within(feed.trust_id.0).map_err(|_| missing(feed_id))?;
        feed.may_read(ctx)?;
        Ok(feed)
    }

    /// The feed a caller is about to push into.
    pub(crate) async fn feed_to_push(&self, ctx: &Ctx, feed_id: FeedId) -> Result<Feed> {
        let feed = if let Some(feed) = self.feeds.get(feed_id) {
            feed
        } else {
            let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
            let feed = required(&mut tx, feed_id).await?;
            self.feeds.remember(feed.clone());
            feed
        };
        ctx.within(feed.trust_id.0).map_err(|_| missing(feed_id))?;
        feed.may_push(&ctx.caller)?;
        Ok(feed)
    }

    pub(crate) async fn feeds(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        page: &Page<FeedId>,
    ) -> Result<Vec<NamedFeed>> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let schools = store::school::of_trust(&mut tx, trust_id).await?;
        let limit = page.limit();
        let mut feeds = Gathered::of(page);
        while !feeds.is_done() {
            let next = store::feed::of_trust(&mut tx, trust_id, feeds.after, limit).await?;
            feeds.take(next, |it| it.feed_id, |it| it.may_see(ctx).is_ok());
        }
        Ok(feeds.items.into_iter().map(|it| named(it, &schools)).collect())
    }

    /// Every school of a trust by every number it has or had.
    pub(crate) async fn schools(&self, trust_id: TrustId) -> Result<Schools> {
        let mut tx = self.journal.db().read_as(Tenant::Trust(trust_id.0)).await?;
        store::school::of_trust(&mut tx, trust_id).await
    }

    async fn with_urns(&self, feed: Feed) -> Result<NamedFeed> {
        let mut tx = self.journal.db().read_as(Tenant::Trust(feed.trust_id.0)).await?;
        let schools = store::school::of_trust(&mut tx, feed.trust_id).await?;
        Ok(named(feed, &schools))
    }
}

fn decide(ctx: &Ctx, command: CreateFeed, schools: &Schools) -> Result<Feed> {
    let mut fields = Fields::new();
    let mut school_ids = BTreeSet::new();
    for (index, urn) in command.urns.iter().enumerate() {
        let found = schools.find(urn);
        let found = fields.take(&format!("/urns/{index}"), found);
        if let Some(school) = found {
            ctx.school(school.school_id.0, &school.urn)?;
            school_ids.insert(school.school_id);
        }
    }
    if command.urns.is_empty() {
        ctx.every_school()?;
    }
    fields.done(|| {
        Some(Feed {
            feed_id: FeedId(ctx.new_id()),
            trust_id: command.trust_id,
            name: command.name,
            client_id: command.client_id,
            kinds: command.kinds,
            school_ids,
            version: 1,
            created_at: ctx.now,
        })
    })
}

fn named(feed: Feed, schools: &Schools) -> NamedFeed {
    let known = feed.school_ids.iter().filter_map(|it| schools.get(*it));
    let mut urns: Vec<_> = known.map(|it| it.urn.clone()).collect();
    urns.sort();
    NamedFeed { feed, urns }
}

async fn required(tx: &mut Tx, feed_id: FeedId) -> Result<Feed> {
    store::feed::get(tx, feed_id).await?.ok_or_else(|| missing(feed_id))
}

fn missing(feed_id: FeedId) -> Error {
    Error::not_found("feed", feed_id)
}
