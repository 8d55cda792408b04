//! The client in JavaScript on a page, and a server that has everything that it can do.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;
use packetboat_dispatch::push::{Join, Position, SlowReader};
use packetboat_dispatch::{
    Anyone, BodyExt, Dispatcher, File, Hub, Message, Peer, Rejection, Server, State, Upload, web,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::chrome::Driver;

const SCRIPT: &str = include_str!("../../../examples/javascript/packetboat.js");
const TESTS: &str = include_str!("tests.js");
const PAGE: &str = include_str!("page.html");

#[derive(Deserialize, Message)]
#[message(type = "add", reply = Sum)]
struct Add {
    a: i64,
    b: i64,
}

#[derive(Serialize)]
struct Sum {
    sum: i64,
}

#[derive(Deserialize, Message)]
#[message(type = "refuse", reply = ())]
struct Refuse {}

#[derive(Deserialize, Message)]
#[message(type = "measure", reply = Length)]
struct Measure {
    text: String,
}

#[derive(Serialize)]
struct Length {
    length: usize,
}

#[derive(Deserialize, Message)]
#[message(type = "keep", reply = Kept, attachment = "file_size")]
struct Keep {
    name: String,
    file_size: usize,
}

#[derive(Serialize)]
struct Kept {
    sha256: String,
    size: usize,
}

#[derive(Deserialize, Message)]
#[message(type = "fetch", reply = Fetched, reply_attachment = "size")]
struct Fetch {
    name: String,
}

#[derive(Serialize)]
struct Fetched {
    size: u64,
}

#[derive(Deserialize, Message)]
#[message(type = "enter", reply = Position)]
struct Enter {
    room: String,
    after: Option<Position>,
}

#[derive(Deserialize, Message)]
#[message(type = "say", reply = ())]
struct Say {
    room: String,
    text: String,
}

#[derive(Message, Serialize)]
#[message(type = "said", reply = ())]
struct Said {
    text: String,
}

#[derive(Deserialize, Message)]
#[message(type = "tick", reply = ())]
struct Tick {
    times: u32,
}

/// A number alone, for the sake of the shortest push.
#[derive(Serialize)]
struct Ticked(u32);

impl Message for Ticked {
    const TYPE: &'static str = "tick";
    type Reply = ();
}

#[derive(Clone)]
struct World {
    hub: Hub,
    files: Files,
}

type Files = Arc<Mutex<HashMap<String, Vec<u8>>>>;

impl packetboat_dispatch::FromRef<World> for Hub {
    fn from_ref(world: &World) -> Self {
        world.hub.clone()
    }
}

async fn add(Add { a, b }: Add) -> Sum {
    Sum { sum: a + b }
}

async fn refuse(_: Refuse) -> Result<(), Rejection> {
    Err(Rejection::new("too_late", "it is too late"))
}

async fn measure(Measure { text }: Measure) -> Length {
    let length = text.len();
    Length { length }
}

async fn keep(
    State(World { files, .. }): State<World>,
    mut upload: Upload,
    Keep { name, file_size }: Keep,
) -> Result<Kept, Rejection> {
    let mut bytes = Vec::with_capacity(file_size.min(1 << 22));
    upload.copy_to(&mut bytes).await?;
    let digest = Sha256::digest(&bytes);
    let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let size = bytes.len();
    files.lock().expect("no holder panics").insert(name, bytes);
    Ok(Kept { sha256, size })
}

async fn fetch(
    State(World { files, .. }): State<World>,
    Fetch { name }: Fetch,
) -> Result<(Fetched, File), Rejection> {
    let files = files.lock().expect("no holder panics");
    let bytes = files.get(&name);
    let bytes = bytes.ok_or_else(|| Rejection::new("not_found", "there is no such file"))?;
    // With a digest a download may go on, since it is known to be the same.
    let file = File::bytes(bytes.clone()).with_digest(*blake3::hash(bytes).as_bytes());
    Ok((Fetched { size: file.len() }, file))
}

async fn enter(hub: Hub, peer: Peer, request: Enter) -> Result<Position, Rejection> {
    let join = Join::default().after(request.after);
    Ok(hub.join(&peer, &request.room, join).await?)
}

async fn say(hub: Hub, Say { room, text }: Say) -> Result<(), Rejection> {
    hub.room(&room)
        .send(&Said { text }, SlowReader::Wait)
        .await?;
    Ok(())
}

async fn tick(hub: Hub, peer: Peer, Tick { times }: Tick) -> Result<(), Rejection> {
    let pusher = hub.pusher(&peer)?;
    for number in 0..times {
        pusher.send(&Ticked(number), SlowReader::Wait).await?;
    }
    Ok(())
}

fn dispatcher() -> Dispatcher<World> {
    let (hub, files) = (Hub::in_memory(), Files::default());
    Dispatcher::new(World { hub, files }).allow(Anyone, |group| {
        group
            .on(add)
            .on(refuse)
            .on(measure)
            .on(keep)
            .on(fetch)
            .on(enter)
            .on(say)
            .on(tick)
    })
}

fn router() -> Router {
    let script = |text: &'static str| {
        get(move || async move { ([(CONTENT_TYPE, "text/javascript")], text) })
    };
    Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/packetboat.js", script(SCRIPT))
        .route("/tests.js", script(TESTS))
        .route("/socket", web::socket(web::SocketOptions::new()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_in_javascript_does_all_of_it_on_a_page() {
    let Some(driver) = Driver::start().await else {
        return;
    };
    let server = Server::bind("127.0.0.1:0").await.expect("a port");
    let addr = server.local_addr().expect("it has one");
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.web(router()).serve(dispatcher()));
    let window = driver.window("client").await;
    window.open(&format!("http://{addr}/")).await;
    let done = window.until("return window.done").await;
    window.close().await;
    stop.shutdown();
    serving.await.expect("it ends").expect("it served");
    assert_eq!(done["failed"], Value::Array(Vec::new()), "{done:#}");
    assert_eq!(
        done["passed"].as_array().map(Vec::len),
        Some(11),
        "{done:#}"
    );
}
