//! What a WebSocket carries: text, and the native wire.

use std::sync::atomic::Ordering;

use packetboat_dispatch::client::ClientBuilder;
use packetboat_dispatch::web::SocketOptions;
use packetboat_dispatch::{BodyExt, NativeClient};
use packetboat_framing::Source;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error as WsError;

use crate::world::{Client, Echo, Enter, GetFilm, Plan, Running, Said, Say, Sum, Text, settled};

async fn native(server: &Running) -> NativeClient {
    let client = NativeClient::connect_websocket(&server.url("/socket")).await;
    client.expect("a WebSocket")
}

#[tokio::test]
async fn text_is_answered_with_the_id_that_it_had() {
    let server = Plan::default().serve().await;
    let mut client = server.websocket().await;
    for id in ["7", "-1", "9007199254740992", r#""a \u00e9 b""#, "\"\""] {
        for ask in [
            format!(r#"{{"id":{id},"type":"echo","text":"hi"}}"#),
            format!(r#"{{"type":"echo","text":"hi","id":{id}}}"#),
            format!(r#"{{"type":"echo", "id" : {id} ,"text":"hi"}}"#),
        ] {
            client.send(&ask).await;
            let answer = client.next_text().await;
            let want = format!(r#"{{"id":{id},"reply":{{"text":"hi"}}}}"#);
            assert_eq!(answer, want, "as it was written");
        }
    }
    let answer = client.ask(r#"{"type":"echo","text":"hi"}"#).await;
    assert_eq!(answer, json!({"reply": {"text": "hi"}}));
}

#[tokio::test]
async fn the_id_is_not_the_handlers() {
    let server = Plan::default().serve().await;
    let mut client = server.websocket().await;
    let answer = client.ask(r#"{"id":1,"type":"strict"}"#).await;
    assert_eq!(answer, json!({"id": 1, "reply": null}));
    let options = SocketOptions::new().without_origin().id_key("ref");
    let server = Plan {
        options,
        ..Plan::default()
    };
    let server = server.serve().await;
    let mut client = server.websocket().await;
    let answer = client.ask(r#"{"ref":1,"type":"strict"}"#).await;
    assert_eq!(answer, json!({"ref": 1, "reply": null}));
    let answer = client.ask(r#"{"id":1,"type":"strict"}"#).await;
    assert_eq!(answer["error"]["code"], "bad_message", "a field of its own");
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_the_connection_goes_on() {
    let server = Plan::default().serve().await;
    let mut client = server.websocket().await;
    for (ask, id, code) in [
        (r#"{"id":1,"type":"fly"}"#, json!(1), "unknown_type"),
        (r#"{"id":2}"#, json!(2), "missing_type"),
        (r#"{"id":3,"type":"echo"}"#, json!(3), "bad_message"),
        (r#"{"id":4,"type":"secret"}"#, json!(4), "not_logged_in"),
        (r#"{"id":5,"type":"panic"}"#, json!(5), "internal"),
        (
            r#"{"id":6,"type":"film","size":1}"#,
            json!(6),
            "binary_needed",
        ),
        (
            r#"{"id":7,"type":"sum","size":5}"#,
            json!(7),
            "bad_attachment_size",
        ),
        (r#"{"id":8,"id":9,"type":"echo"}"#, json!(9), "repeated_key"),
        (r#"{"type":"film","size":1}"#, Value::Null, "binary_needed"),
        (r#"{"id":1.5,"type":"echo"}"#, Value::Null, "bad_message"),
        (r#"{"id":null,"type":"echo"}"#, Value::Null, "bad_message"),
        (
            r#"{"id":9007199254740993,"type":"echo"}"#,
            Value::Null,
            "bad_message",
        ),
        ("[]", Value::Null, "bad_json"),
        ("hello", Value::Null, "bad_json"),
        ("", Value::Null, "bad_json"),
        (r#"{"id":1,"type":"echo""#, Value::Null, "bad_json"),
    ] {
        let answer = client.ask(ask).await;
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&id, &json!(code)),
            "{ask}"
        );
        assert!(answer["error"]["msg"].is_string(), "{ask}");
    }
    let deep = format!(r#"{{"type":"echo","x":{}"#, "[".repeat(200));
    assert_eq!(client.ask(&deep).await["error"]["code"], "too_deep");
    let long = format!(r#"{{"id":"{}","type":"echo"}}"#, "x".repeat(65));
    assert_eq!(client.ask(&long).await["error"]["code"], "bad_message");
    let answer = client.ask(r#"{"id":1,"type":"echo","text":"hi"}"#).await;
    assert_eq!(answer, json!({"id": 1, "reply": {"text": "hi"}}));
}

#[tokio::test]
async fn many_are_in_flight_and_a_later_one_overtakes() {
    let server = Plan::default().serve().await;
    let mut client = server.websocket().await;
    for id in 0..300 {
        client
            .send(&format!(r#"{{"id":{id},"type":"wait"}}"#))
            .await;
    }
    // As many as may be in work are; the rest is not lost.
    settled(|| server.world.at_gate.load(Ordering::SeqCst) == 128).await;
    let mut answered = Vec::new();
    while answered.len() < 300 {
        server.world.gate.notify_one();
        let answer = client.next().await;
        assert_eq!(answer["reply"]["text"], "passed");
        answered.push(answer["id"].as_u64().expect("a number"));
    }
    answered.sort_unstable();
    assert!(answered.iter().copied().eq(0..300));

    client.send(r#"{"id":"slow","type":"wait"}"#).await;
    let answer = client
        .ask(r#"{"id":"quick","type":"echo","text":""}"#)
        .await;
    assert_eq!(answer["id"], "quick");
    server.world.gate.notify_one();
    assert_eq!(client.next().await["id"], "slow");
}

#[tokio::test]
async fn large_messages_pass_both_ways_after_a_login() {
    let server = Plan::default().serve().await;
    let mut client = server.websocket().await;
    let answer = client.ask(r#"{"id":1,"type":"big","size":900000}"#).await;
    assert_eq!(
        answer["reply"]["text"].as_str().map(str::len),
        Some(900_000)
    );
    let session = client.log_in("ann").await;
    let text = "x".repeat(900_000);
    let ask = format!(r#"{{"id":2,"type":"echo","session":"{session}","text":"{text}"}}"#);
    let answer = client.ask(&ask).await;
    assert_eq!(answer["reply"]["text"].as_str(), Some(&*text));
    // A reply over the limit is a failure of the server's, and of that request alone.
    let answer = client.ask(r#"{"id":3,"type":"big","size":1100000}"#).await;
    assert_eq!(answer["error"]["code"], "internal");
    let answer = client.ask(r#"{"id":4,"type":"echo","text":""}"#).await;
    assert_eq!(answer["id"], 4);
}

#[tokio::test]
async fn a_session_is_shown_in_the_message_and_a_kept_one_outlives_the_connection() {
    let server = Plan::default().serve().await;
    let mut client = server.websocket().await;
    let session = client.log_in("ann").await;
    let ask = format!(r#"{{"id":1,"type":"secret","session":"{session}"}}"#);
    let secret = json!({"id": 1, "reply": {"text": "of members"}});
    assert_eq!(client.ask(&ask).await, secret);
    drop(client);
    let mut client = server.websocket().await;
    assert_eq!(client.ask(&ask).await, secret);
    let answer = client.ask(r#"{"id":1,"type":"secret"}"#).await;
    assert_eq!(answer["error"]["code"], "not_logged_in");
}

#[tokio::test]
async fn pushes_come_in_text_as_they_stand_in_their_frames() {
    let server = Plan::default().serve().await;
    let mut listener = server.websocket().await;
    let mut speaker = server.websocket().await;
    let answer = listener
        .ask(r#"{"id":1,"type":"enter","room":"lobby"}"#)
        .await;
    assert_eq!(answer, json!({"id": 1, "reply": null}));
    for n in 0..100 {
        let say = format!(r#"{{"id":{n},"type":"say","room":"lobby","text":"{n}"}}"#);
        assert_eq!(speaker.ask(&say).await, json!({"id": n, "reply": null}));
    }
    for n in 0..100 {
        let push = listener.next().await;
        assert_eq!(
            (&push["type"], &push["room"]),
            (&json!("said"), &json!("lobby"))
        );
        assert_eq!(
            (&push["seq"], &push["data"]["text"]),
            (&json!(n + 1), &json!(n.to_string()))
        );
        assert!(push["epoch"].is_string() && push.get("id").is_none());
    }
}

#[tokio::test]
async fn binary_messages_are_the_native_wire_with_files_and_pushes() {
    let server = Plan::default().serve().await;
    let client = native(&server).await;
    let text = "hi".to_owned();
    let reply = client.call(Echo { text }).await.expect("a reply");
    assert_eq!(reply, Text { text: "hi".into() });
    let size = 3_000_000;
    let (_, mut body) = client
        .call_for_file(GetFilm { size })
        .await
        .expect("a reply");
    let mut film = Vec::new();
    body.copy_to(&mut film).await.expect("a film");
    let want: Vec<u8> = (0..size).map(|n| n as u8).collect();
    assert!(film == want);
    let sum: u64 = film.iter().map(|byte| u64::from(*byte)).sum();
    let upload = client.call_with_file(Sum { size }, Source::bytes(film), |_| ());
    assert_eq!(upload.await.expect("a reply"), sum);

    let mut said = client.pushes::<Said>(10);
    let room = "lobby".to_owned();
    client
        .call(Enter { room: room.clone() })
        .await
        .expect("a reply");
    let text = "hello".to_owned();
    client.call(Say { room, text }).await.expect("a reply");
    let pushed = said.next().await.expect("a push").expect("none lost");
    assert_eq!(pushed.message.text, "hello");
}

#[tokio::test]
async fn text_and_binary_reach_the_same_room() {
    let server = Plan::default().serve().await;
    let client = native(&server).await;
    let mut said = client.pushes::<Said>(10);
    let room = "lobby".to_owned();
    client.call(Enter { room }).await.expect("a reply");
    let mut text = server.websocket().await;
    text.ask(r#"{"id":1,"type":"say","room":"lobby","text":"hello"}"#)
        .await;
    let pushed = said.next().await.expect("a push").expect("none lost");
    assert_eq!(pushed.message.text, "hello");
}

#[tokio::test]
async fn the_first_message_decides() {
    use futures_util::SinkExt;
    use tokio_tungstenite::tungstenite::Message as Ws;
    let server = Plan::default().serve().await;
    let mut client = server.websocket().await;
    client.ask(r#"{"id":1,"type":"echo","text":""}"#).await;
    client
        .socket
        .send(Ws::binary(vec![0xb0]))
        .await
        .expect("sent");
    assert_eq!(client.close_code().await, Some(1003));
    let mut client = server.websocket().await;
    client
        .socket
        .send(Ws::binary(vec![0xb0]))
        .await
        .expect("sent");
    client.socket.send(Ws::text("{}")).await.expect("sent");
    assert_eq!(client.close_code().await, Some(1003));
    let mut client = server.websocket().await;
    client
        .socket
        .send(Ws::binary("not the wire"))
        .await
        .expect("sent");
    assert_eq!(client.close_code().await, Some(1002));
}

#[tokio::test]
async fn what_a_layer_has_found_out_reaches_handlers() {
    let server = Plan::default().serve().await;
    let origin = format!("http://{}", "localhost");
    let open = async |cookie: Option<&str>, origin: Option<&str>| {
        let mut headers = Vec::new();
        headers.extend(cookie.map(|cookie| ("cookie", cookie)));
        headers.extend(origin.map(|origin| ("origin", origin)));
        Client::over(server.connect().await, "/member", &headers).await
    };
    let mut client = open(Some("member=ann"), Some(&origin))
        .await
        .expect("a WebSocket");
    let answer = client.ask(r#"{"id":1,"type":"who"}"#).await;
    assert_eq!(answer, json!({"id": 1, "reply": "ann false"}));
    // The layer refuses before there is a WebSocket, and the socket after it.
    for (cookie, origin, status) in [
        (None, Some(&*origin), 401),
        (Some("member=ann"), Some("http://evil.example"), 403),
        (Some("member=ann"), Some("null"), 403),
        (Some("member=ann"), None, 403),
    ] {
        match open(cookie, origin).await {
            Err(WsError::Http(response)) => assert_eq!(response.status(), status),
            other => panic!("{:?}", other.map(|_| ())),
        }
    }
    // On a socket that carries nothing there is nobody.
    let mut client = server.websocket().await;
    let answer = client.ask(r#"{"id":1,"type":"who"}"#).await;
    assert_eq!(answer["error"]["code"], "not_logged_in");
}

#[tokio::test]
async fn a_client_in_rust_is_refused_as_a_browser_is() {
    let server = Plan::default().serve().await;
    let own = format!("http://{}", server.addr);
    for (origin, refused) in [("http://evil.example", true), (&*own, false)] {
        let mut headers = http::HeaderMap::new();
        headers.insert("origin", origin.parse().expect("a value"));
        let builder: ClientBuilder = ClientBuilder::default();
        let client = builder
            .connect_websocket(&server.url("/socket"), headers)
            .await;
        assert_eq!(client.is_err(), refused, "{origin}");
    }
    for url in ["wss://localhost/", "nonsense", "ws:///"] {
        assert!(NativeClient::connect_websocket(url).await.is_err(), "{url}");
    }
}
