//! axum, over HTTP/1.1 and over WebSocket.

use axum::{
    Json, Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::{get, post},
    serve::ListenerExt,
};
use tokio::net::{TcpListener, TcpStream};

use super::{SESSION, load::Wire, request, websocket::WebSocketWire};
use crate::{
    app::{Ask, Told},
    error::BoxError,
    websocket::BUFFER,
};

/// Both, on one port.
pub(super) async fn serve(listener: TcpListener) -> Result<(), BoxError> {
    let app = Router::new()
        .route("/ask", post(ask))
        .route("/ws", get(upgrade));
    let listener = listener.tap_io(|stream| {
        // A socket on which this fails serves all the same.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, app).await?)
}

async fn ask(Json(request): Json<Ask>) -> Json<Told> {
    Json(request.answer())
}

async fn upgrade(upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(16 * BUFFER)
        .on_upgrade(|socket| async {
            // Whoever goes away ends it.
            let _ = answer(socket).await;
        })
}

async fn answer(mut socket: WebSocket) -> Result<(), BoxError> {
    while let Some(message) = socket.recv().await {
        if let Message::Text(text) = message? {
            let ask: Ask = serde_json::from_str(&text)?;
            let told = serde_json::to_string(&ask.answer())?;
            socket.send(Message::text(told)).await?;
        }
    }
    Ok(())
}

/// HTTP/1.1 with the fewest headers.
pub(super) struct Http1(Vec<u8>);

impl Wire for Http1 {
    fn ask(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn reply(&mut self, bytes: &[u8]) -> Result<Option<usize>, BoxError> {
        const LENGTH: &[u8] = b"content-length: ";
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = &bytes[..end];
        if !head.starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(head).into());
        }
        let at = head.windows(LENGTH.len()).position(|name| name == LENGTH);
        let at = at.ok_or("a reply without a length")? + LENGTH.len();
        let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
        let len = digits.fold(0, |len, digit| len * 10 + usize::from(digit - b'0'));
        let whole = end + 4 + len;
        Ok((bytes.len() >= whole).then_some(whole))
    }
}

/// Nothing comes before the first request.
pub(super) async fn http1(stream: TcpStream) -> Result<(TcpStream, Http1), BoxError> {
    let body = request(SESSION);
    let head = format!(
        "POST /ask HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Ok((stream, Http1((head + &body).into_bytes())))
}

/// The request as a text frame.
pub(super) async fn websocket(stream: TcpStream) -> Result<(TcpStream, WebSocketWire), BoxError> {
    WebSocketWire::open(stream, "/ws", &request(SESSION)).await
}
