//! The board page over HTTP.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};

use rpc::Peer;

use crate::{
    live::News,
    page, read,
    view::{Journal, View},
};

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

/// The board page of one trust.
#[derive(Clone)]
pub struct Board {
    peers: Peers,
    trust_id: String,
    demonstration: bool,
    news: News,
}

impl Board {
    /// `demonstration` says on the page that every figure is synthetic.
    pub fn new(peers: Peers, trust_id: impl Into<String>, demonstration: bool) -> Self {
        Self { peers, trust_id: trust_id.into(), demonstration, news: News::new() }
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
        let Peers { registry, intelligence, improvement } = self.peers.clone();
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

    fn journals(&self) -> [(&'static str, Peer); 3] {
        [
            ("registry", self.peers.registry.clone()),
            ("intelligence", self.peers.intelligence.clone()),
            ("improvement", self.peers.improvement.clone()),
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
