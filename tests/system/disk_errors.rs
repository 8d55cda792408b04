//! Row P7: a disk that fails in the middle of an upload.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use packetboat_dispatch::NativeClient;
use packetboat_framing::native::Digest;
use packetboat_tests::child::Child;
use packetboat_tests::peer::Peer;
use packetboat_tests::trace::{Strace, is_missing};
use serde_json::{Value, json};

use crate::house::{House, admin, movie_names, rounds, upload_of};
use crate::load::{self, ADMIN, Download};

/// Bytes of a movie: a part is kept of it on the native wire.
const MOVIE: usize = (1 << 20) + 5;

/// The calls that fail, each in its turn: every one by which files and rows get to the disk, but for `write`, by which the
/// runtime wakes its threads as well; a disk that refuses that is in the rows P5 and P6.
const CALLS: [&str; 6] = [
    "fsync",
    "fdatasync",
    "pwrite64",
    "rename",
    "openat",
    "unlink",
];

/// How long all of them may take outside of the long run, which tries each to its end.
const SHORT: Duration = Duration::from_secs(60);

/// Every call, with every error, on every wire.
fn all() -> impl Iterator<Item = (&'static str, &'static str, Way)> {
    let ways = [Way::Classic, Way::Native].into_iter();
    let calls = ways.flat_map(|way| CALLS.map(|call| (call, way)));
    calls.flat_map(|(call, way)| ["EIO", "ENOSPC"].map(|error| (error, call, way)))
}

/// How a movie is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Classic,
    Native,
}

/// What may be listed in the end: each movie with its content, and whether it must be there.
#[derive(Default)]
struct Told {
    movies: BTreeMap<String, (Way, u64, bool)>,
}

/// Who brings movies, on both wires, and who looks on. They stay, and so nobody logs in while a call fails.
struct Crew {
    peer: Peer,
    session: Value,
    client: NativeClient,
    looking: (Peer, Value),
}

impl Crew {
    async fn enter(server: &Child) -> Self {
        let (peer, session) = admin(server).await;
        let client = NativeClient::connect(server.addr()).await;
        let client = client.expect("a connection");
        client.call(ADMIN).await.expect("a login");
        Self {
            peer,
            session,
            client,
            looking: admin(server).await,
        }
    }

    /// Brings a movie and gives the code that it was refused with, if it was.
    async fn bring(&mut self, way: Way, seed: u64) -> Option<String> {
        match way {
            Way::Classic => {
                let frame = upload_of(&self.session, &name(way, seed), seed, MOVIE);
                self.peer.send(&frame).await.expect("a server that reads");
                let reply = self.peer.receive().await.expect("a reply");
                let code = reply["code"].as_str().map(str::to_owned);
                assert_eq!(reply["flag"], code.is_none(), "{reply}");
                code
            }
            Way::Native => {
                let brought = load::upload(&self.client, seed, MOVIE).await;
                let error = brought.err()?;
                let code = error.code().map(str::to_owned);
                Some(code.unwrap_or_else(|| panic!("{error:?}")))
            }
        }
    }

    /// What is listed, asked on a connection of its own.
    async fn names(&mut self) -> Vec<String> {
        let (peer, session) = &mut self.looking;
        movie_names(peer, session).await
    }
}

fn name(way: Way, seed: u64) -> String {
    match way {
        Way::Classic => format!("classic {seed}"),
        Way::Native => format!("native {seed}"),
    }
}

fn content(way: Way, seed: u64) -> Digest {
    match way {
        Way::Classic => {
            let film = seed.to_le_bytes().into_iter().cycle().take(MOVIE);
            Digest::of(&film.collect::<Vec<_>>())
        }
        Way::Native => Digest::of(&load::film(seed, MOVIE)),
    }
}

/// A call of each thread fails while one movie is brought; whether any did.
async fn with_one_failing(
    (server, house): (&Child, &House),
    (crew, told): (&mut Crew, &mut Told),
    (call, error, n): (&str, &str, u32),
    (way, seed): (Way, u64),
) -> bool {
    let trace = house.folder.path().join("trace");
    let traced = format!("trace={call}");
    let inject = format!("inject={call}:error={error}:when={n}");
    let options = ["-e", &traced, "-e", &inject];
    let strace = Strace::attach(server.pid(), &options, &trace).await;
    let strace = strace.expect("strace holds the server");
    let code = crew.bring(way, seed).await;
    // The request fails alone: another is answered.
    let names = crew.names().await;
    let seen = strace.detach().await.expect("strace lets go");
    let failed = seen.contains("(INJECTED)");

    let is_stored = code.is_none();
    let movie = (way, seed, is_stored);
    told.movies.insert(name(way, seed), movie);
    let what = format!("{way:?}, {call} {n}, {error}: {code:?}");
    match code.as_deref() {
        None | Some("internal") => {}
        Some("no_space") => assert_eq!(error, "ENOSPC", "{what}"),
        Some(_) => panic!("{what}"),
    }
    assert!(failed || is_stored, "{what}, and nothing has failed");
    assert!(is_stored || !names.contains(&name(way, seed)), "{what}");
    // Nothing is left but what is in doubt: under its name, with its mark.
    let left = house.movies().into_iter();
    let left: Vec<String> = left.filter(|name| name.ends_with("-part")).collect();
    assert_eq!(left, [""; 0], "{what}");
    // The next one is stored, and that is the same again where it was not.
    let next = if is_stored { seed + 500_000 } else { seed };
    let again = crew.bring(way, next).await;
    assert_eq!(again, None, "after {what}");
    told.movies.insert(name(way, next), (way, next, true));
    failed
}

