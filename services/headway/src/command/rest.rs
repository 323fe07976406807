//! A caller over the network, as any vendor is one: HTTP/1.1, one connection kept open.

use anyhow::{Result, bail};
use axum::http::{
    HeaderValue,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    http::request::Builder,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub(crate) struct Rest {
    sender: SendRequest<Full<Bytes>>,
    address: String,
    bearer: HeaderValue,
}

impl Rest {
    pub(crate) async fn connect(address: &str, token: &str) -> Result<Self> {
        let sender = line(address).await?;
        Ok(Self { sender, address: address.to_owned(), bearer: bearer(token)? })
    }

    /// Goes on as the holder of another token.
    pub(crate) fn hold(&mut self, bearer: &HeaderValue) {
        self.bearer = bearer.clone();
    }

    /// Posts JSON and gives the answer of a request that succeeded.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.send(Request::post(path), Bytes::from(body.to_string())).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// The same of JSON that is written already.
    pub(crate) async fn post_written(&mut self, path: &str, body: Bytes) -> Result<Bytes> {
        self.send(Request::post(path), body).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.get_text(path).await?)?)
    }

    /// The body of an answer, whatever it is.
    pub(crate) async fn get_text(&mut self, path: &str) -> Result<Bytes> {
        self.send(Request::get(path), Bytes::new()).await
    }

    async fn send(&mut self, request: Builder, body: Bytes) -> Result<Bytes> {
        let request = request
            .header(HOST, &self.address)
            .header(AUTHORIZATION, self.bearer.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let path = request.uri().path().to_owned();
        // A server closes connections that idle; nothing of this request has been sent on it.
        if self.sender.ready().await.is_err() {
            self.sender = line(&self.address).await?;
        }
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}

async fn line(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// A token as requests carry it.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue> {
    Ok(HeaderValue::from_str(&format!("Bearer {token}"))?)
}
