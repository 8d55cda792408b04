//! Join, leave, and who gets what.

use std::time::Duration;

use packetboat_dispatch::client::{ClientBuilder, Pushes};
use packetboat_dispatch::push::{Join, PushError, PushLimits, SlowReader};
use packetboat_dispatch::{
    Anyone, App, BodyExt, ClientError, Dispatcher, File, FromRef, Hub, Limits, Message,
    NativeClient, Peer, Server, State, serve_stream,
};
use serde::{Deserialize, Serialize};

use crate::world::{Enter, ROOM, Said, Typing, World, next, nothing, numbers, said};

#[tokio::test]
async fn a_room_one_everyone_and_all_but_one_get_what_is_theirs() {
    let world = World::new();
    let hub = &world.hub;
    let (ann, mut to_ann) = world.member("ann").await;
    let (_bob, mut to_bob) = world.member("bob").await;
    let eve = world.client("eve").await;
    let mut to_eve = eve.client.pushes::<Said>(10);
    hub.join(&eve.peer, "elsewhere", Join::default())
        .await
        .expect("joined");

    let first = world.say(1, SlowReader::Wait).await;
    assert_eq!(first.seq, 1);
    let sent = hub
        .room(ROOM)
        .except(ann.peer.id())
        .send(&said(2), SlowReader::Wait)
        .await;
    assert_eq!(sent.expect("sent").seq, 2);
    hub.everyone()
        .send(&said(3), SlowReader::Wait)
        .await
        .expect("sent");
    let eves = hub.to(eve.peer.id()).expect("she is here");
    eves.send(&said(4), SlowReader::Wait).await.expect("sent");

    let pushed = next(&mut to_ann).await.expect("a push");
    assert_eq!((pushed.message.n, pushed.room.as_deref()), (1, Some(ROOM)));
    assert_eq!(pushed.position, Some(first));
    assert_eq!(numbers(&mut to_ann, 1).await, [3]);
    // Between two rooms there is no order.
    let mut bobs = numbers(&mut to_bob, 3).await;
    bobs.sort_unstable();
    assert_eq!(bobs, [1, 2, 3]);
    let mut eves = Vec::new();
    for _ in 0..2 {
        let pushed = next(&mut to_eve).await.expect("a push");
        eves.push((pushed.message.n, pushed.room));
    }
    eves.sort_unstable();
    assert_eq!(eves, [(3, Some("*".to_owned())), (4, None)]);
    for pushes in [&mut to_ann, &mut to_bob, &mut to_eve] {
        nothing(pushes).await;
    }
    assert_eq!(hub.stats().sent, 7);
}

