//! Channels to other services: in this process or across the network, the caller cannot tell.

use std::io;

use http::{HeaderValue, Request, Uri, header, uri::Scheme};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::{
    Status,
    body::Body,
    service::Routes,
    transport::{Channel, Endpoint},
};
use tower::{ServiceExt, service_fn, util::BoxCloneSyncService};

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

/// A channel to services at a URL; every call carries the token `token` gives. To `https` it is `tls` that greets them.
pub fn far(
    url: &str,
    tls: Option<tls::Client>,
    token: impl Fn() -> Result<String> + Clone + Send + Sync + 'static,
) -> Result<Peer> {
    let channel = channel(url, tls)?.map_err(|error: tonic::transport::Error| {
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

/// Connected when first used, and again when the connection is lost; with whatever certificates hold by then.
fn channel(url: &str, tls: Option<tls::Client>) -> Result<Channel> {
    let uri: Uri = url.parse().map_err(Error::internal)?;
    if uri.scheme() != Some(&Scheme::HTTPS) {
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(Error::internal)?;
        return Ok(endpoint.connect_lazy());
    }
    let tls = tls.ok_or_else(|| {
        Error::internal(format!(
            "{url}: services call each other over TLS with certificates: set [tls] with peers_ca"
        ))
    })?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(443);
    let plain = format!("http://{}", uri.authority().map_or("", |it| it.as_str()));
    let endpoint = Endpoint::from_shared(plain).map_err(Error::internal)?;
    // What is sent is HTTP/2 either way; the connector is where the bytes become secret.
    Ok(endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
        let (tls, host) = (tls.clone(), host.clone());
        async move {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(TokioIo::new(tls.connect(&host, stream).await?))
        }
    })))
}
