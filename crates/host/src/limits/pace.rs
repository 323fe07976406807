//! Bodies that never stop and never come: each piece arrives just before it is given up on.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use rpc::{Reason, body::Refusal};
use tokio::time::Instant;

/// A body that must come at so many bytes a second, counted from its first frame.
pub(super) struct Paced {
    body: Body,
    least_per_second: u64,
    /// How long it may take however little comes of it.
    grace: Duration,
    began: Option<Instant>,
    seen: u64,
}

impl Paced {
    pub(super) fn new(body: Body, least_per_second: u64, grace: Duration) -> Self {
        Self { body, least_per_second, grace, began: None, seen: 0 }
    }

    fn is_slow(&self, now: Instant) -> bool {
        let Some(took) = self.began.and_then(|it| now.duration_since(it).checked_sub(self.grace))
        else {
            return false;
        };
        self.seen < took.as_secs().saturating_mul(self.least_per_second)
    }

    fn refusal(&self) -> Refusal {
        let detail = format!(
            "the body comes too slowly: at least {} bytes a second are waited for; send it again, in smaller parts",
            self.least_per_second
        );
        Refusal { reason: Reason::BodyStalled, detail: detail.into(), wait: Duration::from_secs(1) }
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let now = Instant::now();
        self.began.get_or_insert(now);
        let polled = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &polled {
            self.seen += frame.data_ref().map_or(0, |it| it.len() as u64);
            if self.is_slow(now) {
                metrics::counter!("headway_refused_total", "limit" => "pace").increment(1);
                return Poll::Ready(Some(Err(axum::Error::new(self.refusal()))));
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_must_come_at_some_pace_once_the_grace_is_over() {
        const GRACE: Duration = Duration::from_secs(30);
        let mut paced = Paced::new(Body::empty(), 100, GRACE);
        let now = Instant::now();
        assert!(!paced.is_slow(now), "not begun");
        paced.began = Some(now);
        assert!(!paced.is_slow(now + GRACE), "within the grace");
        assert!(paced.is_slow(now + GRACE + Duration::from_secs(10)));
        paced.seen = 1000;
        assert!(!paced.is_slow(now + GRACE + Duration::from_secs(10)));
        assert!(paced.is_slow(now + GRACE + Duration::from_secs(11)));
    }
}
