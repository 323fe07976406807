//! The accept loop: HTTP/1.1 and HTTP/2 on one listener, with limits that `axum::serve` does not offer.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt, service_fn};

use crate::{Limits, limits::Peer};

/// The smallest buffer that hyper takes for a connection of HTTP/1, in bytes.
const LEAST_BUFFER: u32 = 8192;

/// Serves until `stop` is cancelled, then lets what is under way finish, but never longer than the limit: a half-sent
/// request would hold a stop up for ever.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let head = Duration::from_secs(limits.header_timeout_s);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(limits.header_bytes.get().max(LEAST_BUFFER) as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes.get())
        .max_concurrent_streams(limits.streams_per_connection.get())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .keep_alive_timeout(Duration::from_secs(20));
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections.get()));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => (stream, peer.ip()),
                Err(error) => {
                    // Out of file descriptors, most likely: others must close before more can open.
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "the peer is gone already");
            continue;
        }
        let router = router.clone();
        let begun = CancellationToken::new();
        let beginning = begun.clone();
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            beginning.cancel();
            request.extensions_mut().insert(Peer(peer));
            let router = router.clone();
            async move {
                Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|it| match it {}))
            }
        });
        let connection = builder
            .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service))
            .into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            let mut watched = pin!(watched);
            // hyper's own limit begins once it knows which HTTP it speaks: who says nothing would be waited for for ever.
            let silent = tokio::select! {
                ended = &mut watched => return log_end(ended.err(), place),
                begun = timeout(head * 2, begun.cancelled()) => begun.is_err(),
            };
            if silent {
                metrics::counter!("headway_refused_total", "limit" => "silence").increment(1);
            } else {
                log_end(watched.await.err(), place);
            }
        });
    }
    drop(listener);
    if timeout(Duration::from_secs(limits.drain_s), graceful.shutdown()).await.is_err() {
        tracing::info!("stopping although some connections are still open");
    }
}

/// Ends a connection's time, which frees its place.
fn log_end(error: Option<Box<dyn std::error::Error + Send + Sync>>, place: OwnedSemaphorePermit) {
    if let Some(error) = error {
        tracing::debug!(%error, "connection ended");
    }
    drop(place);
}
