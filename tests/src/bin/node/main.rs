//! A small server, of which many share a Redis: rooms, who is present, and posts that are committed first.

mod posts;

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use packetboat_dispatch::push::{
    Join, Position, PushLimits, RedisBroker, RedisPresence, SlowReader,
};
use packetboat_dispatch::redis::{Redis, RedisOptions};
use packetboat_dispatch::{Anyone, App, Dispatcher, FromRef, Hub, Peer, Rejection, Server, State};
use packetboat_tests::node::{Enter, Names, Page, Post, Posted, Read, Say, Who};
use posts::Posts;
use tokio::signal::unix::{SignalKind, signal};

/// A node.
#[derive(Parser)]
struct Args {
    /// The URL of the Redis that it shares with others.
    #[arg(long)]
    redis: String,
    /// Milliseconds between two signs of life, and between two looks at what was missed.
    #[arg(long, default_value_t = 20_000)]
    beat: u64,
    /// The URL of the database in which posts are committed.
    #[arg(long)]
    database: Option<String>,
    /// Dies after so many commits, before anybody is told of the last one.
    #[arg(long)]
    dies_after: Option<u64>,
}

#[derive(Clone)]
struct Node {
    hub: Hub,
    posts: Option<Posts>,
}

impl FromRef<Node> for Hub {
    fn from_ref(node: &Node) -> Self {
        node.hub.clone()
    }
}

async fn enter(hub: Hub, peer: Peer, request: Enter) -> Result<Position, Rejection> {
    let mut join = Join::default().after(request.after);
    if let Some(name) = request.name {
        join = join.present(name, &())?;
    }
    Ok(hub.join(&peer, &request.room, join).await?)
}

async fn say(hub: Hub, request: Say) -> Result<Position, Rejection> {
    let room = hub.room(&request.room);
    Ok(room.send(&request.said, SlowReader::Wait).await?)
}

async fn who(hub: Hub, request: Who) -> Result<Names, Rejection> {
    let present = hub.room(&request.room).present().await?;
    let names = present.into_iter().map(|present| present.key).collect();
    Ok(Names { names })
}

async fn post(State(node): State<Node>, request: Post) -> Result<Posted, Rejection> {
    let posts = node.posts.ok_or_else(no_database)?;
    posts.post(&request.room, request.text).await
}

async fn read(State(node): State<Node>, request: Read) -> Result<Page, Rejection> {
    let posts = node.posts.ok_or_else(no_database)?;
    posts.page(&request.room, request.after).await
}

fn no_database() -> Rejection {
    Rejection::new("no_database", "this node has no database")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let redis = Redis::new(RedisOptions::new(args.redis).with_prefix("node"))?;
    let beat = Duration::from_millis(args.beat);
    let limits = PushLimits {
        heartbeat: beat,
        check: beat,
        ..PushLimits::default()
    };
    let hub = Hub::new(
        RedisBroker::new(&redis)?,
        RedisPresence::new(&redis),
        limits,
    );
    let posts = match args.database {
        Some(url) => Some(Posts::open(&url, hub.clone(), args.dies_after).await?),
        None => None,
    };
    let node = Node {
        hub: hub.clone(),
        posts,
    };
    let dispatcher = Dispatcher::new(node);
    let app = App::from(dispatcher.allow(Anyone, |group| {
        group.on(enter).on(say).on(who).on(post).on(read)
    }));
    let server = Server::bind("127.0.0.1:0").await?;
    let stop = server.shutdown_handle();
    let mut terminate = signal(SignalKind::terminate())?;
    println!("READY {}", server.local_addr()?);
    tokio::spawn(async move {
        terminate.recv().await;
        // What was said leaves before the goodbye.
        hub.shutdown().await;
        stop.shutdown();
    });
    Ok(server.serve(app).await?)
}
