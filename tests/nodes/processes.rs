//! Whole nodes, as processes that are killed, replaced and cut off from what they share.
//!
//! Signs of life and looks at what was missed are half a second apart here, where they are 20 s and 25 s by default; what
//! is awaited is as many of them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use packetboat_dispatch::client::ClientBuilder;
use packetboat_tests::child::Child;
use packetboat_tests::node::{Start, Who};
use packetboat_tests::redis::Redis;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::crowd::{Account, Crowd, Member, Sender};
use crate::lossy::Lossy;

const ROOMS: usize = 4;
const MEMBERS: usize = 36;
const SENDERS: usize = 6;

struct Nodes {
    start: Start,
    nodes: Vec<Child>,
    folder: TempDir,
}

impl Nodes {
    async fn start(start: Start) -> Self {
        let mut all = Self {
            start,
            nodes: Vec::new(),
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        for _ in 0..3 {
            let node = all.one().await;
            all.nodes.push(node);
        }
        all
    }

    async fn one(&self) -> Child {
        self.start.spawn(&self.log()).await.expect("a node")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn addrs(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Child::addr).collect()
    }
}

/// Members and senders at work.
struct Load {
    members: Vec<Member>,
    senders: Vec<Sender>,
}

impl Load {
    fn start(crowd: &std::sync::Arc<Crowd>) -> Self {
        Self {
            members: (0..MEMBERS).map(|n| crowd.member(n, ROOMS)).collect(),
            senders: (0..SENDERS).map(|n| crowd.sender(n, ROOMS)).collect(),
        }
    }

    /// Nothing more is said; when all have got everything, what they saw.
    async fn end(self, crowd: &Crowd, within: Duration) -> Vec<Account> {
        for sender in self.senders {
            sender.stop().await;
        }
        let began = Instant::now();
        while !crowd.have_all() {
            if began.elapsed() > within {
                // Whoever lacks what is named by the check.
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        println!("all had everything after {:?}", began.elapsed());
        let mut accounts = Vec::new();
        for member in self.members {
            accounts.push(member.stop().await);
        }
        accounts
    }
}

/// As long as this many more have been acknowledged.
async fn while_said(crowd: &Crowd, more: usize) {
    let (from, began) = (crowd.acknowledged(), Instant::now());
    while crowd.acknowledged() < from + more {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "nothing is acknowledged"
        );
        sleep(Duration::from_millis(10)).await;
    }
}

/// Who is present in all rooms, asked at one node.
async fn present(node: SocketAddr) -> Vec<String> {
    let builder: ClientBuilder = ClientBuilder::default();
    let client = builder.connect_native(node).await.expect("a node");
    let mut all = Vec::new();
    for n in 0..ROOMS {
        let room = format!("room {n}");
        all.extend(client.call(Who { room }).await.expect("names").names);
    }
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_costs_no_message_and_leaves_no_ghosts() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let mut nodes = Nodes::start(Start::new(redis.url())).await;
    let crowd = Crowd::new(&nodes.addrs());
    let mut load = Load::start(&crowd);
    while_said(&crowd, 500).await;
    // Some of the node's own are gone with it, and nobody says goodbye for them.
    let gone: Vec<usize> = (0..MEMBERS).filter(|n| n % 3 == 0).take(4).collect();
    let killed = nodes.nodes.remove(0);
    let left = nodes.addrs();
    crowd.nodes_are(&left);
    killed.kill().await.expect("killed");
    let at = Instant::now();
    for n in gone.iter().rev() {
        load.members.remove(*n).abort();
        crowd.forget(*n, ROOMS);
    }
    let mut expected: Vec<String> = (0..MEMBERS)
        .filter(|n| !gone.contains(n))
        .map(|n| format!("member {n}"))
        .collect();
    expected.sort_unstable();
    for node in &left {
        while present(*node).await != expected {
            // Three signs of life, the look after them, and this machine.
            assert!(at.elapsed() < Duration::from_secs(4), "ghosts stay");
            sleep(Duration::from_millis(20)).await;
        }
    }
    println!("presence was right after {:?}", at.elapsed());
    while_said(&crowd, 500).await;
    let accounts = load.end(&crowd, Duration::from_secs(5)).await;
    let gaps = crowd.check(&accounts);
    println!(
        "{} acknowledged, {:?}",
        crowd.acknowledged(),
        crowd.counts()
    );
    assert_eq!(gaps, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_fails_no_call_and_loses_no_message() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let mut nodes = Nodes::start(Start::new(redis.url())).await;
    let crowd = Crowd::new(&nodes.addrs());
    let load = Load::start(&crowd);
    for _ in 0..3 {
        while_said(&crowd, 400).await;
        let next = nodes.one().await;
        nodes.nodes.push(next);
        let old = nodes.nodes.remove(0);
        crowd.nodes_are(&nodes.addrs());
        let ended = old.terminate().await.expect("it ends");
        assert!(ended.success(), "{ended}");
    }
    while_said(&crowd, 400).await;
    let accounts = load.end(&crowd, Duration::from_secs(5)).await;
    let (gaps, counts) = (crowd.check(&accounts), crowd.counts());
    println!("{} acknowledged, {counts:?}", crowd.acknowledged());
    assert_eq!((gaps, counts.unknown), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_lost_messages_of_the_channels_nobody_is_without_one_for_long() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let lossy = Lossy::start(redis.addr(), 100).await;
    let nodes = Nodes::start(Start::new(redis.url_by(lossy.addr))).await;
    let crowd = Crowd::new(&nodes.addrs());
    let load = Load::start(&crowd);
    while_said(&crowd, 2000).await;
    // A look is half a second away at the most.
    let accounts = load.end(&crowd, Duration::from_secs(3)).await;
    let gaps = crowd.check(&accounts);
    println!(
        "{} acknowledged, {} lost",
        crowd.acknowledged(),
        lossy.lost()
    );
    assert!(lossy.lost() > 20, "{}", lossy.lost());
    assert_eq!(gaps, 0, "everything is fetched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_is_flushed_and_crashes_costs_one_notice_each() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let nodes = Nodes::start(Start::new(redis.url())).await;
    let crowd = Crowd::new(&nodes.addrs());
    let load = Load::start(&crowd);
    while_said(&crowd, 300).await;
    redis.hang();
    sleep(Duration::from_millis(1500)).await;
    redis.go_on();
    while_said(&crowd, 300).await;
    redis.command(&["FLUSHALL"]).await;
    while_said(&crowd, 300).await;
    redis.crash();
    sleep(Duration::from_millis(500)).await;
    redis.start_again().await;
    while_said(&crowd, 300).await;
    let everybody = async || present(nodes.nodes[0].addr()).await.len() == MEMBERS;
    crate::world::until("presence", everybody).await;
    let accounts = load.end(&crowd, Duration::from_secs(5)).await;
    let gaps = crowd.check(&accounts);
    println!(
        "{} acknowledged, {:?}",
        crowd.acknowledged(),
        crowd.counts()
    );
    // None for the one that hung, since nothing was forgotten.
    assert_eq!(gaps, 2, "one for the flush, and one for the crash");
}
