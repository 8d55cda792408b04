//! A page whose few lines of JavaScript talk to handlers by text, in a room that all pages are in.
//!
//! `cargo run -p packetboat-dispatch --features web --example web` plays a page and ends;
//! with `-- serve` it stays, for a browser.

use std::error::Error;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use packetboat_dispatch::push::{Join, SlowReader};
use packetboat_dispatch::web::{self, SocketOptions};
use packetboat_dispatch::{
    Anyone, Dispatcher, Hub, Message, NativeClient, Peer, Rejection, Server,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message as Ws, http::HeaderValue};

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<title>Lobby</title>
<ul id="lines"></ul>
<form><input id="text" autofocus placeholder="Say something"></form>
<script>
const socket = new WebSocket(location.origin.replace("http", "ws") + "/socket");
const waiting = new Map();
let last = 0;
function call(message) {
  const id = ++last;
  socket.send(JSON.stringify({ id, ...message }));
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}
socket.onopen = () => call({ type: "enter" });
socket.onmessage = (event) => {
  const message = JSON.parse(event.data);
  if (message.id === undefined) {
    const line = document.createElement("li");
    line.textContent = message.gap ? "(some are missing)" : message.data.text;
    lines.append(line);
    return;
  }
  const { resolve, reject } = waiting.get(message.id);
  waiting.delete(message.id);
  message.error ? reject(new Error(message.error.msg)) : resolve(message.reply);
};
document.forms[0].onsubmit = async (event) => {
  event.preventDefault();
  await call({ type: "say", text: text.value });
  text.value = "";
};
</script>
"#;

#[derive(Serialize, Deserialize, Message)]
#[message(type = "enter", reply = ())]
struct Enter {}

/// A page says it, and the server pushes it to all of them.
#[derive(Serialize, Deserialize, Message)]
#[message(type = "say", reply = ())]
struct Say {
    text: String,
}

async fn enter(hub: Hub, peer: Peer, _: Enter) -> Result<(), Rejection> {
    hub.join(&peer, "lobby", Join::default()).await?;
    Ok(())
}

async fn say(hub: Hub, request: Say) -> Result<(), Rejection> {
    if request.text.is_empty() {
        return Err(Rejection::new("nothing", "there is nothing to say"));
    }
    hub.room("lobby").send(&request, SlowReader::Wait).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let stays = std::env::args().nth(1).is_some_and(|arg| arg == "serve");
    let router = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        // Pages of this very server alone; a program in Rust sends no origin.
        .route(
            "/socket",
            web::socket(SocketOptions::new().without_origin()),
        );
    let app = Dispatcher::new(Hub::in_memory()).allow(Anyone, |group| group.on(enter).on(say));
    let server = Server::bind("127.0.0.1:0").await?.web(router);
    let addr = server.local_addr()?;
    println!("http://{addr}/");
    if stays {
        return Ok(server.serve(app).await?);
    }
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.serve(app));

    // What the page does.
    let mut request = format!("ws://{addr}/socket").into_client_request()?;
    let origin = HeaderValue::from_str(&format!("http://{addr}"))?;
    request.headers_mut().insert("origin", origin);
    let stream = tokio::net::TcpStream::connect(addr).await?;
    let (mut page, _) = client_async(request, stream).await?;
    let mut ask = async |message: Value| -> Result<Value, Box<dyn Error>> {
        println!("page:   {message}");
        page.send(Ws::text(message.to_string())).await?;
        loop {
            let answer = page.next().await.ok_or("the server has closed")??;
            if let Ws::Text(answer) = answer {
                println!("server: {answer}");
                return Ok(serde_json::from_str(&answer)?);
            }
        }
    };
    let entered = ask(json!({"id": 1, "type": "enter"})).await?;
    assert_eq!(entered, json!({"id": 1, "reply": null}));
    let refused = ask(json!({"id": 2, "type": "say", "text": ""})).await?;
    assert_eq!(refused["error"]["code"], "nothing");

    // A program in the same room, on the native wire inside of a WebSocket.
    let client = NativeClient::connect_websocket(&format!("ws://{addr}/socket")).await?;
    let mut said = client.pushes::<Say>(10);
    client.call(Enter {}).await?;
    let answers = [
        ask(json!({"id": 3, "type": "say", "text": "hello"})).await?,
        serde_json::from_str(&page.next().await.ok_or("closed")??.into_text()?)?,
    ];
    // The push and the answer, whichever comes first.
    assert!(
        answers
            .iter()
            .any(|answer| answer == &json!({"id": 3, "reply": null}))
    );
    assert!(
        answers
            .iter()
            .any(|answer| answer["data"]["text"] == "hello")
    );
    let pushed = said.next().await.ok_or("no push")??;
    println!("client: {}", pushed.message.text);
    assert_eq!(pushed.message.text, "hello");

    stop.shutdown();
    let end = page.next().await.ok_or("no end")??;
    println!("server: {end:?}");
    assert!(matches!(end, Ws::Close(Some(frame)) if u16::from(frame.code) == 1001));
    Ok(serving.await??)
}
