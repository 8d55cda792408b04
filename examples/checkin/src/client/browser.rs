//! Pages and forms over HTTP, with the cookies that they set.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server cannot be reached, or has gone.
    #[error("no connection")]
    Io(#[from] io::Error),
    /// It does not speak HTTP.
    #[error("not HTTP")]
    Http(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("no request")]
    Request(#[from] axum::http::Error),
    /// A WebSocket was refused, with this status.
    #[error("refused with {0}")]
    Refused(u16),
    /// A WebSocket broke, or is none.
    #[error("the WebSocket broke")]
    Socket(#[source] Box<tungstenite::Error>),
    /// What was pushed or answered is no JSON, or not what was asked for.
    #[error("not what was asked for")]
    Json(#[from] serde_json::Error),
    /// The page has no form.
    #[error("{0} has no form")]
    NoForm(String),
    /// Nothing came for too long.
    #[error("nothing came in time")]
    Silence,
}

/// A browser: its cookies, and where its server is.
#[derive(Clone, Debug)]
pub struct Browser {
    /// The server.
    pub addr: SocketAddr,
    /// Names and values.
    pub cookies: BTreeMap<String, String>,
    /// What it says in `Accept-Language`.
    pub lang: &'static str,
}

/// What a server has answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Where it leads, if it leads elsewhere.
    pub fn location(&self) -> Option<&str> {
        self.headers.get(LOCATION)?.to_str().ok()
    }

    /// The code of the refusal that the page tells, if it tells one.
    pub fn refusal(&self) -> Option<String> {
        self.attribute("data-code=\"")
    }

    /// The token of the page's forms.
    pub fn token(&self) -> Option<String> {
        self.attribute("name=\"csrf\" value=\"")
    }

    /// What stands behind this beginning, up to the next quote.
    pub fn attribute(&self, beginning: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(beginning)?;
        Some(rest.split_once('"')?.0.to_owned())
    }
}

impl Browser {
    /// A new one, which nobody knows.
    pub fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            cookies: BTreeMap::new(),
            lang: "en",
        }
    }

    /// What it says in `Origin`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its cookies as a header says them.
    pub fn cookie_header(&self) -> String {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("; ")
    }

    /// Reads a page.
    ///
    /// # Errors
    ///
    /// When there is no answer; any status is one.
    pub async fn get(&mut self, path: &str) -> Result<Answer, ClientError> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// Sends the form of a page: reads the page for its token, and sends these fields to `action`.
    ///
    /// # Errors
    ///
    /// When there is no answer, or no form on the page.
    pub async fn submit(
        &mut self,
        page: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<Answer, ClientError> {
        let token = self.get(page).await?.token();
        let token = token.ok_or_else(|| ClientError::NoForm(page.to_owned()))?;
        self.post(action, &token, fields).await
    }

    /// Sends a form with this token.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn post(
        &mut self,
        action: &str,
        token: &str,
        fields: &[(&str, &str)],
    ) -> Result<Answer, ClientError> {
        let form = form(token, fields);
        let origin = self.origin();
        let headers = [
            (CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded"),
            (ORIGIN.as_str(), &origin),
        ];
        self.send(Method::POST, action, &headers, form.into()).await
    }

    /// Logs in.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn log_in(&mut self, name: &str, password: &str) -> Result<Answer, ClientError> {
        let fields = [("name", name), ("password", password)];
        self.submit("/login", "/login", &fields).await
    }

    /// Sends anything.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes its connection; the server may have done it or not.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let stream = TcpStream::connect(self.addr).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.addr.to_string())
            .header("accept-language", self.lang);
        if !self.cookies.is_empty() {
            request = request.header(COOKIE, self.cookie_header());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body))?;
        let exchange = async {
            let response = sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, ClientError>(Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body,
            })
        };
        tokio::pin!(connection);
        let answer = tokio::select! {
            // First, so that an answer that came with the end of the connection is taken.
            biased;
            answer = exchange => answer?,
            ended = &mut connection => {
                ended?;
                return Err(io::Error::from(io::ErrorKind::ConnectionReset).into());
            }
        };
        self.keep(&answer.headers);
        Ok(answer)
    }

    /// Keeps the cookies of an answer, and forgets those that it ends.
    fn keep(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            let Ok(line) = line.to_str() else { continue };
            let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('='))
            else {
                continue;
            };
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

fn form(token: &str, fields: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("csrf", token)
        .extend_pairs(fields)
        .finish()
}
