//! The page as its readers get it.

#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    unreachable_pub,
    reason = "made up for tests"
)]
mod sample;

use std::future;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode, header},
};
use dashboard::{Board, Peers, View, page};
use tonic::Status;
use tower::{ServiceExt, service_fn, util::BoxCloneSyncService};

const STYLE: &str = include_str!("../../src/board.css");
const SCRIPT: &str = include_str!("../../src/board.js");

fn rendered(view: &View) -> String {
    page(view).into_string()
}

/// Each part of the text that begins with `start`, up to and with `end`.
fn parts<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(start).map(move |(at, _)| {
        let rest = &text[at..];
        &rest[..rest.find(end).map_or(rest.len(), |it| it + end.len())]
    })
}

#[test]
fn every_open_school_stands_in_the_table_once() {
    let view = sample::view();
    let html = rendered(&view);
    for school in view.schools.as_ref().unwrap() {
        let rows = html.matches(&format!("id=\"school-{}\"", school.school_id)).count();
        assert_eq!(rows, usize::from(school.left_on.is_none()), "{}", school.name);
    }
}

#[test]
fn no_picture_and_no_symbol_stands_without_words() {
    let html = rendered(&sample::view());
    let sparks: Vec<_> = parts(&html, "<svg class=\"spark\"", "</svg>").collect();
    assert!(sparks.len() > 20);
    for spark in sparks {
        assert!(spark.contains("aria-label=\"") && spark.contains("weeks from"), "{spark}");
    }
    for steps in parts(&html, "<svg class=\"steps\"", "</strong>") {
        assert!(steps.contains("aria-hidden=\"true\"") && steps.contains("<strong>"), "{steps}");
    }
    for mark in parts(&html, "<span class=\"mark", "</span>") {
        let after = &html[html.find(mark).unwrap() + mark.len()..];
        let words: String = after.chars().take(60).collect();
        assert!(mark.contains("aria-hidden=\"true\""), "{mark}");
        assert!(words.chars().any(char::is_alphabetic), "{mark} is followed by {words}");
    }
    for words in ["better", "worse", "no significant change", "too little data"] {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn a_value_that_is_missing_is_called_what_it_is() {
    let html = rendered(&sample::view());
    let cell = |school: &str, measure: usize| {
        let start = format!("id=\"school-school-{school}\"");
        let row = parts(&html, &start, "</tr>").next().unwrap();
        row.split("<td").nth(measure).unwrap().to_owned()
    };
    let suppressed = cell("6", 3);
    assert!(suppressed.contains(">suppressed<"), "{suppressed}");
    assert!(!suppressed.contains(" %") && !suppressed.contains("<svg"), "{suppressed}");
    assert!(cell("10", 1).contains(">not available<"));
    assert!(cell("11", 4).contains(">no journey opened<"));
    assert!(cell("5", 1).contains("week of 2 Nov 2026"), "another week than its column's");
    assert!(!cell("4", 1).contains("week of"));
    assert!(html.contains("of 11 of 12 schools"), "the trust's line says what it leaves out");
}

#[test]
fn the_journey_shows_what_emerges_and_where_the_rubric_differs() {
    let html = rendered(&sample::view());
    assert!(html.contains("Improve emerging"));
    assert_eq!(html.matches("rubric suggests Repair").count(), 1);
}

#[test]
fn schools_that_left_are_told_with_where_they_went() {
    let html = rendered(&sample::view());
    let gone = parts(&html, "<section id=\"gone\"", "</section>").next().unwrap();
    assert!(gone.contains("Willow Lane Infant School") && gone.contains("Fernleigh Infant School"));
    assert!(gone.contains("31 Aug 2026"));
}

#[test]
fn journal_entries_are_sentences_with_position_and_school() {
    let html = rendered(&sample::view());
    for expected in [
        "The journals hold 1,931 events",
        "No. 57",
        "merged into Fernleigh Infant School",
        "goes on under URN 990109, until now 990050",
        "Improve begins to show, with effect from 5 Oct 2026",
        "Attendance worse, 88.4 % in the week of 9 Nov 2026, outside its usual range",
        "24 records received from Registers: 22 new, 2 corrected",
        "“Every morning counts”: moved to delivering",
    ] {
        assert!(html.contains(expected), "{expected}");
    }
}

/// threat: T-SCRIPT
#[test]
fn nothing_comes_from_outside_and_nothing_is_inline() {
    let html = rendered(&sample::view());
    for (what, text) in [("page", html.as_str()), ("style", STYLE), ("script", SCRIPT)] {
        for outside in ["http:", "https:", "\"//", "@import", "url("] {
            assert!(!text.contains(outside), "{outside} in the {what}");
        }
    }
    assert!(!html.contains(" style=") && !html.contains("<style"));
    assert!(!html.contains(" onclick") && !html.contains("javascript:"));
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("Priory &lt;Park&gt; &amp; Riverside"), "names are escaped");
}

#[test]
fn tables_have_captions_and_every_header_a_scope() {
    let html = rendered(&sample::view());
    assert_eq!(html.matches("<table").count(), html.matches("<caption").count());
    let headers = parts(&html, "<th ", ">").collect::<Vec<_>>();
    assert!(headers.iter().all(|it| it.contains("scope=\"")), "{headers:?}");
}

#[test]
fn a_demonstration_says_that_it_is_one_and_nothing_else_does() {
    let mut view = sample::view();
    let notice = "Synthetic demonstration data: not about the real schools";
    assert!(rendered(&view).contains(notice));
    view.demonstration = false;
    assert!(!rendered(&view).contains(notice));
}

/// A board all of whose peers are down.
fn stranded() -> Router {
    let peer = || {
        BoxCloneSyncService::new(service_fn(|_: Request<tonic::body::Body>| {
            future::ready(Err::<Response<tonic::body::Body>, _>(Status::unavailable("down")))
        }))
    };
    let peers = Peers { registry: peer(), intelligence: peer(), improvement: peer() };
    Board::new(peers, "0199f000-0000-7000-8000-000000000001", false).routes()
}

#[expect(clippy::expect_used, reason = "a test")]
async fn get(path: &str) -> Response<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().expect("a path");
    stranded().oneshot(request).await.expect("routers cannot fail")
}

#[tokio::test]
async fn without_its_peers_the_page_still_renders_and_says_what_is_missing() {
    for path in ["/", "/board"] {
        let response = get(path).await;
        assert_eq!(response.status(), StatusCode::OK);
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let html = String::from_utf8(body.to_vec()).unwrap();
        for what in [
            "The schools cannot be shown",
            "The measures&#39; values cannot be shown",
            "The signals cannot be shown",
            "The improvement projects cannot be shown",
            "The journal of the intelligence service cannot be shown",
        ] {
            let plain = what.replace("&#39;", "'");
            assert!(html.contains(what) || html.contains(&plain), "{what} in {path}");
        }
        assert!(!html.contains("down"), "the cause is for the log");
        assert_eq!(html.contains("<html"), path == "/");
    }
}

/// threat: T-FRAMED
#[tokio::test]
async fn every_answer_is_guarded() {
    for path in ["/", "/board", "/live", "/board.js", "/board.css"] {
        let response = get(path).await;
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"));
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
    }
    let live = get("/live").await;
    assert_eq!(live.headers()[header::CONTENT_TYPE], "text/event-stream");
}
