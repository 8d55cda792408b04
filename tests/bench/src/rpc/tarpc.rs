//! tarpc, in JSON and in bincode, over its own transport, asked by its own client.

use std::{io, net::SocketAddr};

use futures_util::{Sink, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tarpc::{
    ClientMessage, Response, client, context, serde_transport,
    server::{BaseChannel, Channel},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_serde::formats::{Bincode, Json};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::{Asker, ID, NAME, SESSION, Work, load::Library};
use crate::{
    app::{Ask, Told},
    error::BoxError,
};

/// What a message is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Bincode,
    Json,
}

/// The request, with a session that nobody looks at.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shown {
    session: String,
    id: u64,
    name: String,
}

#[tarpc::service]
pub(crate) trait Asking {
    async fn ask(request: Shown) -> Told;
}

#[derive(Clone)]
struct Answering;

impl Asking for Answering {
    async fn ask(self, _: context::Context, request: Shown) -> Told {
        let Shown { id, name, .. } = request;
        Ask { id, name }.answer()
    }
}

/// A task for each connection, and for each request, as tarpc's own examples have it.
pub(super) async fn serve(listener: TcpListener, encoding: Encoding) -> Result<(), BoxError> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let framed = Framed::new(stream, LengthDelimitedCodec::new());
        match encoding {
            Encoding::Bincode => answer(serde_transport::new(framed, Bincode::default())),
            Encoding::Json => answer(serde_transport::new(framed, Json::default())),
        }
    }
}

fn answer<T>(transport: T)
where
    T: Stream<Item = io::Result<ClientMessage<AskingRequest>>>
        + Sink<Response<AskingResponse>, Error = io::Error>
        + Send
        + 'static,
{
    let requests = BaseChannel::with_defaults(transport).execute(Answering.serve());
    tokio::spawn(requests.for_each(|request| async {
        tokio::spawn(request);
    }));
}

/// Clients in JSON.
pub(super) async fn json(address: SocketAddr, work: Work) -> Result<impl Asker, BoxError> {
    let mut clients = Vec::new();
    for _ in 0..work.connections() {
        let transport = serde_transport::new(framed(address).await?, Json::default());
        clients.push(AskingClient::new(client::Config::default(), transport).spawn());
    }
    Ok(Library::new(clients, work, ask))
}

/// Clients in bincode.
pub(super) async fn bincode(address: SocketAddr, work: Work) -> Result<impl Asker, BoxError> {
    let mut clients = Vec::new();
    for _ in 0..work.connections() {
        let transport = serde_transport::new(framed(address).await?, Bincode::default());
        clients.push(AskingClient::new(client::Config::default(), transport).spawn());
    }
    Ok(Library::new(clients, work, ask))
}

async fn framed(address: SocketAddr) -> io::Result<Framed<TcpStream, LengthDelimitedCodec>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Framed::new(stream, LengthDelimitedCodec::new()))
}

async fn ask(client: AskingClient) -> Result<(), BoxError> {
    let request = Shown {
        session: SESSION.to_owned(),
        id: ID,
        name: NAME.to_owned(),
    };
    match client.ask(context::current(), request).await?.id {
        ID => Ok(()),
        other => Err(format!("an answer to {other}").into()),
    }
}
