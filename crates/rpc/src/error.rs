//! One error for every door: REST writes it as a problem document (RFC 9457), gRPC as a status with rich details.

use std::{borrow::Cow, error::Error as StdError, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
pub use contract::common::ErrorReason as Reason;
use serde_json::json;
use tonic_types::{ErrorDetails, StatusExt};

use crate::request_id;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with one value, before it is known where the value stood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Fault {
    pub reason: Reason,
    pub detail: Cow<'static, str>,
    /// What would have been accepted, where that is a short list.
    pub accepted: Vec<String>,
}

impl Fault {
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into(), accepted: Vec::new() }
    }

    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::FieldInvalid, detail)
    }

    #[must_use]
    pub fn accepting<T: ToString>(mut self, accepted: impl IntoIterator<Item = T>) -> Self {
        self.accepted = accepted.into_iter().map(|it| it.to_string()).collect();
        self
    }
}

/// A fault and where it is, as a JSON Pointer into the request (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub pointer: String,
    pub fault: Fault,
}

/// A failure to tell the caller about.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    pub reason: Reason,
    pub detail: Cow<'static, str>,
    pub problems: Vec<Problem>,
    /// How long to wait, where that is known better than by the reason.
    wait: Option<Duration>,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into(), problems: Vec::new(), wait: None, source: None }
    }

    /// One wrong field.
    pub fn field(pointer: impl Into<String>, fault: Fault) -> Self {
        Self::fields(vec![Problem { pointer: pointer.into(), fault }])
    }

    pub fn fields(problems: Vec<Problem>) -> Self {
        let detail = match problems.as_slice() {
            [only] => Cow::from(format!("{}: {}", only.pointer, only.fault)),
            many => Cow::from(format!("{} fields are wrong", many.len())),
        };
        Self { reason: Reason::RequestInvalid, detail, problems, wait: None, source: None }
    }

    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(Reason::NotFound, format!("no {what} {id}"))
    }

    /// Somebody else was first.
    pub fn stale(now: impl std::fmt::Display) -> Self {
        let detail =
            format!("somebody changed it after you read it: it is at version {now}; read it again");
        Self::new(Reason::VersionStale, detail)
    }

    /// Our own fault: the cause is logged, never told.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(Reason::Internal, "something went wrong on our side")
        }
    }

    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// Says how long to wait before the same request may succeed.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { wait: Some(wait), ..self }
    }

    /// How long to wait before the same request may succeed.
    pub fn retry_after(&self) -> Option<Duration> {
        if self.wait.is_some() {
            return self.wait;
        }
        match self.reason {
            Reason::IdempotencyInFlight
            | Reason::Overloaded
            | Reason::RateLimited
            | Reason::RequestTimedOut
            | Reason::Unavailable => Some(Duration::from_secs(1)),
            Reason::StorageFull => Some(Duration::from_mins(1)),
            _ => None,
        }
    }

    fn log(&self) {
        if status(self.reason).is_server_error() {
            tracing::error!(
                request_id = %request_id(),
                reason = name(self.reason),
                cause = self.source.as_ref().map(tracing::field::display),
                "request failed"
            );
        }
    }
}

