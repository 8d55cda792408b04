//! Every argument before the message is an extractor.

use packetboat_dispatch::{Anyone, Dispatcher, Message};
use serde::Deserialize;

#[derive(Deserialize, Message)]
#[message(type = "delete", reply = ())]
struct Delete {}

async fn delete(_: String, _: Delete) {}

fn main() {
    let _ = Dispatcher::new(()).allow(Anyone, |group| group.on(delete));
}
