//! A handler stands in a group, so that nothing is callable by oversight.

use packetboat_dispatch::{Dispatcher, Message};
use serde::Deserialize;

#[derive(Deserialize, Message)]
#[message(type = "delete", reply = ())]
struct Delete {}

async fn delete(_: Delete) {}

fn main() {
    let _ = Dispatcher::new(()).on(delete);
}
