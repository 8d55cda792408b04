//! A chat: people come into a room, talk, and one comes again to what it has missed.
//!
//! `cargo run -p packetboat-dispatch --example rooms`

use std::error::Error;

use packetboat_dispatch::push::{Join, Position, SlowReader};
use packetboat_dispatch::{
    Anyone, Dispatcher, Hub, Message, NativeClient, Peer, Rejection, Server,
};
use serde::{Deserialize, Serialize};

/// Into the room; after the last message that one has, or from now on.
#[derive(Serialize, Deserialize, Message)]
#[message(type = "enter", reply = Position)]
struct Enter {
    name: String,
    after: Option<Position>,
}

/// A client says it, and the server pushes it.
#[derive(Serialize, Deserialize, Message)]
#[message(type = "say", reply = ())]
struct Say {
    who: String,
    text: String,
}

async fn enter(hub: Hub, peer: Peer, request: Enter) -> Result<Position, Rejection> {
    let join = Join::default().after(request.after);
    Ok(hub
        .join(&peer, "lobby", join.present(request.name, &())?)
        .await?)
}

async fn say(hub: Hub, request: Say) -> Result<(), Rejection> {
    hub.room("lobby").send(&request, SlowReader::Wait).await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::in_memory();
    let app = Dispatcher::new(hub.clone()).allow(Anyone, |group| group.on(enter).on(say));
    let server = Server::bind("127.0.0.1:0").await?;
    let addr = server.local_addr()?;
    tokio::spawn(server.serve(app));

    let ann = NativeClient::connect(addr).await?;
    let bob = NativeClient::connect(addr).await?;
    let mut to_bob = bob.pushes::<Say>(100);
    ann.call(enter_as("ann", None)).await?;
    bob.call(enter_as("bob", None)).await?;

    ann.call(say_as("ann", "hello")).await?;
    let pushed = to_bob.next().await.ok_or("bob is connected")??;
    println!("bob hears {}: {}", pushed.message.who, pushed.message.text);
    let here = hub.room("lobby").present().await?;
    println!("{} are here", here.len());

    // Bob's connection breaks, and the talk goes on without him.
    drop((bob, to_bob));
    for text in ["are you there?", "he is gone"] {
        ann.call(say_as("ann", text)).await?;
    }
    let bob = NativeClient::connect(addr).await?;
    let mut to_bob = bob.pushes::<Say>(100);
    bob.call(enter_as("bob", pushed.position)).await?;
    for text in ["are you there?", "he is gone"] {
        let missed = to_bob.next().await.ok_or("bob is connected")??;
        println!(
            "bob had missed {}: {}",
            missed.message.who, missed.message.text
        );
        assert_eq!(missed.message.text, text);
    }
    Ok(())
}

fn enter_as(name: &str, after: Option<Position>) -> Enter {
    let name = name.to_owned();
    Enter { name, after }
}

fn say_as(who: &str, text: &str) -> Say {
    let (who, text) = (who.to_owned(), text.to_owned());
    Say { who, text }
}
