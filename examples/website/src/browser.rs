//! As much of a browser as the demo and the tests need: one connection, cookies, forms.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// The server cannot be reached.
    #[error("no connection")]
    Connect(#[from] std::io::Error),
    /// The exchange broke off.
    #[error("no answer")]
    Exchange(#[from] hyper::Error),
    /// The request cannot be made.
    #[error("no request")]
    Request(#[from] axum::http::Error),
}

/// One visitor of one host.
#[derive(Debug)]
pub struct Browser {
    addr: SocketAddr,
    host: String,
    cookies: BTreeMap<String, String>,
    headers: Vec<(String, String)>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Page {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Page {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// The token of the forms on the page.
    pub fn token(&self) -> String {
        self.field("token")
    }

    /// What the first hidden field of this name has in it.
    pub fn field(&self, name: &str) -> String {
        let text = self.text();
        let begin = format!("name=\"{name}\" value=\"");
        let after = text.split(&begin).nth(1).unwrap_or_default();
        after.split('"').next().unwrap_or_default().to_owned()
    }

    /// What the counter says.
    pub fn visits(&self) -> Option<i64> {
        let text = self.text();
        text.split("id=\"visits\">")
            .nth(1)?
            .split('<')
            .next()?
            .parse()
            .ok()
    }
}

impl Browser {
    /// A visitor of this host, at this address.
    pub fn new(addr: SocketAddr, host: &str) -> Self {
        Self {
            addr,
            host: format!("{host}:{}", addr.port()),
            cookies: BTreeMap::new(),
            headers: Vec::new(),
            connection: None,
        }
    }

    /// Sends this header with every request from now on.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A cookie that it has.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Gives it a cookie.
    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    /// Opens an address.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn get(&mut self, path: &str) -> Result<Page, BrowserError> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// Sends a form as the page of this host would, with its token.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn post(
        &mut self,
        path: &str,
        token: &str,
        fields: &[(&str, &str)],
    ) -> Result<Page, BrowserError> {
        let origin = format!("http://{}", self.host);
        let fields = fields.iter().copied().chain([("token", token)]);
        let body = fields.map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        let body = body.collect::<Vec<_>>().join("&");
        let kind = "application/x-www-form-urlencoded";
        let headers = [
            (ORIGIN.as_str(), origin.as_str()),
            (CONTENT_TYPE.as_str(), kind),
        ];
        self.send(Method::POST, path, &headers, body.into()).await
    }

    /// Uploads a file as the page of this host would.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn upload(
        &mut self,
        path: &str,
        token: &str,
        name: &str,
        bytes: &[u8],
    ) -> Result<Page, BrowserError> {
        const EDGE: &str = "an-edge-that-is-in-no-file";
        let origin = format!("http://{}", self.host);
        // As browsers write a name: RFC 7578, section 4.2, as HTML's standard has it.
        let name = name
            .replace('"', "%22")
            .replace('\r', "%0D")
            .replace('\n', "%0A");
        let mut body = format!(
            "--{EDGE}\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n\
             --{EDGE}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{EDGE}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={EDGE}");
        let headers = [
            (ORIGIN.as_str(), origin.as_str()),
            (CONTENT_TYPE.as_str(), &kind),
        ];
        self.send(Method::POST, path, &headers, body.into()).await
    }

    /// Logs in at a site whose pages begin with `base`: nothing, or `/t/NAME`.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn log_in(
        &mut self,
        base: &str,
        name: &str,
        password: &str,
    ) -> Result<Page, BrowserError> {
        let path = format!("{base}/login");
        let token = self.get(&path).await?.token();
        self.post(&path, &token, &[("name", name), ("password", password)])
            .await
    }

    /// Sends any request. Its host, cookies and lasting headers are added.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Page, BrowserError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            let pairs = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            request = request.header(COOKIE, pairs.collect::<Vec<_>>().join("; "));
        }
        let request = request.body(Full::new(body))?;
        let mut connection = self.connected().await?;
        let response = connection.send_request(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        self.connection = Some(connection);
        for line in parts.headers.get_all(SET_COOKIE) {
            self.keep(line.to_str().unwrap_or_default());
        }
        Ok(Page {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    /// The connection that it has, or a new one.
    async fn connected(&mut self) -> Result<SendRequest<Full<Bytes>>, BrowserError> {
        if let Some(mut connection) = self.connection.take()
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        let stream = TcpStream::connect(self.addr).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        // It ends with its connection, which is this browser's.
        tokio::spawn(driver);
        Ok(connection)
    }

    fn keep(&mut self, line: &str) {
        let pair = line.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else {
            return;
        };
        if line.ends_with("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.set_cookie(name, value);
        }
    }
}

/// A part of a form, as `application/x-www-form-urlencoded` has it.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
            char::from(byte).to_string()
        }
        b' ' => "+".to_owned(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
