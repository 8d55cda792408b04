//! A classic client that speaks raw frames, so that a test can send what no good client would.

use std::io::Cursor;
use std::net::SocketAddr;
use std::time::Duration;

use movie::messages::UserType;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The md5 of `123`, as a Python client sends it.
pub const PASSWORD: &str = "202cb962ac59075b964b07152d234b70";

/// No reply takes as long, waits included.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many bytes that no other call gives.
pub fn some_bytes(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

#[derive(Debug)]
pub struct Client {
    pub stream: TcpStream,
    pub session: Option<String>,
}

impl Client {
    pub async fn connect(addr: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(addr).await.unwrap(),
            session: None,
        }
    }

    /// The message as it is sent: with the session, unless it has one of its own.
    pub fn with_session(&self, mut message: Value) -> Value {
        if let (Some(session), None) = (&self.session, message.get("session")) {
            message["session"] = json!(session);
        }
        message
    }

    pub async fn send(&mut self, message: Value, body: &[u8]) {
        let message = self.with_session(message).to_string();
        self.send_raw(message.as_bytes(), body).await;
    }

    pub async fn send_raw(&mut self, message: &[u8], body: &[u8]) {
        let len = i32::try_from(message.len()).unwrap().to_le_bytes();
        let frame = [&len[..], message, body].concat();
        // A refused upload may close before all of it is sent.
        let _ = self.stream.write_all(&frame).await;
    }

    /// The next reply; `None` when the connection ends instead.
    pub async fn try_reply(&mut self) -> Option<Value> {
        let mut len = [0; 4];
        timeout(PATIENCE, self.stream.read_exact(&mut len))
            .await
            .expect("a reply")
            .ok()?;
        let len = usize::try_from(i32::from_le_bytes(len)).unwrap();
        assert!(len + 4 <= 65_000, "a reply of {len} bytes");
        let mut message = vec![0; len];
        timeout(PATIENCE, self.stream.read_exact(&mut message))
            .await
            .expect("a reply")
            .ok()?;
        Some(serde_json::from_slice(&message).unwrap())
    }

    pub async fn reply(&mut self) -> Value {
        self.try_reply().await.expect("a reply, not the end")
    }

    pub async fn call(&mut self, message: Value) -> Value {
        self.call_with(message, &[]).await
    }

    pub async fn call_with(&mut self, message: Value, body: &[u8]) -> Value {
        self.send(message, body).await;
        self.reply().await
    }

    /// A request that must succeed.
    pub async fn done(&mut self, message: Value) -> Value {
        let reply = self.call(message.clone()).await;
        assert_eq!(reply["flag"], true, "{message} got {reply}");
        reply
    }

    /// A request that must be refused with this code.
    pub async fn refused(&mut self, message: Value, code: &str) -> Value {
        let reply = self.call(message.clone()).await;
        assert_eq!(
            (&reply["flag"], &reply["code"]),
            (&json!(false), &json!(code)),
            "{message} got {reply}"
        );
        reply
    }

    pub async fn file(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        timeout(PATIENCE, self.stream.read_exact(&mut bytes))
            .await
            .expect("a file")
            .unwrap();
        bytes
    }

    pub async fn register(&mut self, name: &str, user_type: UserType) {
        self.done(account("register", name, user_type)).await;
    }

    pub async fn login(&mut self, name: &str, user_type: UserType) -> Value {
        let reply = self.done(account("login", name, user_type)).await;
        self.session = reply["session"].as_str().map(str::to_owned);
        reply
    }

    /// As `login`, with a session that outlives the connection.
    pub async fn login_kept(&mut self, name: &str, user_type: UserType) {
        let mut login = account("login", name, user_type);
        login["keep"] = json!(true);
        let reply = self.done(login).await;
        self.session = reply["session"].as_str().map(str::to_owned);
    }

    pub async fn upload(&mut self, name: &str, bytes: &[u8], is_free: bool) -> Value {
        self.call_with(upload(name, bytes, is_free), bytes).await
    }

    /// Uploads, and says under which id it is listed.
    pub async fn uploaded(&mut self, name: &str, bytes: &[u8], is_free: bool) -> i64 {
        let reply = self.upload(name, bytes, is_free).await;
        assert_eq!(reply["flag"], true, "{reply}");
        self.newest().await
    }

    /// The id of the newest movie.
    pub async fn newest(&mut self) -> i64 {
        let list = json!({"type": "get_movie_list", "movie_type": "all", "limit": 1});
        self.done(list).await["movie_list"][0][2].as_i64().unwrap()
    }

    /// Asks for a movie and reads all of it.
    pub async fn download(&mut self, id: i64) -> (Value, Vec<u8>) {
        let reply = self
            .done(json!({"type": "download_movie", "movie_id": id}))
            .await;
        let len = reply["file_size"].as_u64().unwrap();
        let bytes = self.file(usize::try_from(len).unwrap()).await;
        (reply, bytes)
    }
}

fn account(message: &str, name: &str, user_type: UserType) -> Value {
    json!({"type": message, "name": name, "password": PASSWORD, "user_type": user_type})
}

/// The message that announces these bytes.
pub fn upload(name: &str, bytes: &[u8], is_free: bool) -> Value {
    let file_md5 = movie::sampled::md5(&mut Cursor::new(bytes)).unwrap();
    json!({"type": "upload_movie", "file_name": name, "file_size": bytes.len(),
        "file_md5": file_md5, "is_free": u8::from(is_free)})
}

/// Two objects in one; the second wins.
pub fn merged(one: &Value, two: &Map<String, Value>) -> Value {
    let mut all = one.as_object().unwrap().clone();
    all.extend(two.clone());
    Value::Object(all)
}
