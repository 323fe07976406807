//! The register's files, as a REST body or as a stream of pieces.

use axum::{extract::Request, response::Response};
use contract::registry::{EstablishmentImport, ImportEstablishmentsRequest};
use http::HeaderValue;
use rpc::{Ctx, Error, Fault, Reason, Result, door};
use sha2::{Digest, Sha256};

use super::doors::SERVICE;
use crate::{App, FILE_LIMIT};

/// The largest piece of a stream, in bytes.
const CHUNK_LIMIT: usize = 1 << 20;

pub(super) async fn rest(app: App, request: Request) -> Result<Response> {
    let method = rpc::method(SERVICE, "ImportEstablishments");
    let mut ctx = Ctx::enter(request.extensions().get::<rpc::Caller>(), method)?;
    let media_type = rpc::rest::media_type(request.headers());
    if !["text/csv", "application/octet-stream", "text/plain"].contains(&media_type.as_str()) {
        let detail = "send the file as text/csv, text/plain or application/octet-stream";
        return Err(Error::new(Reason::MediaTypeUnsupported, detail));
    }
    let key = request.headers().get("idempotency-key").cloned();
    let file = rpc::rest::body(request, FILE_LIMIT).await?;
    let digest = Sha256::digest(&file).into();
    ctx.idempotency =
        door::idempotency_of(method, key.as_ref().map(HeaderValue::as_bytes), digest)?;
    let report: EstablishmentImport = app.import(&ctx, file).await?.into();
    rpc::rest::answer(method, &report)
}

pub(super) async fn stream(
    app: &App,
    request: tonic::Request<tonic::Streaming<ImportEstablishmentsRequest>>,
) -> Result<tonic::Response<EstablishmentImport>, tonic::Status> {
    let method = rpc::method(SERVICE, "ImportEstablishments");
    let mut ctx = door::enter(method, &request)?;
    let key = request.metadata().get("idempotency-key").map(|it| it.as_bytes().to_vec());
    let mut pieces = request.into_inner();
    let mut file = Vec::new();
    while let Some(piece) = pieces.message().await? {
        if piece.chunk.len() > CHUNK_LIMIT {
            let fault = Fault::invalid(format!("must be at most {CHUNK_LIMIT} bytes"));
            return Err(Error::field("/chunk", fault).into());
        }
        if file.len() + piece.chunk.len() > FILE_LIMIT {
            let detail = format!("the file may have at most {FILE_LIMIT} bytes");
            return Err(Error::new(Reason::BodyTooLarge, detail).into());
        }
        file.extend_from_slice(&piece.chunk);
    }
    let digest = Sha256::digest(&file).into();
    ctx.idempotency = door::idempotency_of(method, key.as_deref(), digest)?;
    Ok(tonic::Response::new(app.import(&ctx, file).await?.into()))
}
