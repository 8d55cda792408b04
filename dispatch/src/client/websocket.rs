//! The native client over a WebSocket.

use std::io;

use http::{HeaderMap, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::client::error::Wait;
use crate::client::{ClientBuilder, ClientError, NativeClient};
use crate::shape::Shape;
use crate::web::client_halves;

impl NativeClient {
    /// Connects to a [`socket`](crate::web::socket), `ws://example.org/socket`, with the defaults of
    /// [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// [`ClientError::Connect`], also when the server refuses the WebSocket, or
    /// [`ClientError::Timeout`] with [`Wait::Connect`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes what it had opened.
    pub async fn connect_websocket(url: &str) -> Result<Self, ClientError> {
        let builder: ClientBuilder = ClientBuilder::default();
        builder.connect_websocket(url, HeaderMap::new()).await
    }
}

impl<Sh: Shape> ClientBuilder<Sh> {
    /// Connects to a [`socket`](crate::web::socket) over TCP, with these headers in the request beside
    /// those of the handshake: an `Origin`, or a cookie. The scheme is `ws`; for another one make the
    /// connection, and take [`over_websocket`](Self::over_websocket).
    ///
    /// # Errors
    ///
    /// As [`NativeClient::connect_websocket`].
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn connect_websocket(
        self,
        url: &str,
        headers: HeaderMap,
    ) -> Result<NativeClient, ClientError> {
        let after = self.timeouts.connect;
        let connecting = async {
            let uri: Uri = url.parse().map_err(|_| unusable("the URL is none"))?;
            if uri.scheme_str() != Some("ws") {
                return Err(unusable("the scheme of the URL is not ws"));
            }
            let host = uri.host().ok_or_else(|| unusable("the URL has no host"))?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let port = uri.port_u16().unwrap_or(80);
            let stream = tokio::net::TcpStream::connect((host, port))
                .await
                .map_err(ClientError::Connect)?;
            // What is written is whole already, and must not wait for more.
            stream.set_nodelay(true).map_err(ClientError::Connect)?;
            self.over_websocket(stream, url, headers).await
        };
        match timeout(after, connecting).await {
            Ok(connected) => connected,
            Err(_) => {
                let wait = Wait::Connect;
                Err(ClientError::Timeout { wait, after })
            }
        }
    }

    /// Opens a WebSocket over a connection that is there already, as
    /// [`connect_websocket`](Self::connect_websocket): TLS, for a URL with `wss`, or memory in a test.
    /// Without a limit of time.
    ///
    /// # Errors
    ///
    /// [`ClientError::Connect`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime: the connection has a task of its own.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn over_websocket<T>(
        self,
        stream: T,
        url: &str,
        headers: HeaderMap,
    ) -> Result<NativeClient, ClientError>
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut request = url.into_client_request().map_err(refused)?;
        request.headers_mut().extend(headers);
        let (stream, _) = client_async(request, stream).await.map_err(refused)?;
        // The server of the native wire is never first to speak, so nothing has been read beyond.
        let stream = Box::new(stream.into_inner());
        let (read, write) = client_halves(stream, &self.limits);
        Ok(self.over_native(read, write))
    }
}

fn unusable(text: &'static str) -> ClientError {
    ClientError::Connect(io::Error::new(io::ErrorKind::InvalidInput, text))
}

fn refused(error: tungstenite::Error) -> ClientError {
    ClientError::Connect(match error {
        tungstenite::Error::Io(error) => error,
        tungstenite::Error::Http(response) => {
            let text = format!("the server answered {}", response.status());
            io::Error::new(io::ErrorKind::ConnectionRefused, text)
        }
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    })
}
