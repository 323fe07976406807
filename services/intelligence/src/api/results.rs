//! What became of a batch's records: as pages of JSON, or whole as NDJSON or CSV, sent as it is read.

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use contract::{common::ErrorReason, intelligence as pb};
use futures::{Stream, stream};
use rpc::{Ctx, Error, Method, Result, Twin, rest};

use crate::{
    App,
    domain::{BatchId, Outcome, RecordResult},
};

const HEADER: &[&str] = &[
    "line",
    "external_id",
    "outcome",
    "pointer",
    "reason",
    "detail",
    "superseded_by_urn",
    "natural_key",
];

/// How a download is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Lines,
    Csv,
}

impl Form {
    /// What the caller accepts before anything else; nothing when that is JSON.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or("");
        let names = accept.split(',').map(|it| it.split(';').next().unwrap_or("").trim());
        let known = names.map(|it| match it.to_ascii_lowercase().as_str() {
            "application/x-ndjson" | "application/ndjson" => Some(Some(Self::Lines)),
            "text/csv" => Some(Some(Self::Csv)),
            "application/json" | "*/*" => Some(None),
            _ => None,
        });
        known.flatten().next().flatten()
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Lines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        })
    }

    fn write(self, results: Vec<RecordResult>, first: bool) -> Result<Bytes> {
        match self {
            Self::Lines => lines(results),
            Self::Csv => table(results, first),
        }
    }
}

/// Serves the results over REST.
pub(super) async fn over_rest(
    app: App,
    method: &'static Method,
    request: Request,
) -> Result<Response> {
    let form = Form::of(request.headers());
    let (ctx, message): (Ctx, pb::ListBatchResultsRequest) = rest::read(method, request).await?;
    let Some(form) = form else {
        return rest::answer(method, &app.list_batch_results(&ctx, message).await?);
    };
    let (batch_id, outcome) = super::doors::asked(&message)?;
    // Whatever is to be refused is refused before the answer begins.
    let first = app.stretch(&ctx, batch_id, 1).await?;
    let body = Body::from_stream(download(app, ctx, (batch_id, outcome), form, first));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, form.media_type());
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// A stretch after the other: no more than one is held.
fn download(
    app: App,
    ctx: Ctx,
    (batch_id, outcome): (BatchId, Option<Outcome>),
    form: Form,
    first: Option<Vec<RecordResult>>,
) -> impl Stream<Item = Result<Bytes, Error>> {
    // CSV has a header also where there are no results.
    let begin = Some((first.unwrap_or_default(), true));
    stream::try_unfold(begin, move |state| {
        let (app, ctx) = (app.clone(), ctx.clone());
        async move {
            let Some((stretch, is_first)) = state else { return Ok(None) };
            let next = match stretch.last().map(|it| it.ordinal + 1) {
                Some(ordinal) => app.stretch(&ctx, batch_id, ordinal).await?,
                None => None,
            };
            let chosen = |it: &RecordResult| outcome.is_none_or(|outcome| it.outcome == outcome);
            let bytes = form.write(stretch.into_iter().filter(chosen).collect(), is_first)?;
            Ok(Some((bytes, next.map(|it| (it, false)))))
        }
    })
}

fn lines(results: Vec<RecordResult>) -> Result<Bytes> {
    let mut bytes = Vec::new();
    for it in results {
        serde_json::to_writer(&mut bytes, &pb::RecordResult::from(it)).map_err(Error::internal)?;
        bytes.push(b'\n');
    }
    Ok(bytes.into())
}

/// A row for each problem, and one for a record without.
fn table(results: Vec<RecordResult>, first: bool) -> Result<Bytes> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if first {
        writer.write_record(HEADER).map_err(Error::internal)?;
    }
    for it in results {
        let (line, outcome) = (it.line.to_string(), name(it.outcome));
        let urn = it.superseded_by_urn.unwrap_or_default();
        let key = it.natural_key.unwrap_or_default();
        let mut row = |pointer: &str, reason: &str, detail: &str| {
            let row = [&line, &it.external_id, &outcome, pointer, reason, detail, &urn, &key];
            writer.write_record(row).map_err(Error::internal)
        };
        for problem in &it.problems {
            let reason = ErrorReason::try_from(problem.reason).unwrap_or_default();
            row(&problem.pointer, rpc::name(reason), &problem.detail)?;
        }
        if it.problems.is_empty() {
            row("", "", "")?;
        }
    }
    writer.into_inner().map(Bytes::from).map_err(|it| Error::internal(it.into_error()))
}

/// As the contract spells it, without the name of the list.
fn name(outcome: Outcome) -> String {
    let name = outcome.contract().as_str_name();
    name.strip_prefix("RECORD_OUTCOME_").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_known_is_taken() {
        #[track_caller]
        fn check(accept: &str, expected: Option<Form>) {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
            assert_eq!(Form::of(&headers), expected, "{accept}");
        }
        check("text/csv", Some(Form::Csv));
        check("application/x-ndjson; q=1", Some(Form::Lines));
        check("application/json, text/csv", None);
        check("image/png, Text/CSV;q=0.5, */*", Some(Form::Csv));
        check("*/*", None);
        check("image/png", None);
        assert_eq!(Form::of(&HeaderMap::new()), None);
    }
}
