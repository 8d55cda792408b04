//! As axum's chat example has it: one broadcast channel, of which each connection has a receiver.

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::get,
    serve::ListenerExt,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};

use crate::{
    error::BoxError,
    websocket::{BUFFER, open, text},
};

/// As many as the example keeps.
const KEPT: usize = 100;

pub(super) async fn serve(listener: TcpListener) -> Result<(), BoxError> {
    let (sender, _) = broadcast::channel::<String>(KEPT);
    let app = Router::new()
        .route("/socket", get(upgrade))
        .with_state(sender);
    let listener = listener.tap_io(|stream| {
        // A socket on which this fails serves all the same.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}

async fn upgrade(
    upgrade: WebSocketUpgrade,
    State(sender): State<broadcast::Sender<String>>,
) -> Response {
    upgrade
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(16 * BUFFER)
        .on_upgrade(|socket| member(socket, sender))
}

/// Two tasks, of which the first to end ends the other.
async fn member(socket: WebSocket, sender: broadcast::Sender<String>) {
    let (mut to, mut from) = socket.split();
    let mut receiver = sender.subscribe();
    let mut sending = tokio::spawn(async move {
        while let Ok(message) = receiver.recv().await {
            if to.send(Message::text(message)).await.is_err() {
                break;
            }
        }
    });
    let mut receiving = tokio::spawn(async move {
        while let Some(Ok(Message::Text(message))) = from.next().await {
            // There is always somebody: the speaker's own receiver.
            let _ = sender.send(message.to_string());
        }
    });
    tokio::select! {
        _ = &mut sending => receiving.abort(),
        _ = &mut receiving => sending.abort(),
    }
}

pub(super) async fn enter(stream: &mut TcpStream) -> Result<(), BoxError> {
    open(stream, "/socket").await
}

pub(super) fn say(said: &str) -> Vec<u8> {
    text(said)
}
