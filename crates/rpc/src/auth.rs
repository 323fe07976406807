//! Reads the credential of each request, whichever door it comes by, and gives the request its id.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::{FutureExt, future::BoxFuture};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use crate::{Caller, Error, REQUEST_ID, Reach, Reason, Result, ctx::new_id, token::Keys};

/// How often an answer that goes on is asked whether its caller may still have it.
const AGAIN: Duration = Duration::from_secs(10);

/// Who says whose a token is, and what it is good for at this moment.
pub trait Authority: Send + Sync + 'static {
    /// The holder of a token, with what it may do now. `UNAUTHENTICATED` when it is good for nothing; `UNAVAILABLE` when
    /// nobody can say.
    fn admit<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admitted>>;
}

/// The holder of a token that is good.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub caller: Caller,
    /// Whether it is asked again while an answer goes on. Not of the deployment's own services, who come back anyway.
    pub watched: bool,
}

/// Knows the tokens that a deployment gives itself, and no others.
impl Authority for Keys {
    fn admit<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Admitted>> {
        let verified = self.verify(token).and_then(|it| {
            let refused = || Error::new(Reason::Unauthenticated, "the token is not valid");
            it.service.then(|| Admitted::service(&it)).ok_or_else(refused)
        });
        std::future::ready(verified).boxed()
    }
}

impl Admitted {
    /// For a token of the deployment itself.
    pub fn service(token: &crate::token::Token) -> Self {
        let reach = token.trust.map_or(Reach::Platform, Reach::Trust);
        let mut caller = Caller::whole(&*token.client_id, reach, []);
        caller.scopes.clone_from(&token.scopes);
        Self { caller, watched: false }
    }
}

/// Whether the caller's connection showed a service's certificate; left in each request by the accept loop, and absent
/// where none is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub bool);

/// A layer for `axum::middleware::from_fn_with_state`: a valid token leaves its [`crate::Caller`] in the request.
///
/// It refuses nothing itself but what nobody can judge: [`crate::Ctx::enter`] does, once the RPC and so its scope are
/// known.
pub async fn identify(
    State(authority): State<Arc<dyn Authority>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = new_id();
    let token = bearer(request.headers()).map(str::to_owned);
    let mut watched = None;
    let mut refused = None;
    if let Some(token) = token {
        match authority.admit(&token).await {
            // Who has a service's token and not its certificate is somebody else.
            Ok(admitted) if !admitted.watched && !showed(&request) => {}
            Ok(admitted) => {
                request.extensions_mut().insert(admitted.caller);
                watched = admitted.watched.then_some(token);
            }
            Err(error) if error.reason == Reason::Unauthenticated => {}
            Err(error) => refused = Some(error),
        }
    }
    let answer = async move {
        let grpc = is_grpc(request.headers());
        match refused {
            Some(error) if grpc => Status::from(error).into_http::<Body>().into_response(),
            Some(error) => error.into_response(),
            None => {
                let response = next.run(request).await;
                match watched {
                    Some(token) if response.body().size_hint().exact().is_none() => {
                        response.map(|body| Body::new(Watched::new(body, authority, token, grpc)))
                    }
                    _ => response,
                }
            }
        }
    };
    let mut response = REQUEST_ID.scope(id, answer).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

/// Whether a service could be at the other end: it showed its certificate, or none is asked for.
fn showed(request: &Request) -> bool {
    request.extensions().get::<Shown>().is_none_or(|it| it.0)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE);
    media_type.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"))
}

/// An answer that goes on for as long as its caller may have it.
struct Watched {
    body: Body,
    authority: Arc<dyn Authority>,
    token: String,
    grpc: bool,
    wait: Pin<Box<Sleep>>,
    asking: Option<BoxFuture<'static, Result<Admitted>>>,
    over: bool,
}

impl Watched {
    fn new(body: Body, authority: Arc<dyn Authority>, token: String, grpc: bool) -> Self {
        let wait = Box::pin(sleep_until(Instant::now() + AGAIN));
        Self { body, authority, token, grpc, wait, asking: None, over: false }
    }

    /// The last that the caller is told.
    fn refuse(&mut self, error: Error) -> Result<Frame<Bytes>, axum::Error> {
        self.over = true;
        if !self.grpc {
            return Err(axum::Error::new(error));
        }
        let mut trailers = HeaderMap::new();
        let told = Status::from(error).add_header(&mut trailers);
        told.map(|()| Frame::trailers(trailers)).map_err(axum::Error::new)
    }

    /// Ready once the caller may not have more.
    fn poll_refused(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        loop {
            if let Some(asking) = &mut self.asking {
                let answer = ready!(asking.as_mut().poll(context));
                self.asking = None;
                if let Err(error) = answer {
                    return Poll::Ready(error);
                }
                self.wait.as_mut().reset(Instant::now() + AGAIN);
            }
            ready!(self.wait.as_mut().poll(context));
            let (authority, token) = (Arc::clone(&self.authority), self.token.clone());
            self.asking = Some(async move { authority.admit(&token).await }.boxed());
        }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        // What is ready at once, as most answers are, sets no timer.
        let due = self.asking.is_some() || self.wait.deadline() <= Instant::now();
        if due && let Poll::Ready(error) = self.poll_refused(context) {
            return Poll::Ready(Some(self.refuse(error)));
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Pending => {
                let error = ready!(self.poll_refused(context));
                Poll::Ready(Some(self.refuse(error)))
            }
            frame @ Poll::Ready(_) => frame,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
