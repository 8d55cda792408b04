//! A handler answers with its message's reply.

use packetboat_dispatch::{Anyone, Dispatcher, Message};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Message)]
#[message(type = "list", reply = Listed)]
struct List {}

#[derive(Serialize)]
struct Listed {}

async fn list(_: List) -> u32 {
    7
}

fn main() {
    let _ = Dispatcher::new(()).allow(Anyone, |group| group.on(list));
}
