//! Nodes that die between the commit of a post and telling anybody of it.

use std::collections::HashMap;
use std::env;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use packetboat_dispatch::NativeClient;
use packetboat_dispatch::client::{ClientBuilder, Pushes};
use packetboat_tests::node::{Enter, Post, Posted, Read, Start};
use packetboat_tests::redis::Redis;
use tokio::time::sleep;

const ROOM: &str = "posts";

/// How often a node dies.
fn deaths() -> u64 {
    match env::var("PACKETBOAT_LONG") {
        Ok(long) if long == "1" => 1000,
        _ => 20,
    }
}

async fn connect(node: SocketAddr) -> NativeClient {
    let builder: ClientBuilder = ClientBuilder::default();
    builder.connect_native(node).await.expect("a node")
}

async fn enter(client: &NativeClient) {
    let enter = Enter {
        room: ROOM.to_owned(),
        after: None,
        name: None,
    };
    client.call(enter).await.expect("entered");
}

/// What a reader has, in the order of the numbers.
#[derive(Default)]
struct Reader {
    posts: Mutex<Vec<Posted>>,
    /// Holes that were seen, and posts that came twice.
    holes: Mutex<(u64, u64)>,
}

impl Reader {
    fn last(&self) -> i64 {
        let posts = self.posts.lock().expect("no panic");
        posts.last().map_or(0, |posted| posted.number)
    }

    fn take(&self, posted: Posted) {
        assert_eq!(posted.number, self.last() + 1, "in order");
        self.posts.lock().expect("no panic").push(posted);
    }

    /// What was committed and not told is in the database.
    async fn catch_up(&self, client: &NativeClient) {
        loop {
            let read = Read {
                room: ROOM.to_owned(),
                after: self.last(),
            };
            let page = client.call(read).await.expect("a page");
            if page.posts.is_empty() {
                return;
            }
            page.posts.into_iter().for_each(|posted| self.take(posted));
        }
    }

    async fn read(self: Arc<Self>, client: NativeClient, mut pushes: Pushes<Posted>) {
        while let Some(pushed) = pushes.next().await {
            let posted = pushed.expect("nothing is lost on the way").message;
            match posted.number.cmp(&(self.last() + 1)) {
                std::cmp::Ordering::Equal => self.take(posted),
                // It was in the database already, or was told twice.
                std::cmp::Ordering::Less => self.holes.lock().expect("no panic").1 += 1,
                std::cmp::Ordering::Greater => {
                    self.holes.lock().expect("no panic").0 += 1;
                    self.catch_up(&client).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_by_a_node_that_died_is_read_by_all() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log");
    let mut start = Start::new(redis.url());
    let file = folder.path().join("posts.db");
    start.database = Some(format!("sqlite://{}", file.display()));
    let survivor = start.spawn(&log).await.expect("a node");
    let reader = Arc::new(Reader::default());
    let client = connect(survivor.addr()).await;
    let pushes = client.pushes(100_000);
    enter(&client).await;
    let reading = tokio::spawn(Arc::clone(&reader).read(client, pushes));

    let mut acknowledged = HashMap::new();
    let mut posted = 0;
    for death in 0..deaths() {
        let dies = Start {
            dies_after: Some(1 + death % 4),
            ..start.clone()
        };
        let node = dies.spawn(&log).await.expect("a node");
        let client = connect(node.addr()).await;
        loop {
            posted += 1;
            let text = format!("post {posted}");
            let post = Post {
                room: ROOM.to_owned(),
                text: text.clone(),
            };
            match client.call(post).await {
                Ok(posted) => acknowledged.insert(posted.number, text),
                // It was committed, and nobody knows.
                Err(error) if error.is_lost() => break,
                Err(error) => panic!("{error:?}"),
            };
        }
        let ended = node.ended().await.expect("it has died");
        assert!(!ended.success());
    }

    // Each is in the database, also those of which nobody was told by the node that has them.
    let began = Instant::now();
    while reader.last() < posted {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{} of {posted}",
            reader.last()
        );
        sleep(Duration::from_millis(10)).await;
    }
    let (holes, twice) = *reader.holes.lock().expect("no panic");
    println!("{posted} posts, {holes} holes, {twice} told twice");
    let posts = reader.posts.lock().expect("no panic").clone();
    assert_eq!(i64::try_from(posts.len()).expect("few"), posted);
    for (number, post) in (1..).zip(&posts) {
        let text = format!("post {number}");
        assert_eq!((post.number, &post.text), (number, &text));
        if let Some(said) = acknowledged.get(&number) {
            assert_eq!(*said, text);
        }
    }

    // Who comes only now has all of it, too.
    let late = Reader::default();
    late.catch_up(&connect(survivor.addr()).await).await;
    assert_eq!(*late.posts.lock().expect("no panic"), posts);
    reading.abort();
}
