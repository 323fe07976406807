//! A caller over the network, as any vendor is one: HTTP/1.1, one connection kept open.

use anyhow::{Result, bail};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
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
    token: String,
}

impl Rest {
    pub(crate) async fn connect(address: &str, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, address: address.to_owned(), token: token.to_owned() })
    }

    /// Posts JSON and gives the answer of a request that succeeded.
    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        self.send(Request::post(path), Bytes::from(body.to_string())).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Value> {
        self.send(Request::get(path), Bytes::new()).await
    }

    async fn send(&mut self, request: Builder, body: Bytes) -> Result<Value> {
        let request = request
            .header(HOST, &self.address)
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let path = request.uri().path().to_owned();
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(serde_json::from_slice(&body)?)
    }
}
