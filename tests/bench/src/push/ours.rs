//! Ours: a hub's room, on the native wire and in a WebSocket.

use packetboat_dispatch::{
    Anyone, Dispatcher, Hub, Limits, Message, Peer, Rejection, Server,
    push::{Join, SlowReader},
    web::{self, SocketOptions},
};
use packetboat_framing::native::{Codec, FrameHeader, Kind, Preface, type_hash};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    error::BoxError,
    websocket::{next, open, text},
};

const ROOM: &str = "room";

#[derive(Debug, Deserialize, Message)]
#[message(type = "enter", reply = ())]
struct Enter {}

#[derive(Debug, Deserialize, Serialize, Message)]
#[message(type = "say", reply = ())]
struct Say {
    text: String,
}

async fn come_in(hub: Hub, peer: Peer, _: Enter) -> Result<(), Rejection> {
    hub.join(&peer, ROOM, Join::default()).await?;
    Ok(())
}

async fn send(hub: Hub, message: Say) -> Result<(), Rejection> {
    hub.room(ROOM).send(&message, SlowReader::Wait).await?;
    Ok(())
}

/// Only the number of connections is not the default.
pub(super) async fn serve(listener: TcpListener) -> Result<(), BoxError> {
    let app = Dispatcher::new(Hub::in_memory()).allow(Anyone, |group| group.on(come_in).on(send));
    let limits = Limits {
        connections: 1 << 20,
        connections_per_ip: 1 << 20,
        ..Limits::default()
    };
    let socket = web::socket(SocketOptions::new().without_origin());
    let router = web::axum::Router::new().route("/socket", socket);
    let server = Server::from_listener(listener).limits(limits).web(router);
    Ok(server.serve(app).await?)
}

pub(super) async fn enter_by_text(stream: &mut TcpStream) -> Result<(), BoxError> {
    open(stream, "/socket").await?;
    stream
        .write_all(&text(r#"{"id":1,"type":"enter"}"#))
        .await?;
    answered(&next(stream).await?)
}

pub(super) fn say_by_text(said: &str) -> Vec<u8> {
    text(&format!(r#"{{"type":"say","text":"{said}"}}"#))
}

pub(super) async fn enter(stream: &mut TcpStream, last: &mut u32) -> Result<(), BoxError> {
    stream.write_all(&Preface::client().to_bytes()).await?;
    stream.write_all(&message("enter", "{}", last)).await?;
    stream.read_exact(&mut [0; Preface::BYTES]).await?;
    let mut header = [0; FrameHeader::BYTES];
    stream.read_exact(&mut header).await?;
    let header = FrameHeader::read(&header)?;
    if header.kind != Kind::Reply {
        return Err(format!("answered with {header:?}").into());
    }
    stream
        .read_exact(&mut vec![0; header.length as usize])
        .await?;
    Ok(())
}

pub(super) fn say(said: &str, last: &mut u32) -> Vec<u8> {
    message("say", &format!(r#"{{"text":"{said}"}}"#), last)
}

fn message(name: &str, json: &str, last: &mut u32) -> Vec<u8> {
    *last += 1;
    let header = FrameHeader {
        codec: Codec::JSON,
        length: json.len() as u32,
        ..FrameHeader::control(Kind::Message, *last, type_hash(name))
    };
    [&header.to_bytes()[..], json.as_bytes()].concat()
}

fn answered(text: &str) -> Result<(), BoxError> {
    match text.contains("\"reply\"") {
        true => Ok(()),
        false => Err(text.into()),
    }
}
