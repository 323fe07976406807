//! News for open pages: the three journals are followed once, however many people look.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::response::sse::{Event, KeepAlive, Sse};
use contract::journal::{SubscribeRequest, journal_service_client::JournalServiceClient};
use futures::{Stream, stream};
use rpc::Peer;
use tokio::sync::watch;
use tonic::Status;

use crate::read;

/// The shortest time between two changes told to one page.
const BREATH: Duration = Duration::from_secs(1);
/// How long to wait before a broken subscription is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// Counts news. From the first look on, each journal is followed by one task.
#[derive(Clone)]
pub(crate) struct News {
    count: Arc<watch::Sender<u64>>,
    following: Arc<AtomicBool>,
}

impl News {
    pub(crate) fn new() -> Self {
        Self { count: Arc::new(watch::Sender::new(0)), following: Arc::default() }
    }

    /// A page's own stream of `change` events.
    pub(crate) fn listen(
        &self,
        journals: [(&'static str, Peer); 3],
    ) -> Sse<impl Stream<Item = Result<Event, Infallible>> + Send + use<>> {
        if !self.following.swap(true, Ordering::Relaxed) {
            for (service, peer) in journals {
                tokio::spawn(follow(self.clone(), service, peer));
            }
        }
        Sse::new(changes(self.count.subscribe())).keep_alive(KeepAlive::default())
    }

    fn tell(&self) {
        self.count.send_modify(|it| *it = it.wrapping_add(1));
    }
}

/// One event for any number of news, at most one a breath.
fn changes(
    count: watch::Receiver<u64>,
) -> impl Stream<Item = Result<Event, Infallible>> + Send + use<> {
    stream::unfold((count, false), |(mut count, told)| async move {
        if told {
            tokio::time::sleep(BREATH).await;
        }
        count.changed().await.ok()?;
        let number = *count.borrow_and_update();
        Some((Ok(Event::default().event("change").data(number.to_string())), (count, true)))
    })
}

/// Follows one journal, starting over where it broke off.
async fn follow(news: News, service: &'static str, peer: Peer) {
    let mut after = None;
    loop {
        if let Err(status) = subscribe(&news, service, peer.clone(), &mut after).await {
            tracing::warn!(service, cause = status.message(), "lost a journal; trying again");
        }
        tokio::time::sleep(RETRY).await;
        // Whatever was missed meanwhile, the page is read whole.
        news.tell();
    }
}

async fn subscribe(
    news: &News,
    service: &'static str,
    peer: Peer,
    after: &mut Option<u64>,
) -> Result<(), Status> {
    let from = match *after {
        Some(position) => position,
        None => read::head(peer.clone(), service).await?,
    };
    *after = Some(from);
    let request = SubscribeRequest { service: service.to_owned(), after: from };
    let mut events = JournalServiceClient::new(peer).subscribe(request).await?.into_inner();
    while let Some(event) = events.message().await? {
        *after = Some(event.position);
        news.tell();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_news_is_told_once_and_the_next_a_breath_later() {
        let news = News::new();
        let mut changes = Box::pin(changes(news.count.subscribe()));
        (0..100).for_each(|_| news.tell());
        let start = tokio::time::Instant::now();
        assert!(changes.next().await.is_some());
        assert_eq!(start.elapsed(), Duration::ZERO);
        news.tell();
        assert!(changes.next().await.is_some());
        assert_eq!(start.elapsed(), BREATH);
        let quiet = tokio::time::timeout(Duration::from_mins(1), changes.next()).await;
        assert!(quiet.is_err(), "no news, no event");
    }
}