/// What is listed is what was told of, whole; and nothing else is in the folder.
async fn look(server: &Child, house: &House, told: &Told) {
    let (mut peer, session) = admin(server).await;
    let who = json!({"type": "register", "name": "ann", "password": "pw", "user_type": "user"});
    peer.call(&who).await.expect("a reply");
    let request = json!({"type": "get_movie_list", "session": session, "movie_type": "all"});
    let mut listed = BTreeMap::new();
    // A reply holds so many.
    for offset in (0..).step_by(100) {
        let mut request = request.clone();
        (request["offset"], request["limit"]) = (json!(offset), json!(100));
        let reply = peer.call(&request).await.expect("a reply");
        let Some(rows) = reply["movie_list"].as_array() else {
            break;
        };
        for row in rows {
            let name = row[0].as_str().expect("a name").to_owned();
            listed.insert(name, row[2].as_i64().expect("an id"));
        }
    }
    for (name, (.., is_stored)) in &told.movies {
        assert!(
            !is_stored || listed.contains_key(name),
            "{name} is not listed"
        );
    }
    let client = NativeClient::connect(server.addr())
        .await
        .expect("a connection");
    client.call(load::USER).await.expect("a login");
    for (name, movie_id) in &listed {
        let movie = told.movies.get(name);
        let (way, seed, _) = movie.unwrap_or_else(|| panic!("{name} is listed"));
        let digest = content(*way, *seed);
        let (reply, mut film) = client
            .call_for_file(Download {
                movie_id: *movie_id,
            })
            .await
            .expect("a film");
        assert_eq!(reply["digest"], digest.to_string(), "{name}");
        let mut came = Vec::new();
        packetboat_framing::BodyExt::copy_to(&mut film, &mut came)
            .await
            .expect("all of it");
        assert!(Digest::of(&came) == digest, "{name} is another");
    }
    let parts = fs::read_dir(house.data().join("parts"));
    assert_eq!(parts.expect("a folder").count(), 0, "parts are left");
    assert_eq!(house.movies().len(), listed.len(), "{:?}", house.movies());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_to_the_disk_may_fail_and_one_upload_alone_does() {
    if is_missing().await {
        return;
    }
    let house = House::new();
    let log = house.log();
    let mut command = house.command();
    command.extend(["--wait", "0s"].map(str::to_owned));
    let server = Child::spawn("movie", command.clone(), &log).await;
    let server = server.expect("a server");
    // What is done at the first time alone is done by then.
    let mut crew = Crew::enter(&server).await;
    let (began, mut told, mut seed, mut failures) = (Instant::now(), Told::default(), 1, 0);
    for way in [Way::Classic, Way::Native] {
        assert_eq!(crew.bring(way, 0).await, None);
        told.movies.insert(name(way, 0), (way, 0, true));
    }
    let is_long = rounds(1, 0) == 1;
    // Those of which fewer happen in one upload than were to be let pass.
    let mut through = BTreeSet::new();
    'all: for n in 1.. {
        // The pages of the log are written one after another, in calls that are all alike.
        if !is_long && n > 3 && n % 4 != 0 {
            continue;
        }
        for (error, call, way) in all() {
            if !is_long && began.elapsed() > SHORT {
                break 'all;
            }
            if through.contains(&(error, call, way)) {
                continue;
            }
            seed += 1;
            let (place, cast) = ((&server, &house), (&mut crew, &mut told));
            match with_one_failing(place, cast, (call, error, n), (way, seed)).await {
                true => failures += 1,
                false => drop(through.insert((error, call, way))),
            }
        }
        if through.len() == all().count() {
            break;
        }
    }
    drop(crew);
    println!(
        "{failures} failures in {:?}, {} movies",
        began.elapsed(),
        told.movies.len()
    );
    assert!(failures > 8, "{failures} failures");

    // After a start nothing is in doubt, and everything is whole.
    server.kill().await.expect("a process to kill");
    // A part whose removal failed waits for its time, which is over.
    command.extend(["--keep-unfinished", "0s"].map(str::to_owned));
    let server = Child::spawn("movie", command, &log).await;
    look(&server.expect("a server"), &house, &told).await;
}
