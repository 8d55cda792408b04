//! socketioxide: a room of Socket.IO, over WebSocket alone.

use axum::{Router, serve::ListenerExt};
use socketioxide::{
    SocketIo, TransportType,
    extract::{Data, SocketRef},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use crate::{
    error::BoxError,
    websocket::{BUFFER, next, open, text},
};

const ROOM: &str = "room";

pub(super) async fn serve(listener: TcpListener) -> Result<(), BoxError> {
    let (layer, io) = SocketIo::builder()
        .transports([TransportType::Websocket])
        .ws_read_buffer_size(BUFFER)
        .build_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.join(ROOM);
        socket.on(
            "say",
            async |socket: SocketRef, Data(said): Data<String>| {
                // It fails for who has gone or does not read.
                let _ = socket.within(ROOM).emit("said", &said).await;
            },
        );
    });
    let app = Router::new().layer(layer);
    let listener = listener.tap_io(|stream| {
        // A socket on which this fails serves all the same.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}

/// Engine.IO says hello, and then one connects to a namespace.
pub(super) async fn enter(stream: &mut TcpStream) -> Result<(), BoxError> {
    open(stream, "/socket.io/?EIO=4&transport=websocket").await?;
    let hello = next(stream).await?;
    if !hello.starts_with('0') {
        return Err(hello.into());
    }
    stream.write_all(&text("40")).await?;
    let connected = next(stream).await?;
    match connected.starts_with("40") {
        true => Ok(()),
        false => Err(connected.into()),
    }
}

pub(super) fn say(said: &str) -> Vec<u8> {
    text(&format!(r#"42["say","{said}"]"#))
}
