//! jsonrpsee: JSON-RPC 2.0 over WebSocket.

use jsonrpsee::{
    RpcModule,
    server::{ServerBuilder, ServerConfig},
    types::ErrorObjectOwned,
};
use tokio::net::{TcpListener, TcpStream};

use super::{SESSION, request, websocket::WebSocketWire};
use crate::{
    app::{Ask, Told},
    error::BoxError,
};

/// jsonrpsee's own server.
pub(super) async fn serve(listener: TcpListener) -> Result<(), BoxError> {
    let mut module = RpcModule::new(());
    module.register_method("ask", |params, (), _| -> Result<Told, ErrorObjectOwned> {
        let ask: Ask = params.parse()?;
        Ok(ask.answer())
    })?;
    let config = ServerConfig::builder().max_connections(1024).build();
    let server = ServerBuilder::with_config(config).build_from_tcp(listener.into_std()?)?;
    server.start(module).stopped().await;
    Ok(())
}

/// The request's fields as the parameters of a call.
pub(super) async fn client(stream: TcpStream) -> Result<(TcpStream, WebSocketWire), BoxError> {
    let params = request(SESSION);
    let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ask","params":{params}}}"#);
    WebSocketWire::open(stream, "/", &call).await
}
