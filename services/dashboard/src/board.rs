//! The board page over HTTP.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use tonic::Status;
use tower::{ServiceExt, util::BoxCloneSyncService};

use crate::{
    Channel,
    live::News,
    page, read,
    view::{Journal, View},
};
use rpc::Peer;

/// Nothing from anywhere but here; nothing inline; in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Channels to the three services. They carry the board's own credential.
#[derive(Clone)]
pub struct Peers {
    pub registry: Peer,
    pub intelligence: Peer,
    pub improvement: Peer,
}

#[derive(Clone)]
struct Channels {
    registry: Channel,
    intelligence: Channel,
    improvement: Channel,
}

/// The board page of one trust.
#[derive(Clone)]
pub struct Board {
    channels: Channels,
    trust_id: String,
    demonstration: bool,
    news: News,
}

impl Board {
    /// `demonstration` says on the page that every figure is synthetic.
    pub fn new(peers: Peers, trust_id: impl Into<String>, demonstration: bool) -> Self {
        let channel = |peer: Peer| BoxCloneSyncService::new(peer.map_err(Status::from_error));
        let channels = Channels {
            registry: channel(peers.registry),
            intelligence: channel(peers.intelligence),
            improvement: channel(peers.improvement),
        };
        Self { channels, trust_id: trust_id.into(), demonstration, news: News::new() }
    }

    pub fn routes(&self) -> Router {
        Router::new()
            .route("/", get(whole))
            .route("/board", get(changing))
            .route("/live", get(live))
            .route("/board.js", get(script))
            .route("/board.css", get(style))
            .layer(middleware::from_fn(guard))
            .with_state(self.clone())
    }

    /// Asks every peer at once.
    async fn read(&self) -> View {
        let Channels { registry, intelligence, improvement } = self.channels.clone();
        let id = || self.trust_id.clone();
        let (trust, schools, journeys, measures, standings, signals, feeds, projects, journals) = tokio::join!(
            read::trust(registry.clone(), id()),
            read::schools(registry.clone(), id()),
            read::journeys(registry, id()),
            read::measures(intelligence.clone(), id()),
            read::standings(intelligence.clone(), id()),
            read::signals(intelligence.clone(), id()),
            read::feeds(intelligence, id()),
            read::projects(improvement, id()),
            futures::future::join_all(self.journals().map(|(service, peer)| async move {
                Journal { service, tail: read::tail(peer, service, id()).await }
            })),
        );
        View {
            demonstration: self.demonstration,
            read_at: rpc::now(),
            trust,
            schools,
            journeys,
            measures,
            standings,
            signals,
            feeds,
            projects,
            journals,
        }
    }

    fn journals(&self) -> [(&'static str, Channel); 3] {
        [
            ("registry", self.channels.registry.clone()),
            ("intelligence", self.channels.intelligence.clone()),
            ("improvement", self.channels.improvement.clone()),
        ]
    }
}

async fn whole(State(board): State<Board>) -> Html<String> {
    Html(page::page(&Box::pin(board.read()).await).into_string())
}

async fn changing(State(board): State<Board>) -> Html<String> {
    Html(page::changing(&Box::pin(board.read()).await).into_string())
}

async fn live(State(board): State<Board>) -> impl IntoResponse {
    board.news.listen(board.journals())
}

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("board.js"))
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("board.css"))
}

async fn guard(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
