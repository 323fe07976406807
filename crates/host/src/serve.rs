//! The accept loop: HTTP/1.1 and HTTP/2 on one listener, with limits that `axum::serve` does not offer.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderValue, header},
};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use rpc::auth::Shown;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt, service_fn};

use crate::{Limits, limits::Peer};

/// The smallest buffer that hyper takes for a connection of HTTP/1, in bytes.
const LEAST_BUFFER: u32 = 8192;
/// A browser that was here over TLS comes back over TLS, for a year.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// Streams that a caller may begin and give up before the connection is closed ("rapid reset", CVE-2023-44487).
const RESETS: usize = 20;

/// Serves until `stop` is cancelled, then lets what is under way finish, but never longer than the limit: a half-sent
/// request would hold a stop up for ever.
///
/// With `tls` the port speaks TLS and nothing else.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    tls: Option<tls::Server>,
    stop: CancellationToken,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.connections.get()));
    let house = House { builder: builder(&limits), router, limits };
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
        let guest = Guest { peer: Peer(peer), shown: None, place, watcher: graceful.watcher() };
        let (house, tls) = (house.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => house.attend(stream, guest, false).await,
                Some(tls) => house.greet(&tls, stream, guest).await,
            }
        });
    }
    drop(listener);
    if timeout(Duration::from_secs(limits.drain_s), graceful.shutdown()).await.is_err() {
        tracing::info!("stopping although some connections are still open");
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head())
        // Beyond twice as many nobody is answered in a document.
        .max_headers(2 * limits.headers.get() as usize)
        .max_buf_size(limits.header_bytes.get().max(LEAST_BUFFER) as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes.get())
        .max_concurrent_streams(limits.streams_per_connection.get())
        .max_pending_accept_reset_streams(RESETS)
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// A connection's place among all, and who is at its other end.
struct Guest {
    peer: Peer,
    /// Whether it showed a service's certificate, where one is asked for.
    shown: Option<Shown>,
    place: OwnedSemaphorePermit,
    watcher: Watcher,
}

#[derive(Clone)]
struct House {
    builder: auto::Builder<TokioExecutor>,
    router: Router,
    limits: Limits,
}

impl House {
    /// Shakes hands before anything is said.
    async fn greet(self, tls: &tls::Server, stream: TcpStream, mut guest: Guest) {
        match timeout(self.limits.head(), tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                guest.shown = tls.shown(&stream).map(Shown);
                self.attend(stream, guest, true).await;
            }
            Ok(Err(error)) => {
                metrics::counter!("headway_refused_total", "limit" => "handshake").increment(1);
                tracing::debug!(%error, "no TLS with a caller");
            }
            Err(_) => {
                metrics::counter!("headway_refused_total", "limit" => "silence").increment(1);
            }
        }
    }

    async fn attend<S>(self, stream: S, guest: Guest, secure: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Guest { peer, shown, place, watcher } = guest;
        let begun = CancellationToken::new();
        let beginning = begun.clone();
        let router = self.router;
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            beginning.cancel();
            request.extensions_mut().insert(peer);
            if let Some(shown) = shown {
                request.extensions_mut().insert(shown);
            }
            let router = router.clone();
            async move {
                let mut answer = router.oneshot(request).await.unwrap_or_else(|it| match it {});
                if secure {
                    answer.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let connection = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service))
            .into_owned();
        let mut watched = pin!(watcher.watch(connection));
        // hyper's own limit begins once it knows which HTTP it speaks: who says nothing would be waited for for ever.
        let silent = tokio::select! {
            ended = &mut watched => return log_end(ended.err(), place),
            begun = timeout(self.limits.head() * 2, begun.cancelled()) => begun.is_err(),
        };
        if silent {
            metrics::counter!("headway_refused_total", "limit" => "silence").increment(1);
        } else {
            log_end(watched.await.err(), place);
        }
    }
}

/// Ends a connection's time, which frees its place.
fn log_end(error: Option<Box<dyn std::error::Error + Send + Sync>>, place: OwnedSemaphorePermit) {
    if let Some(error) = error {
        tracing::debug!(%error, "connection ended");
    }
    drop(place);
}
