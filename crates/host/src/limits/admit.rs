//! Whether a request may begin: its client's rate and requests under way, and an encoding that is read.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::Response,
};
use http_body::{Frame, SizeHint};
use rpc::{Caller, Error, Reason, body::Refusal};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tower_http::timeout::TimeoutBody;

use super::{
    Limits,
    pace::Paced,
    share::{Client, Share, Shares, Turn, UNIT},
    told::Told,
};
use crate::front::{is_grpc, refuse};

/// The address a request came from, left in it by the accept loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// All that is counted, in one place for every connection.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    shares: Shares,
    /// Bytes of all bodies in memory, in `UNIT`s.
    body: Arc<Semaphore>,
    told: Told,
    limits: Limits,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Self {
        let units = (limits.body_bytes.get() / UNIT).min(u32::MAX as usize);
        Self(Arc::new(Inner {
            shares: Shares::new(limits),
            body: Arc::new(Semaphore::new(units)),
            told: Told::new(limits),
            limits,
        }))
    }

    /// Reserves bytes of a client's share and of everybody's, waiting in turn. What is larger than a share takes a share.
    pub(super) async fn reserve(&self, share: Arc<Share>, bytes: u64) -> Result<Held, Refusal> {
        let limits = &self.0.limits;
        let most = limits.body_bytes_per_client.min(limits.body_bytes).get() / UNIT;
        let units = bytes.div_ceil(UNIT as u64).min(most as u64);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let wait = Duration::from_secs(limits.body_wait_s);
        let reserving = async {
            let own = Arc::clone(&share.body).acquire_many_owned(units).await.ok()?;
            let all = Arc::clone(&self.0.body).acquire_many_owned(units).await.ok()?;
            metrics::gauge!("headway_body_reserved_bytes").increment(f64::from(units) * 1024.0);
            Some(Held { units, _own: own, _all: all })
        };
        if let Ok(Some(held)) = timeout(wait, reserving).await {
            return Ok(held);
        }
        refused("bodies");
        let detail = format!(
            "too many bytes at once: the bodies that one client has under way may take {} bytes of memory, those of \
             all {}; wait for answers before you send more",
            limits.body_bytes_per_client, limits.body_bytes,
        );
        let wait = Duration::from_secs(1);
        Err(Refusal { reason: Reason::Overloaded, detail: detail.into(), wait })
    }

    fn enter(&self, request: &mut Request) -> Result<(OwnedSemaphorePermit, u32), (Error, u32)> {
        let address = request.extensions().get::<Peer>().map_or(IpAddr::from([0; 4]), |it| it.0);
        let client = request
            .extensions()
            .get::<Caller>()
            .map_or_else(|| Client::at(address), |it| Client::Known(it.client_id.clone()));
        let share = self.0.shares.of(client, Instant::now());
        let limits = &self.0.limits;
        let remaining = match share.take_turn() {
            Turn::Now { remaining } => remaining,
            Turn::In(wait) => {
                refused("requests");
                let detail = format!(
                    "too many requests: this client may send {} a second, and {} at once after a pause; \
                     wait as long as Retry-After says, and put more records into one push",
                    limits.requests_per_second, limits.burst,
                );
                return Err((Error::new(Reason::RateLimited, detail).after(wait), 0));
            }
        };
        let Ok(permit) = Arc::clone(&share.requests).try_acquire_owned() else {
            refused("concurrent");
            let detail = format!(
                "too much at once: this client may have {} requests under way; wait for answers",
                limits.concurrent_requests,
            );
            return Err((Error::new(Reason::Overloaded, detail), remaining));
        };
        check_head(request, limits).map_err(|error| (error, remaining))?;
        check_encoding(request.headers()).map_err(|error| (error, remaining))?;
        request.extensions_mut().insert(share);
        Ok((permit, remaining))
    }
}

/// A part of the memory for bodies, given back when dropped.
pub(super) struct Held {
    units: u32,
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Drop for Held {
    fn drop(&mut self) {
        metrics::gauge!("headway_body_reserved_bytes").decrement(f64::from(self.units) * 1024.0);
    }
}

/// A layer for `axum::middleware::from_fn_with_state`, inside that which identifies callers.
pub(crate) async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let grpc = is_grpc(&request);
    let (permit, remaining) = match gate.enter(&mut request) {
        Ok(entered) => entered,
        Err((error, remaining)) => {
            let unreadable = error.reason == Reason::EncodingUnsupported;
            let mut response = refuse(grpc, error);
            if unreadable {
                // RFC 9110, 12.5.3: what would have been read.
                let accepted = HeaderValue::from_static("gzip");
                response.headers_mut().insert(header::ACCEPT_ENCODING, accepted);
            }
            gate.0.told.write(response.headers_mut(), remaining);
            return response;
        }
    };
    let limits = &gate.0.limits;
    let idle = Duration::from_secs(limits.body_idle_s);
    let pace = limits.body_bytes_per_second;
    let takes_long = takes_its_time(request.uri().path());
    let request = request.map(|it| {
        let paced = Paced::new(Body::new(TimeoutBody::new(idle, it)), pace, idle);
        Body::new(paced)
    });
    let answering = next.run(request);
    let answer = if takes_long {
        answering.await
    } else {
        let answered = timeout(Duration::from_secs(limits.request_timeout_s), answering).await;
        answered.unwrap_or_else(|_| refuse(grpc, out_of_time(limits)))
    };
    let mut response = answer.map(|body| Body::new(Counted { body, _permit: permit }));
    gate.0.told.write(response.headers_mut(), remaining);
    response
}

/// Whether a request's time is its body's, which may be large: that is held to a pace, and not to an end.
fn takes_its_time(path: &str) -> bool {
    ["/batches", "/PushRecords", "/establishment-imports", "/ImportEstablishments"]
        .iter()
        .any(|it| path.ends_with(it))
}

fn out_of_time(limits: &Limits) -> Error {
    refused("time");
    let detail = format!(
        "no answer was ready within {} seconds; what was begun may still be done: ask for it, or send the same request \
         again with its Idempotency-Key",
        limits.request_timeout_s
    );
    Error::new(Reason::RequestTimedOut, detail)
}

/// The sizes that a parser lets pass and nobody needs.
fn check_head(request: &Request, limits: &Limits) -> Result<(), Error> {
    let count = request.headers().len();
    if count > limits.headers.get() as usize {
        refused("headers");
        let detail = format!("{count} header fields; at most {} are read", limits.headers);
        return Err(Error::new(Reason::HeadersTooMany, detail));
    }
    let length = request.uri().query().unwrap_or("").len();
    if length > limits.query_bytes.get() as usize {
        refused("query");
        let detail =
            format!("the query has {length} bytes; at most {} are read", limits.query_bytes);
        return Err(Error::new(Reason::QueryTooLong, detail));
    }
    Ok(())
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Error> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Ok(()) };
    if ["gzip", "identity"].iter().any(|it| encoding.as_bytes().eq_ignore_ascii_case(it.as_bytes()))
    {
        return Ok(());
    }
    refused("encoding");
    let detail = "this Content-Encoding is not read: send gzip, or the body as it is";
    Err(Error::new(Reason::EncodingUnsupported, detail))
}

/// Counts a refusal by the limit that refused.
fn refused(limit: &'static str) {
    metrics::counter!("headway_refused_total", "limit" => limit).increment(1);
}

/// An answer's body; its request is under way until the last byte of it.
struct Counted {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
