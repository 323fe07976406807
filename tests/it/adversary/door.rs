//! A refusal as both doors tell it.

use hyper::body::Bytes;
use prost_reflect::{DynamicMessage, prost::Message};
use serde_json::Value;
use tonic::{
    Code, Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt;

use crate::{isolation::Plain, running::Client};

/// The status that REST gives, and the reason; over gRPC the status that stands for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) reason: String,
}

impl Refused {
    pub(crate) fn new(status: u16, reason: &str) -> Self {
        Self { status, reason: reason.to_owned() }
    }
}

/// Both doors of a server.
pub(crate) struct Doors {
    address: String,
    channel: Channel,
}

impl Doors {
    pub(crate) async fn at(url: &str) -> Self {
        let channel = Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap();
        Self { address: url.replace("http://", ""), channel }
    }

    pub(crate) async fn rest(
        &self,
        verb: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> Refused {
        let client = Client { address: self.address.clone(), token: token.map(str::to_owned) };
        let csv = path.starts_with("/v1/establishment-imports");
        let media = if csv { "text/csv" } else { "application/json" };
        let body = Bytes::from(body.to_owned());
        let answer = client.send(verb, path, &[("content-type", media)], body).await;
        if answer.status.is_success() {
            return Refused::new(answer.status.as_u16(), "");
        }
        let reason = answer.refused(answer.status.as_u16());
        if answer.status == 401 {
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{path}");
        }
        Refused { status: answer.status.as_u16(), reason }
    }

    pub(crate) async fn grpc(
        &self,
        method: &rpc::Method,
        token: Option<&str>,
        message: &Value,
    ) -> Refused {
        let descriptor = &method.descriptor;
        let path = format!("/{}/{}", descriptor.parent_service().full_name(), descriptor.name());
        let message = DynamicMessage::deserialize(descriptor.input(), message.clone());
        let message = message.map_or_else(|_| Vec::new(), |it| it.encode_to_vec());
        let mut request = Request::new(futures::stream::iter([message]));
        if let Some(token) = token {
            // What is no header value cannot be sent as one.
            let Ok(value) = format!("Bearer {token}").parse() else {
                return Refused::new(401, "UNAUTHENTICATED");
            };
            request.metadata_mut().insert("authorization", value);
        }
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.unwrap();
        let answer = grpc.streaming(request, PathAndQuery::try_from(path).unwrap(), Plain).await;
        let status = match answer {
            Err(status) => status,
            Ok(response) => match response.into_inner().message().await {
                Err(status) => status,
                Ok(_) => return Refused::new(200, ""),
            },
        };
        let code = match status.code() {
            Code::Unauthenticated => 401,
            Code::PermissionDenied => 403,
            Code::NotFound => 404,
            Code::InvalidArgument => 400,
            _ => 500,
        };
        let details = status.get_error_details();
        let reason =
            details.error_info().map_or_else(|| format!("{status:?}"), |it| it.reason.clone());
        Refused { status: code, reason }
    }
}
