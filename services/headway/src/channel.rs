//! Channels between services, near or far, and what is said where nobody asks for a service.

use anyhow::{Context, Result};
use axum::Router;
use rpc::{Caller, Ctx, Peer, Reach, Scope, token::OF_SERVICES};
use tonic::service::Routes;

use crate::{
    config::{Config, Service},
    secrets::Secrets,
};

/// A channel to a service, through these routes where it runs here.
pub(crate) fn connect(
    (config, secrets, near): (&Config, &Secrets, Option<&Routes>),
    to: Service,
    from: &'static str,
    reach: Reach,
    scopes: Vec<Scope>,
) -> Result<Peer> {
    if let Some(routes) = near {
        return Ok(rpc::near(routes.clone(), caller(from, reach, &scopes)));
    }
    let keys = secrets.tokens.clone();
    let trust = match reach {
        Reach::Platform => None,
        Reach::Trust(trust_id) => Some(trust_id),
    };
    let token = move || keys.issue(from, trust, &scopes, Ctx::system(from).now, OF_SERVICES);
    let files = config.tls.files()?.filter(|it| it.peers_ca.is_some());
    let tls = files.as_ref().map(tls::Client::open).transpose().context("[tls]")?;
    Ok(rpc::far(config.peer(to)?, tls, token)?)
}

/// What `/` says while no board is shown there.
pub(crate) fn landing() -> Router {
    const TEXT: &str = "Headway is running.\n\n/openapi.json  the REST contract; gRPC is on the same port, with reflection\n\
        /readyz        whether every database answers\n\nNaming a trust under [board] in the settings shows its board here.\n";
    Router::new().route("/", axum::routing::get(async || TEXT))
}

pub(crate) fn caller(client_id: &str, reach: Reach, scopes: &[Scope]) -> Caller {
    Caller::whole(client_id, reach, scopes.iter().copied())
}
