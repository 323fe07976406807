//! How much memory a body may take: nothing that is small is counted, what is larger first gets its share reserved.
//!
//! A body reserves once, all that its handler may hold of it, and before more than a little of it was read. Bodies that
//! reserved as they grew would end up waiting for each other.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::header,
    middleware::Next,
    response::Response,
};
use http_body::{Body as _, Frame, SizeHint};
use rpc::body::{Refusal, broke_off};
use tonic::Status;

use super::{
    admit::{Gate, Held},
    share::Share,
};
use crate::front::{is_grpc, refuse};

/// Bytes of a body that count for nothing: no more than buffers of its connection hold anyway.
const FREE: u64 = 64 << 10;
/// Bytes that a handler holds at the most of a push, which is cut into parts while it comes.
const STREAMED: u64 = 4 << 20;
/// Bytes that a handler holds at the most of a body which is read as a whole: an archive, or a file.
const WHOLE: u64 = 32 << 20;

/// A layer for `axum::middleware::from_fn_with_state`, inside [`super::admit`] and what decompresses.
pub(crate) async fn meter(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Some(share) = request.extensions_mut().remove::<Arc<Share>>() else {
        return next.run(request).await;
    };
    let grpc = is_grpc(&request);
    let window = window(&request);
    let slot = Arc::new(OnceLock::new());
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length <= FREE => {}
        Some(length) => match gate.reserve(share, length.min(window)).await {
            Ok(held) => drop(slot.set(held)),
            Err(refusal) => return refuse(grpc, refusal.into()),
        },
        None if request.body().is_end_stream() => {}
        None => {
            let slot = Arc::clone(&slot);
            request = request.map(|body| {
                Body::new(Metered {
                    body,
                    grpc,
                    window,
                    seen: 0,
                    gate,
                    share,
                    slot,
                    reserving: None,
                })
            });
        }
    }
    let response = next.run(request).await;
    // What was reserved is held until here: the handler has let go of the body.
    drop(slot);
    response
}

/// What the handler may hold of the body at once.
fn window(request: &Request) -> u64 {
    let path = request.uri().path();
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let archive = media.is_some_and(|it| it.to_ascii_lowercase().contains("zip"));
    let push = path.ends_with("/batches") || path.ends_with("/PushRecords");
    if push && !archive { STREAMED } else { WHOLE }
}

type Reserving = Pin<Box<dyn Future<Output = Result<Held, Refusal>> + Send>>;

/// A body of unknown length, which reserves its share when it turns out not to be small.
struct Metered {
    body: Body,
    grpc: bool,
    window: u64,
    seen: u64,
    gate: Gate,
    share: Arc<Share>,
    slot: Arc<OnceLock<Held>>,
    reserving: Option<Reserving>,
}

impl Metered {
    fn poll_reserved(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        if self.seen <= FREE || self.slot.get().is_some() {
            return Poll::Ready(Ok(()));
        }
        let (gate, share, window) = (&self.gate, &self.share, self.window);
        let reserving = self.reserving.get_or_insert_with(|| {
            let (gate, share) = (gate.clone(), Arc::clone(share));
            Box::pin(async move { gate.reserve(share, window).await })
        });
        let held = ready!(reserving.as_mut().poll(context))?;
        self.reserving = None;
        drop(self.slot.set(held));
        Poll::Ready(Ok(()))
    }
}

impl http_body::Body for Metered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = match ready!(self.poll_reserved(context)) {
            Ok(()) => ready!(Pin::new(&mut self.body).poll_frame(context)),
            Err(refusal) => Some(Err(axum::Error::new(refusal))),
        };
        Poll::Ready(match polled {
            Some(Ok(frame)) => {
                self.seen += frame.data_ref().map_or(0, |it| it.len() as u64);
                Some(Ok(frame))
            }
            // tonic tells its caller what it finds of its own kind, and of nothing else.
            Some(Err(error)) if self.grpc => {
                Some(Err(axum::Error::new(Status::from(broke_off(error, usize::MAX)))))
            }
            other => other,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
