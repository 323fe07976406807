//! Both doors, each over a connection that is kept.

use std::time::Duration;

use bytes::{Buf, BufMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    body::{Body, Bytes},
    client::conn::http1::SendRequest,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};
use tonic::{
    Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};

use super::invent::Question;

/// How long a stream without an end is read.
const LISTENED: Duration = Duration::from_millis(60);
/// How long an answer is waited for.
const ANSWERED: Duration = Duration::from_mins(1);

/// All that came back by either door, heads included.
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) done: bool,
    pub(crate) broken: bool,
}

/// A caller with a token at both doors.
pub(crate) struct Sender {
    address: String,
    token: String,
    rest: SendRequest<Full<Bytes>>,
    channel: Channel,
}

impl Sender {
    pub(crate) async fn connect(address: &str, token: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let rest = dial(address).await;
        Self { address: address.to_owned(), token: token.to_owned(), rest, channel }
    }

    pub(crate) async fn send(&mut self, question: &Question) -> Answer {
        if question.over_grpc { self.grpc(question).await } else { self.rest(question).await }
    }

    async fn rest(&mut self, question: &Question) -> Answer {
        let method = question.method;
        let import = method.descriptor.name() == "ImportEstablishments";
        let media = if import { "text/csv" } else { "application/json" };
        let request = Request::builder()
            .method(method.verb.as_str())
            .uri(question.path())
            .header("host", &self.address)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", media);
        let body = if method.writes() { question.body() } else { String::new() };
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        if self.rest.ready().await.is_err() {
            self.rest = dial(&self.address).await;
        }
        let response = self.rest.send_request(request).await.unwrap();
        let (parts, mut body) = response.into_parts();
        let mut bytes = format!("{:?}\n", parts.headers).into_bytes();
        if method.descriptor.is_server_streaming() && parts.status.is_success() {
            while let Ok(Some(Ok(frame))) = timeout(LISTENED, body.frame()).await {
                bytes.extend(frame.data_ref().into_iter().flatten());
            }
            if !body.is_end_stream() {
                self.rest = dial(&self.address).await;
            }
        } else {
            bytes.extend(body.collect().await.unwrap().to_bytes());
        }
        Answer {
            status: parts.status.as_u16().to_string(),
            bytes,
            done: parts.status.is_success(),
            // 503 says to ask again: a proof that no checkpoint covers yet.
            broken: parts.status.is_server_error() && parts.status != 503,
        }
    }

    async fn grpc(&mut self, question: &Question) -> Answer {
        let descriptor = &question.method.descriptor;
        let path = format!("/{}/{}", descriptor.parent_service().full_name(), descriptor.name());
        let mut request = tonic::Request::new(futures::stream::iter([question.message()]));
        let bearer = format!("Bearer {}", self.token).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(64 << 20);
        grpc.ready().await.unwrap();
        match grpc.streaming(request, PathAndQuery::try_from(path).unwrap(), Plain).await {
            Err(status) => refused(&status),
            Ok(response) => {
                let mut bytes = format!("{:?}\n", response.metadata()).into_bytes();
                let mut stream = response.into_inner();
                let wait = if descriptor.is_server_streaming() { LISTENED } else { ANSWERED };
                loop {
                    match timeout(wait, stream.message()).await {
                        Ok(Ok(Some(message))) => bytes.extend(message),
                        Ok(Err(status)) => return refused(&status),
                        Ok(Ok(None)) | Err(_) => break,
                    }
                }
                Answer { status: "Ok".to_owned(), bytes, done: true, broken: false }
            }
        }
    }
}

fn refused(status: &Status) -> Answer {
    let broken = matches!(status.code(), tonic::Code::Internal | tonic::Code::Unknown);
    let details = String::from_utf8_lossy(status.details());
    let bytes = format!("{} {:?} {details}", status.message(), status.metadata()).into_bytes();
    Answer { status: format!("{:?}", status.code()), bytes, done: false, broken }
}

async fn dial(address: &str) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Messages as the bytes they are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plain;

impl Codec for Plain {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}
