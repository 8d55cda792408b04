//! tonic: gRPC on HTTP/2, with messages of prost, asked by its own client.
//!
//! What its build script makes out of a `.proto` file is written by hand here, so that no `protoc` is needed.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::SocketAddr,
};

use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    body::Body,
    client,
    codegen::{BoxFuture, Context, Poll, Service, http},
    server::{self, NamedService, UnaryService},
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;

use super::{Asker, ID, NAME, SESSION, Work, load::Library};
use crate::error::BoxError;

const PATH: &str = "/bench.Asking/Ask";

/// The request, with a session that nobody looks at.
#[derive(Clone, PartialEq, prost::Message)]
struct Ask {
    #[prost(string, tag = "1")]
    session: String,
    #[prost(uint64, tag = "2")]
    id: u64,
    #[prost(string, tag = "3")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Told {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(string, tag = "2")]
    text: String,
}

/// The service, as it is generated.
#[derive(Clone)]
struct Answering;

impl NamedService for Answering {
    const NAME: &'static str = "bench.Asking";
}

impl Service<http::Request<Body>> for Answering {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            match request.uri().path() {
                PATH => {
                    let mut grpc = server::Grpc::new(ProstCodec::default());
                    Ok(grpc.unary(AskMethod, request).await)
                }
                _ => Ok(Status::unimplemented("no such method").into_http()),
            }
        })
    }
}

struct AskMethod;

impl UnaryService<Ask> for AskMethod {
    type Response = Told;
    type Future = Ready<Result<Response<Told>, Status>>;

    fn call(&mut self, request: Request<Ask>) -> Self::Future {
        let Ask { id, name, .. } = request.into_inner();
        ready(Ok(Response::new(Told { id, text: name })))
    }
}

/// tonic's own server.
pub(super) async fn serve(listener: TcpListener) -> Result<(), BoxError> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Ok(Server::builder()
        .serve_with_incoming(Answering, incoming)
        .await?)
}

/// tonic's own clients. Requests in flight share a connection.
pub(super) async fn client(address: SocketAddr, work: Work) -> Result<impl Asker, BoxError> {
    let mut clients = Vec::new();
    for _ in 0..work.connections() {
        let channel = Channel::from_shared(format!("http://{address}"))?;
        clients.push(client::Grpc::new(
            channel.tcp_nodelay(true).connect().await?,
        ));
    }
    Ok(Library::new(clients, work, ask))
}

async fn ask(mut client: client::Grpc<Channel>) -> Result<(), BoxError> {
    let request = Ask {
        session: SESSION.to_owned(),
        id: ID,
        name: NAME.to_owned(),
    };
    client.ready().await?;
    let path = http::uri::PathAndQuery::from_static(PATH);
    let codec = ProstCodec::<Ask, Told>::default();
    let told = client.unary(Request::new(request), path, codec).await?;
    match told.into_inner().id {
        ID => Ok(()),
        other => Err(format!("an answer to {other}").into()),
    }
}