#[tokio::test]
async fn a_push_goes_to_whoever_has_taken_up_its_type() {
    let world = World::new();
    let (ann, mut all) = world.member("ann").await;
    let mut again = ann.client.pushes::<Said>(10);
    let mut typing = ann.client.pushes::<Typing>(10);
    let room = || world.hub.room(ROOM);
    let bob = Typing {
        who: "bob".to_owned(),
    };
    room()
        .signal(&bob, SlowReader::DropOldest)
        .await
        .expect("sent");
    let refused = room().signal(&bob, SlowReader::Wait).await;
    assert!(matches!(refused, Err(PushError::CannotWait)));
    world.say(1, SlowReader::Wait).await;
    assert_eq!(numbers(&mut all, 1).await, [1]);
    assert_eq!(numbers(&mut again, 1).await, [1]);
    let pushed = next(&mut typing).await.expect("a push");
    assert_eq!((pushed.message, pushed.position), (bob, None));
    drop(again);
    world.say(2, SlowReader::Wait).await;
    assert_eq!(numbers(&mut all, 1).await, [2]);
    ann.cut().await;
    assert!(all.next().await.is_none() && typing.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_the_oldest_and_is_told() {
    let world = World::new();
    let ann = world.client("ann").await;
    let mut pushes = ann.client.pushes::<Said>(3);
    let mut marks = ann.client.pushes::<Typing>(1);
    world.join(&ann, None).await;
    for n in 1..=10 {
        world.say(n, SlowReader::Wait).await;
    }
    let mark = Typing {
        who: "eve".to_owned(),
    };
    world
        .hub
        .room(ROOM)
        .send(&mark, SlowReader::Wait)
        .await
        .expect("sent");
    next(&mut marks).await.expect("all has come");
    let lost = next(&mut pushes).await.expect_err("some were lost");
    assert_eq!(lost.to_string(), "7 pushes came and were not read in time");
    assert_eq!(numbers(&mut pushes, 3).await, [8, 9, 10]);
}

#[tokio::test]
async fn the_classic_wire_has_no_pushes_and_says_so() {
    let world = World::new();
    let local = world.app().connect();
    let answer = local
        .request(br#"{"type": "enter", "room": "lobby"}"#)
        .await;
    assert!(
        answer.text().contains("push_unavailable"),
        "{}",
        answer.text()
    );
    let joined = world.hub.join(local.peer(), ROOM, Join::default()).await;
    assert!(matches!(joined, Err(PushError::Unavailable)));
    assert_eq!((world.hub.connections(), world.hub.rooms()), (0, 0));
}

#[tokio::test]
async fn joining_twice_is_joining_once_and_names_and_rooms_are_bounded() {
    let world = World::with(PushLimits {
        rooms: 2,
        message_bytes: 100,
        ..PushLimits::default()
    });
    let (ann, mut pushes) = world.member("ann").await;
    let before = world.say(1, SlowReader::Wait).await;
    assert_eq!(world.join(&ann, None).await, before);
    let enter = |room: &str| {
        ann.client.call(Enter {
            room: room.to_owned(),
        })
    };
    enter("second").await.expect("the second");
    let Err(ClientError::Rejected { code, .. }) = enter("third").await else {
        panic!("one room too many")
    };
    assert_eq!(code, "too_many_rooms");
    for name in ["", &"x".repeat(256)] {
        let refused = world.hub.join(&ann.peer, name, Join::default()).await;
        assert!(matches!(refused, Err(PushError::BadRoom { .. })));
    }
    let long = Said {
        n: 1,
        text: "x".repeat(100),
    };
    let refused = world.hub.room(ROOM).send(&long, SlowReader::Wait).await;
    assert!(matches!(refused, Err(PushError::TooLarge { max: 100, .. })));
    world.say(2, SlowReader::Wait).await;
    assert_eq!(numbers(&mut pushes, 2).await, [1, 2], "each once");
}

#[tokio::test]
async fn after_a_leave_has_returned_nothing_of_the_room_is_handed_over() {
    let world = World::new();
    let (ann, mut to_ann) = world.member("ann").await;
    let talking = tokio::spawn({
        let world = world.clone();
        async move {
            for n in 1..=10_000 {
                world.say(n, SlowReader::Wait).await;
                if n % 100 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    });
    let mut kicks = 0;
    while !talking.is_finished() || kicks < 20 {
        kicks += 1;
        world.hub.leave(ann.peer.id(), ROOM).await;
        // What went before it is still on its way; the connection's own messages keep their order.
        let mark = world.hub.to(ann.peer.id()).expect("she is here");
        let mut marks = ann.client.pushes::<Typing>(1);
        let who = kicks.to_string();
        mark.send(&Typing { who }, SlowReader::Wait)
            .await
            .expect("sent");
        next(&mut marks).await.expect("the mark");
        let seen = drain(&mut to_ann).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(drain(&mut to_ann).await, 0, "after {seen} messages");
        world.join(&ann, None).await;
        tokio::task::yield_now().await;
    }
    talking.await.expect("said");
    world.hub.leave(ann.peer.id(), ROOM).await;
    world.hub.leave(ann.peer.id(), ROOM).await;
}

/// How many have come.
async fn drain(pushes: &mut Pushes<Said>) -> usize {
    let mut count = 0;
    let at_once = Duration::ZERO;
    while let Ok(Some(_)) = tokio::time::timeout(at_once, pushes.next()).await {
        count += 1;
    }
    count
}

#[derive(Clone)]
struct Cinema {
    hub: Hub,
    film: std::sync::Arc<Vec<u8>>,
}

impl FromRef<Cinema> for Hub {
    fn from_ref(cinema: &Cinema) -> Self {
        cinema.hub.clone()
    }
}

#[derive(Serialize, Deserialize, Message)]
#[message(type = "film", reply = Film, reply_attachment = "size")]
struct GetFilm {}

#[derive(Serialize, Deserialize)]
struct Film {
    size: u64,
}

async fn film(
    State(cinema): State<Cinema>,
    _: GetFilm,
) -> Result<(Film, File), packetboat_dispatch::Rejection> {
    let path = std::env::temp_dir().join(format!("packetboat-push-{}", std::process::id()));
    std::fs::write(&path, &*cinema.film)?;
    let file = File::open(&path).await?;
    std::fs::remove_file(path)?;
    Ok((Film { size: file.len() }, file))
}

#[derive(Serialize, Deserialize, Message)]
#[message(type = "enter", reply = ())]
struct EnterCinema {
    room: String,
}

async fn enter_cinema(hub: Hub, peer: Peer, request: EnterCinema) -> Result<(), PushError> {
    hub.join(&peer, &request.room, Join::default())
        .await
        .map(drop)
}

/// Downloads a film in a room where somebody talks. What is not read is not sent, so the film waits
/// for each push that is read.
async fn watch(client: &NativeClient, cinema: &Cinema, pushes: u64) {
    let mut said_there = client.pushes::<Said>(100_000);
    let room = ROOM.to_owned();
    client.call(EnterCinema { room }).await.expect("entered");
    let (_, mut body) = client.call_for_file(GetFilm {}).await.expect("a film");
    let (hearing, mut reached) = tokio::sync::watch::channel(0);
    let talking = tokio::spawn({
        let hub = cinema.hub.clone();
        async move {
            for n in 1..=pushes {
                let sent = hub.room(ROOM).send(&said(n), SlowReader::Wait).await;
                sent.expect("sent");
                // Not more at once than the room keeps, or the client lets wait.
                let heard = reached.wait_for(|heard| heard + 400 >= n).await;
                heard.expect("somebody reads");
            }
        }
    });
    let (mut at, mut heard) = (0_usize, 0);
    while let Some(chunk) = body.chunk().await.expect("it comes whole") {
        let same = chunk[..] == cinema.film[at..at + chunk.len()];
        assert!(same, "after {at} bytes");
        at += chunk.len();
        if heard < pushes {
            heard += 1;
            let pushed = next(&mut said_there).await.expect("nothing is lost");
            assert_eq!(pushed.message.n, heard);
            hearing.send_replace(heard);
        }
    }
    assert_eq!(at, cinema.film.len());
    println!("{heard} pushes were read between pieces of the film");
    while heard < pushes {
        heard += 1;
        let pushed = next(&mut said_there).await.expect("nothing is lost");
        assert_eq!(pushed.message.n, heard);
        hearing.send_replace(heard);
    }
    talking.await.expect("said");
}

fn cinema(size: usize) -> (Cinema, App) {
    let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
    let cinema = Cinema {
        hub: Hub::in_memory(),
        film: std::sync::Arc::new(bytes),
    };
    let dispatcher = Dispatcher::new(cinema.clone());
    let app = dispatcher.allow(Anyone, |group| group.on(film).on(enter_cinema));
    (cinema, App::from(app))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_during_a_download_come_between_its_frames() {
    let long = std::env::var_os("PACKETBOAT_LONG").is_some();
    let (size, pushes) = if long {
        (1 << 30, 100_000)
    } else {
        (64 << 20, 10_000)
    };
    let (cinema, app) = cinema(size);
    let server = Server::bind("127.0.0.1:0").await.expect("bound");
    let addr = server.local_addr().expect("bound");
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.serve(app));
    let client = NativeClient::connect(addr).await.expect("connected");
    watch(&client, &cinema, pushes).await;
    drop(client);
    stop.shutdown();
    serving.await.expect("served").expect("in good order");
}

/// Over a pipe that takes four kilobytes at a time, pushes come while a frame of the film is half
/// sent.
#[tokio::test]
async fn pushes_wait_for_the_end_of_a_frame_that_has_begun() {
    let (cinema, app) = cinema(16 << 20);
    let (ours, theirs) = tokio::io::duplex(4096);
    tokio::spawn(serve_stream(theirs, app, Limits::default()));
    let (read, write) = tokio::io::split(ours);
    let builder: ClientBuilder = ClientBuilder::default();
    let client = builder.over_native(read, write);
    watch(&client, &cinema, 2000).await;
}
