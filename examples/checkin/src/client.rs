//! A client over HTTP and WebSocket.
