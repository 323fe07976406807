//! Hints of what is new: each journal is followed once, for all webhooks. A hint that is missed costs a minute, nothing
//! else.

use std::{sync::Arc, time::Duration};

use contract::journal::{ListEventsRequest, SubscribeRequest};
use futures::future::join_all;
use identity::TrustId;
use rpc::{Reach, Result};
use tokio::time::sleep;

use super::{SERVICES, Telling, unreachable};

const RETRY: Duration = Duration::from_secs(2);

/// Listens to all journals until dropped.
pub(super) async fn listen(telling: Arc<Telling>) {
    join_all(SERVICES.map(|service| follow(&telling, service))).await;
}

async fn follow(telling: &Telling, service: &'static str) {
    loop {
        if let Err(error) = hear(telling, service).await {
            tracing::debug!(service, %error, "webhooks hear of this journal later");
        }
        sleep(RETRY).await;
    }
}

async fn hear(telling: &Telling, service: &'static str) -> Result<()> {
    let mut journal = telling.journal(service, Reach::Platform)?;
    let last = ListEventsRequest {
        service: service.to_owned(),
        page_size: Some(1),
        ..ListEventsRequest::default()
    };
    let head = journal.list_events(last).await.map_err(unreachable)?.into_inner().head;
    let request = SubscribeRequest { service: service.to_owned(), after: head };
    let mut events = journal.subscribe(request).await.map_err(unreachable)?.into_inner();
    while let Some(event) = events.message().await.map_err(unreachable)? {
        if let Ok(trust_id) = TrustId::parse(&event.trust_id) {
            telling.heard(trust_id);
        }
    }
    Ok(())
}
