//! What a WebSocket carries: text, and the native wire.

use packetboat_dispatch::NativeClient;
use packetboat_framing::Source;
use serde_json::json;

use crate::world::{Echo, GetFilm, Plan, Sum, Text};

#[tokio::test]
async fn text_is_answered_with_the_id_that_it_had() {
    let server = Plan::default().serve().await;
    let mut client = server.websocket().await;
    for id in ["7", "-1", "9007199254740992", r#""a \\u00e9 b""#, "\"\""] {
        let ask = format!(r#"{{"id":{id},"type":"echo","text":"hi"}}"#);
        let answer = client.ask(&ask).await;
        let id: serde_json::Value = serde_json::from_str(id).expect("JSON");
        assert_eq!(answer, json!({"id": id, "reply": {"text": "hi"}}));
    }
    let answer = client.ask(r#"{"type":"echo","text":"hi"}"#).await;
    assert_eq!(answer, json!({"reply": {"text": "hi"}}));
}

#[tokio::test]
async fn binary_messages_are_the_native_wire() {
    let server = Plan::default().serve().await;
    let url = server.url("/socket");
    let client = NativeClient::connect_websocket(&url)
        .await
        .expect("a WebSocket");
    let text = "hi".to_owned();
    let reply = client.call(Echo { text }).await.expect("a reply");
    assert_eq!(reply, Text { text: "hi".into() });
    let size = 3_000_000;
    let (_, mut body) = client
        .call_for_file(GetFilm { size })
        .await
        .expect("a reply");
    let mut film = Vec::new();
    packetboat_dispatch::BodyExt::copy_to(&mut body, &mut film)
        .await
        .expect("a film");
    let want: Vec<u8> = (0..size).map(|n| n as u8).collect();
    assert!(film == want);
    let sum: u64 = film.iter().map(|byte| u64::from(*byte)).sum();
    let upload = client.call_with_file(Sum { size }, Source::bytes(film), |_| ());
    assert_eq!(upload.await.expect("a reply"), sum);
}
