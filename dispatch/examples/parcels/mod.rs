//! A small server for the two client examples: it takes one parcel and gives it back later.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packetboat_dispatch::{
    Anyone, BodyExt, Dispatcher, Error, File, Message, Rejection, Server, State, Upload,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// Leaves a parcel; its bytes follow the message.
#[derive(Serialize, Deserialize, Message)]
#[message(type = "leave", reply = Receipt, attachment = "size")]
pub(crate) struct Leave {
    pub(crate) size: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) sum: u64,
}

/// Fetches it; its bytes follow the reply.
#[derive(Serialize, Deserialize, Message)]
#[message(type = "fetch", reply = Parcel, reply_attachment = "size")]
pub(crate) struct Fetch {}

#[derive(Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) size: u64,
    /// Milliseconds until the first byte.
    pub(crate) wait: u64,
}

type Shelf = Arc<Mutex<Option<Vec<u8>>>>;

async fn leave(
    State(shelf): State<Shelf>,
    mut body: Upload,
    _: Leave,
) -> Result<Receipt, Rejection> {
    // An example's shelf is memory; `body.save(path)` writes a file durably.
    let mut bytes = Vec::new();
    body.copy_to(&mut bytes).await?;
    let sum = bytes.iter().map(|&byte| u64::from(byte)).sum();
    *shelf.lock().await = Some(bytes);
    Ok(Receipt { sum })
}

async fn fetch(State(shelf): State<Shelf>, _: Fetch) -> Result<(Parcel, File), Rejection> {
    let parcel = shelf.lock().await.clone();
    let parcel = parcel.ok_or_else(|| Rejection::new("empty", "there is no parcel"))?;
    let wait = Duration::from_millis(500);
    let reply = Parcel {
        size: parcel.len() as u64,
        wait: 500,
    };
    Ok((reply, File::bytes(parcel).not_before(Instant::now() + wait)))
}

/// Serves on a free port of this machine, on the runtime that calls it.
pub(crate) async fn serve() -> Result<SocketAddr, Error> {
    let app = Dispatcher::new(Shelf::default()).allow(Anyone, |group| group.on(leave).on(fetch));
    let server = Server::bind("127.0.0.1:0").await?;
    let addr = server.local_addr()?;
    tokio::spawn(server.serve(app));
    Ok(addr)
}
