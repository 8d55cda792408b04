//! `Identity<Admin>` exists only in a group whose guard gives it.

use packetboat_dispatch::{Anyone, Dispatcher, Identity, Message};
use serde::Deserialize;

#[derive(Clone)]
struct Admin;

#[derive(Deserialize, Message)]
#[message(type = "delete", reply = ())]
struct Delete {}

async fn delete(_: Identity<Admin>, _: Delete) {}

fn main() {
    let _ = Dispatcher::new(()).allow(Anyone, |group| group.on(delete));
}
