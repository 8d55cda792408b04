//! A WebSocket of a page: messages, answers and pushes.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::header::{COOKIE, ORIGIN};
use axum::http::{HeaderName, HeaderValue};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::browser::{Browser, ClientError};

/// Longer than any answer takes, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);

/// A push: its type and its data.
#[derive(Clone, Debug)]
pub struct Push {
    /// The type.
    pub kind: String,
    /// The data.
    pub data: Value,
}

/// An open WebSocket. Dropping it cuts the connection.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    asked: u64,
    pushes: VecDeque<Push>,
}

impl Browser {
    /// Opens a WebSocket as a page of the server does.
    ///
    /// # Errors
    ///
    /// [`ClientError::Refused`] with the status, and when there is no connection.
    pub async fn socket(&self, path: &str) -> Result<Socket, ClientError> {
        self.socket_from(path, &self.origin()).await
    }

    /// Opens a WebSocket as a page of this origin does.
    ///
    /// # Errors
    ///
    /// As [`socket`](Self::socket).
    pub async fn socket_from(&self, path: &str, origin: &str) -> Result<Socket, ClientError> {
        let url = format!("ws://{}{path}", self.addr);
        let mut request = url.into_client_request().map_err(broken)?;
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                request.headers_mut().insert(name, value);
            }
        };
        set(ORIGIN, origin);
        set(COOKIE, &self.cookie_header());
        let stream = TcpStream::connect(self.addr).await?;
        stream.set_nodelay(true)?;
        match client_async(request, stream).await {
            Ok((stream, _)) => Ok(Socket {
                stream,
                asked: 0,
                pushes: VecDeque::new(),
            }),
            Err(tungstenite::Error::Http(response)) => {
                Err(ClientError::Refused(response.status().as_u16()))
            }
            Err(error) => Err(broken(error)),
        }
    }
}

fn broken(error: tungstenite::Error) -> ClientError {
    ClientError::Socket(Box::new(error))
}

impl Socket {
    /// Sends a message and gives its reply, or the code of its refusal. Pushes that come in between
    /// wait for [`push`](Self::push).
    ///
    /// # Errors
    ///
    /// When the connection breaks, or no answer comes.
    pub async fn call(&mut self, mut message: Value) -> Result<Result<Value, String>, ClientError> {
        self.asked += 1;
        message["id"] = json!(self.asked);
        let text = Message::text(message.to_string());
        self.stream.send(text).await.map_err(broken)?;
        loop {
            let answer = self.read(PATIENCE).await?;
            if answer["id"] == json!(self.asked) {
                return Ok(match answer.get("error") {
                    Some(error) => Err(error["code"].as_str().unwrap_or_default().to_owned()),
                    None => Ok(answer["reply"].clone()),
                });
            }
            self.note(&answer);
        }
    }

    /// The next push.
    ///
    /// # Errors
    ///
    /// When the connection breaks, or none comes in this time.
    pub async fn push(&mut self, within: Duration) -> Result<Push, ClientError> {
        loop {
            if let Some(push) = self.pushes.pop_front() {
                return Ok(push);
            }
            let answer = self.read(within).await?;
            self.note(&answer);
        }
    }

    /// The next push of this type; others are dropped.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub async fn push_of(&mut self, kind: &str, within: Duration) -> Result<Value, ClientError> {
        let found = async {
            loop {
                let push = self.push(within).await?;
                if push.kind == kind {
                    return Ok(push.data);
                }
            }
        };
        timeout(within, found)
            .await
            .unwrap_or(Err(ClientError::Silence))
    }

    /// Closes it in order.
    ///
    /// # Errors
    ///
    /// When it is broken already.
    pub async fn close(mut self) -> Result<(), ClientError> {
        self.stream.close(None).await.map_err(broken)
    }

    fn note(&mut self, message: &Value) {
        let kind = match message.get("gap") {
            Some(_) => "gap",
            None => message["type"].as_str().unwrap_or_default(),
        };
        self.pushes.push_back(Push {
            kind: kind.to_owned(),
            data: message["data"].clone(),
        });
    }

    async fn read(&mut self, within: Duration) -> Result<Value, ClientError> {
        let text = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text)?),
                    Some(Ok(Message::Close(_))) | None => {
                        return Err(broken(tungstenite::Error::ConnectionClosed));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(broken(error)),
                }
            }
        };
        timeout(within, text)
            .await
            .unwrap_or(Err(ClientError::Silence))
    }
}
