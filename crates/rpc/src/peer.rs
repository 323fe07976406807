//! Channels to other services: in this process or across the network, the caller cannot tell.

use http::{HeaderValue, Request, header};
use tonic::{Status, body::Body, service::Routes, transport::Endpoint};
use tower::{ServiceExt, util::BoxCloneSyncService};

use crate::{Caller, Error, Result};

/// A channel to a service, near or far: the caller cannot tell.
pub type Peer = BoxCloneSyncService<Request<Body>, http::Response<Body>, Status>;

/// A channel to services in this process; every call is `caller`'s.
pub fn near(routes: Routes, caller: Caller) -> Peer {
    let service = ServiceExt::<Request<Body>>::map_err(routes, |never| match never {});
    BoxCloneSyncService::new(service.map_request(move |mut request: Request<Body>| {
        request.extensions_mut().insert(caller.clone());
        request
    }))
}

/// A channel to services at a URL; every call carries the token `token` gives.
pub fn far(
    url: &str,
    token: impl Fn() -> Result<String> + Clone + Send + Sync + 'static,
) -> Result<Peer> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(Error::internal)?;
    let channel = endpoint.connect_lazy().map_err(|error: tonic::transport::Error| {
        Status::unavailable(format!("the peer does not answer: {error}"))
    });
    Ok(BoxCloneSyncService::new(channel.map_request(move |mut request: Request<Body>| {
        let bearer =
            token().ok().and_then(|it| HeaderValue::from_str(&format!("Bearer {it}")).ok());
        if let Some(bearer) = bearer {
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
        }
        request
    })))
}
