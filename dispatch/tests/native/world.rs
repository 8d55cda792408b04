//! An application with what the native wire adds, and clients of it in memory.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packetboat_dispatch::{
    Anyone, App, BodyExt, Deadline, Disconnect, Dispatcher, File, Idempotency, IdempotencyKey,
    Limits, Message, NativeClient, Outcome, Rejection, State, Stoppable, Upload,
    client::ClientBuilder, serve_stream,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, DuplexStream, copy_bidirectional, repeat, split};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) gate: Arc<Notify>,
    pub(crate) ended: Arc<AtomicUsize>,
    pub(crate) dropped: Arc<AtomicUsize>,
    pub(crate) outcomes: Option<mpsc::UnboundedSender<Outcome>>,
    pub(crate) digest: Option<[u8; 32]>,
    /// What was bought, by the key that it was bought with.
    pub(crate) bought: Arc<Mutex<HashSet<IdempotencyKey>>>,
    /// How often buying was begun.
    pub(crate) begun: Arc<AtomicUsize>,
    /// Bytes that a film is announced with and does not have.
    pub(crate) lacking: u64,
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "echo", reply = Text)]
pub(crate) struct Echo {
    pub(crate) text: String,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) text: String,
}

/// Waits for the gate, and may not be stopped.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "firm", reply = Text)]
pub(crate) struct Firm {}

/// The same, and may be.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "soft", reply = Text)]
pub(crate) struct Soft {}

/// Counts the bytes of its file, after a pause.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "count", reply = Counted, attachment = "size")]
pub(crate) struct Count {
    pub(crate) size: u64,
    pub(crate) pause_ms: u64,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) bytes: u64,
    pub(crate) sum: u64,
}

/// A file of so many bytes.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "film", reply = Film, reply_attachment = "size")]
pub(crate) struct GetFilm {
    pub(crate) size: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Film {
    pub(crate) size: u64,
}

/// Its file, backwards.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "mirror", reply = Film, attachment = "size", reply_attachment = "size")]
pub(crate) struct Mirror {
    pub(crate) size: u64,
}

/// How long its client still waits, in milliseconds.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "left", reply = Left)]
pub(crate) struct AskLeft {}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Left {
    pub(crate) ms: Option<u64>,
}

/// Buys something, behind the gate.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "buy", reply = Text)]
pub(crate) struct Buy {}

/// Says that it is there.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "hello", reply = Text, safe)]
pub(crate) struct Hello {}

struct Counts(Arc<AtomicUsize>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn echo(request: Echo) -> Text {
    Text { text: request.text }
}

async fn wait(world: World) -> Text {
    let _dropped = Counts(Arc::clone(&world.dropped));
    world.gate.notified().await;
    world.ended.fetch_add(1, Ordering::SeqCst);
    Text {
        text: "open".to_owned(),
    }
}

async fn firm(State(world): State<World>, _: Firm) -> Text {
    wait(world).await
}

async fn soft(_: Stoppable, State(world): State<World>, _: Soft) -> Text {
    wait(world).await
}

async fn buy(
    Idempotency(key): Idempotency,
    State(world): State<World>,
    _: Buy,
) -> Result<Text, Rejection> {
    world.begun.fetch_add(1, Ordering::SeqCst);
    let key = key.ok_or_else(|| Rejection::new("no_key", "a purchase needs a key"))?;
    world.gate.notified().await;
    let is_new = world.bought.lock().expect("no panic").insert(key);
    let text = if is_new { "bought" } else { "bought before" };
    Ok(Text {
        text: text.to_owned(),
    })
}

async fn hello(_: Hello) -> Text {
    Text {
        text: "hello".to_owned(),
    }
}

async fn count(mut body: Upload, request: Count) -> Result<Counted, Rejection> {
    tokio::time::sleep(Duration::from_millis(request.pause_ms)).await;
    let (mut bytes, mut sum) = (0, 0);
    while let Some(chunk) = body.chunk().await? {
        bytes += chunk.len() as u64;
        sum += chunk.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    }
    Ok(Counted { bytes, sum })
}

async fn film(State(world): State<World>, request: GetFilm) -> (Film, File) {
    let mut file = match world.lacking {
        0 => File::bytes(vec![7; request.size as usize]),
        lacking => File::reader(repeat(7).take(request.size - lacking), request.size),
    };
    if let Some(digest) = world.digest {
        file = file.with_digest(digest);
    }
    let file = file.on_end(move |outcome| async move {
        if let Some(outcomes) = world.outcomes {
            let _ = outcomes.send(outcome);
        }
    });
    (Film { size: request.size }, file)
}

async fn mirror(mut body: Upload, request: Mirror) -> Result<(Film, File), Rejection> {
    let mut all = Vec::new();
    body.copy_to(&mut all).await?;
    all.reverse();
    Ok((Film { size: request.size }, File::bytes(all)))
}

async fn left(deadline: Deadline, _: AskLeft) -> Left {
    let ms = deadline.left().map(|left| left.as_millis() as u64);
    Left { ms }
}

pub(crate) fn app(world: &World) -> App {
    let dispatcher = Dispatcher::new(world.clone()).allow(Anyone, |group| {
        group
            .on(buy)
            .on(echo)
            .on(hello)
            .on(firm)
            .on(soft)
            .on(count)
            .on(film)
            .on(mirror)
            .on(left)
    });
    App::from(dispatcher)
}

/// A connection that is served, and this end of it.
pub(crate) fn connect(world: &World, limits: Limits) -> (DuplexStream, JoinHandle<Disconnect>) {
    connect_to(app(world), limits)
}

/// One connection of several to an application.
pub(crate) fn connect_to(app: App, limits: Limits) -> (DuplexStream, JoinHandle<Disconnect>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    (ours, tokio::spawn(serve_stream(theirs, app, limits)))
}

/// A client of an application, over a wire that is cut when the task is aborted.
pub(crate) fn client_by_wire(app: App) -> (NativeClient, JoinHandle<()>) {
    let (mut server, _serving) = connect_to(app, Limits::default());
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let wire = tokio::spawn(async move {
        let _ = copy_bidirectional(&mut theirs, &mut server).await;
    });
    let (read, write) = split(ours);
    let builder: ClientBuilder = ClientBuilder::default();
    (builder.over_native(read, write), wire)
}

pub(crate) fn client(world: &World) -> (NativeClient, JoinHandle<Disconnect>) {
    client_with(world, ClientBuilder::default())
}

pub(crate) fn client_with(
    world: &World,
    builder: ClientBuilder,
) -> (NativeClient, JoinHandle<Disconnect>) {
    let (io, serving) = connect(world, Limits::default());
    let (read, write) = split(io);
    (builder.over_native(read, write), serving)
}

/// Waits until something has happened, since a loaded machine may take its time.
pub(crate) async fn until(happened: impl Fn() -> bool) {
    for _ in 0..1000 {
        if happened() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen");
}