/// A reason as the documents spell it.
pub fn name(reason: Reason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

/// Where a reason is explained: the `type` of its problem documents.
pub fn type_uri(reason: Reason) -> String {
    format!("/errors/{}", name(reason).to_ascii_lowercase().replace('_', "-"))
}

/// The HTTP status of a reason. Reasons of fields appear inside an invalid request.
pub fn status(reason: Reason) -> StatusCode {
    use Reason as R;
    match reason {
        R::Unspecified | R::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        R::BodyMalformed
        | R::RequestInvalid
        | R::FieldRequired
        | R::FieldUnknown
        | R::FieldType
        | R::FieldInvalid
        | R::DateInFuture
        | R::CodeUnknown
        | R::PageTokenInvalid
        | R::ColumnMissing
        | R::FileMalformed
        | R::PupilUnknown
        | R::PersonErased
        | R::RetentionPassed
        | R::WebhookTargetRefused => StatusCode::BAD_REQUEST,
        R::Unauthenticated => StatusCode::UNAUTHORIZED,
        R::ScopeMissing | R::GrantMissing => StatusCode::FORBIDDEN,
        R::NotFound | R::PathUnknown | R::SchoolUnknown => StatusCode::NOT_FOUND,
        R::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        R::AlreadyExists
        | R::TransitionNotAllowed
        | R::GateNotMet
        | R::IdempotencyInFlight
        | R::SchoolClosed
        | R::RemovalUnconfirmed
        | R::PupilsConflict
        | R::LegalHold
        | R::SnapshotIncomplete
        | R::WebhookLimit => StatusCode::CONFLICT,
        R::ChangesGone => StatusCode::GONE,
        R::VersionStale => StatusCode::PRECONDITION_FAILED,
        R::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        R::VersionMissing => StatusCode::PRECONDITION_REQUIRED,
        R::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        R::MediaTypeUnsupported | R::EncodingUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        R::Overloaded | R::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        R::BodyStalled => StatusCode::REQUEST_TIMEOUT,
        R::HeadersTooMany => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        R::QueryTooLong => StatusCode::URI_TOO_LONG,
        R::Unavailable | R::StorageFull | R::JournalDamaged | R::RequestTimedOut => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        R::NotOffered => StatusCode::NOT_IMPLEMENTED,
    }
}

/// The gRPC code of a reason.
pub fn code(reason: Reason) -> tonic::Code {
    use tonic::Code;
    match reason {
        Reason::AlreadyExists => Code::AlreadyExists,
        Reason::IdempotencyInFlight | Reason::VersionStale => Code::Aborted,
        Reason::BodyTooLarge
        | Reason::HeadersTooMany
        | Reason::QueryTooLong
        | Reason::Overloaded
        | Reason::RateLimited => Code::ResourceExhausted,
        Reason::BodyStalled | Reason::RequestTimedOut => Code::DeadlineExceeded,
        Reason::TransitionNotAllowed
        | Reason::GateNotMet
        | Reason::SchoolClosed
        | Reason::RemovalUnconfirmed
        | Reason::PupilsConflict
        | Reason::LegalHold
        | Reason::SnapshotIncomplete
        | Reason::WebhookLimit
        | Reason::VersionMissing => Code::FailedPrecondition,
        Reason::MethodNotAllowed | Reason::PathUnknown | Reason::NotOffered => Code::Unimplemented,
        Reason::JournalDamaged => Code::DataLoss,
        Reason::ChangesGone => Code::OutOfRange,
        other => match status(other) {
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::NOT_FOUND => Code::NotFound,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            StatusCode::INTERNAL_SERVER_ERROR => Code::Internal,
            _ => Code::InvalidArgument,
        },
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        let status = status(self.reason);
        let errors: Vec<_> = self
            .problems
            .iter()
            .map(|it| {
                json!({
                    "pointer": it.pointer,
                    "code": name(it.fault.reason),
                    "detail": it.fault.detail,
                    "accepted": it.fault.accepted,
                })
            })
            .collect();
        let body = json!({
            "type": type_uri(self.reason),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.detail,
            "reason": name(self.reason),
            "errors": errors,
            "requestId": request_id().to_string(),
        });
        let mut response = (status, Body::from(body.to_string())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after() {
            // The header has whole seconds: rounded up, so that who obeys it is not refused again.
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX)),
            );
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        error.log();
        let mut details = ErrorDetails::with_error_info(
            name(error.reason),
            "headway",
            std::collections::HashMap::new(),
        );
        details.set_request_info(request_id().to_string(), "");
        if let Some(wait) = error.retry_after() {
            details.set_retry_info(Some(wait));
        }
        for problem in &error.problems {
            details.add_bad_request_violation(&problem.pointer, problem.fault.detail.clone());
        }
        Self::with_error_details(code(error.reason), error.detail, details)
    }
}

/// Database errors a caller can act on are mapped where they occur; the rest are ours.
impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        let (reason, detail) = match &source {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed => {
                (Reason::Unavailable, "the database cannot be reached just now")
            }
            sqlx::Error::Database(it) => match it.code().as_deref() {
                // SQLite: FULL, and IOERR as a full disk shows on some file systems; PostgreSQL: disk_full.
                Some("13" | "53100") => {
                    (Reason::StorageFull, "the database has no room left; nothing was stored")
                }
                // SQLite: BUSY; PostgreSQL: serialization, deadlock, lock timeout, idle in transaction, shutdown, crash,
                // starting up, connections.
                Some(
                    "5" | "517" | "40001" | "40P01" | "55P03" | "25P03" | "57P01" | "57P02"
                    | "57P03" | "53300",
                ) => (Reason::Unavailable, "the database is busy"),
                _ => return Self::internal(source),
            },
            _ => return Self::internal(source),
        };
        Self::new(reason, detail).caused_by(source)
    }
}
