//! Two doors, one room: each RPC is one function, reached over gRPC and over REST.

use std::future::Future;

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, on},
};
use prost::Message;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{Caller, Ctx, Error, Fault, Idempotency, Method, Result, rest};

/// The longest idempotency key, in bytes.
const KEY_LIMIT: usize = 255;

/// Reads a unary or streaming gRPC request's context.
pub fn enter<T>(method: &Method, request: &tonic::Request<T>) -> Result<Ctx> {
    Ctx::enter(request.extensions().get::<Caller>(), method)
}

/// Serves one unary RPC over gRPC.
pub async fn grpc<Q, A, F>(
    method: &'static Method,
    request: tonic::Request<Q>,
    call: impl FnOnce(Ctx, Q) -> F,
) -> Result<tonic::Response<A>, tonic::Status>
where
    Q: Message,
    F: Future<Output = Result<A>>,
{
    let mut ctx = enter(method, &request)?;
    let key = request.metadata().get("idempotency-key").map(|it| it.as_bytes().to_vec());
    let message = request.into_inner();
    ctx.idempotency = idempotency(method, key.as_deref(), &message)?;
    Ok(tonic::Response::new(call(ctx, message).await?))
}

/// Serves one unary RPC over REST, at the verb its annotation gives.
pub fn rest<Q, A, F, C>(method: &'static Method, call: C) -> MethodRouter
where
    Q: Message + DeserializeOwned + 'static,
    A: Serialize + Send + 'static,
    F: Future<Output = Result<A>> + Send + 'static,
    C: Fn(Ctx, Q) -> F + Clone + Send + Sync + 'static,
{
    raw(method, move |request| {
        let call = call.clone();
        async move {
            let (ctx, message) = rest::read(method, request).await?;
            rest::answer(method, &call(ctx, message).await?)
        }
    })
}

/// Serves over REST what is not one JSON message for another: files, line streams, events.
pub fn raw<F, C>(method: &'static Method, call: C) -> MethodRouter
where
    F: Future<Output = Result<Response>> + Send + 'static,
    C: Fn(Request) -> F + Clone + Send + Sync + 'static,
{
    let filter = MethodFilter::try_from(method.verb.clone()).unwrap_or(MethodFilter::TRACE);
    on(filter, move |request: Request| {
        let answer = call(request);
        async move { answer.await.unwrap_or_else(Error::into_response) }
    })
}

/// The caller's idempotency key, with what it is a promise about.
pub fn idempotency(
    method: &Method,
    key: Option<&[u8]>,
    message: &impl Message,
) -> Result<Option<Idempotency>> {
    let mut hash = Sha256::new();
    hash.update(method.descriptor.full_name());
    hash.update(message.encode_to_vec());
    idempotency_of(method, key, hash.finalize().into())
}

/// The same for a request whose digest was taken while it was read.
pub fn idempotency_of(
    method: &Method,
    key: Option<&[u8]>,
    request: [u8; 32],
) -> Result<Option<Idempotency>> {
    let Some(key) = key.filter(|_| method.writes()) else { return Ok(None) };
    let text = std::str::from_utf8(key).ok().filter(|it| {
        (1..=KEY_LIMIT).contains(&it.len()) && it.chars().all(|c| c.is_ascii_graphic())
    });
    let text = text.ok_or_else(|| {
        let fault = Fault::invalid(format!("must be 1 to {KEY_LIMIT} visible ASCII characters"));
        Error::field("/idempotencyKey", fault)
    })?;
    Ok(Some(Idempotency { key: text.to_owned(), request }))
}

/// Implements a tonic service and its REST routes from one list of RPCs.
///
/// Each RPC names a method of the room: `async fn name(&self, ctx: &Ctx, request: Q) -> rpc::Result<A>`. Items in
/// `also` are added to the tonic implementation as they stand: streams, which the list cannot hold. The routes come
/// as `rest_routes(self) -> axum::Router`; scope, verb and path are the contract's.
#[macro_export]
macro_rules! doors {
    (
        impl $server:path as $service:literal for $room:ty {
            $( $rpc:ident => $method:ident($request:ty) -> $answer:ty; )*
        }
        also { $($also:tt)* }
    ) => {
        #[tonic::async_trait]
        impl $server for $room {
            $(
                async fn $method(
                    &self,
                    request: tonic::Request<$request>,
                ) -> Result<tonic::Response<$answer>, tonic::Status> {
                    let method = $crate::method($service, stringify!($rpc));
                    $crate::door::grpc(method, request, async |ctx, message| {
                        <$room>::$method(self, &ctx, message).await
                    })
                    .await
                }
            )*
            $($also)*
        }

        impl $room {
            /// The REST form of every RPC that takes one message and gives one.
            pub fn rest_routes(&self) -> axum::Router {
                let router = axum::Router::new();
                $(
                    let router = {
                        let method = $crate::method($service, stringify!($rpc));
                        let room = self.clone();
                        router.route(
                            &method.path,
                            $crate::door::rest(method, move |ctx, message: $request| {
                                let room = room.clone();
                                async move { <$room>::$method(&room, &ctx, message).await }
                            }),
                        )
                    };
                )*
                router
            }
        }
    };
}
