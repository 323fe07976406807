//! Why a body could not be read to its end.

use std::{borrow::Cow, error::Error as StdError, time::Duration};

use http_body_util::LengthLimitError;
use tower_http::timeout::TimeoutError;

use crate::{Error, Reason};

/// Why reading of a body was stopped on our side, as the error that its reader meets.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    pub reason: Reason,
    pub detail: Cow<'static, str>,
    pub wait: Duration,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.reason, refusal.detail).after(refusal.wait)
    }
}

/// What to tell the caller of a body that ended before its end, whoever ended it. `limit` is in bytes.
pub fn broke_off(error: impl Into<Box<dyn StdError + Send + Sync>>, limit: usize) -> Error {
    let error = error.into();
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&*error);
    while let Some(it) = cause {
        if let Some(refusal) = it.downcast_ref::<Refusal>() {
            return refusal.clone().into();
        }
        if it.is::<LengthLimitError>() {
            return too_large(limit);
        }
        if it.is::<TimeoutError>() {
            let detail = "the body stalled: nothing came for longer than is waited; send it again";
            return Error::new(Reason::BodyStalled, detail).caused_by(error);
        }
        cause = it.source();
    }
    let detail = "the body broke off, or is not in the Content-Encoding it names";
    Error::new(Reason::BodyMalformed, detail).caused_by(error)
}

/// For a body of which more than `limit` bytes came or were announced.
pub fn too_large(limit: usize) -> Error {
    let detail = format!("the body may have at most {limit} bytes; send less at once");
    Error::new(Reason::BodyTooLarge, detail)
}
