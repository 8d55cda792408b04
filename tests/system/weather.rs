//! Row N7: packets that are lost, late, doubled and out of order, on both wires.

use std::process::Stdio;
use std::time::{Duration, Instant};

use packetboat_tests::child::path_of;
use tokio::process::Command;
use tokio::time::timeout;

use crate::house::{House, rounds};

/// How long the whole story may take, on both wires.
const ENOUGH: Duration = Duration::from_secs(280);

/// Where the server is, in the network of the script.
const ADDR: &str = "10.99.0.1:7878";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/system/weather.py");
const STORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/system/weather_story.sh");
const SESSION: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../examples/movie/tests/classic_session.py"
);

/// Whether this machine lets a test have a network of its own, with devices in it.
async fn is_possible() -> bool {
    let tried = Command::new("unshare")
        .args([
            "--map-root-user",
            "--net",
            "ip",
            "tuntap",
            "add",
            "dev",
            "t0",
            "mode",
            "tun",
        ])
        .output()
        .await;
    let said = match tried {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    // In the long run it must be.
    assert!(
        rounds(1, 0) == 0,
        "no network of its own, or no TUN device: {said}"
    );
    eprintln!("SKIPPED: no network of its own, or no TUN device: {said}");
    false
}

/// Runs a story in bad weather, and gives what it said.
async fn tell(story: &[&str]) -> String {
    let house = House::new();
    let movie = path_of("movie").expect("it is built");
    let server = house.command().into_iter().map(|option| match &*option {
        "127.0.0.1:0" => ADDR.to_owned(),
        _ => option,
    });
    let mut command = Command::new("unshare");
    command
        // The server ends with the script, however that ends.
        .args([
            "--map-root-user",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
        ])
        .args(["python3", "-B", SCRIPT, "7"])
        .arg(&movie)
        .args(server)
        .args(["--insecure", "--wait", "2s", "--"])
        .args(story)
        .env("MOVIE", &movie)
        .env("FOLDER", house.folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let began = Instant::now();
    let output = timeout(ENOUGH, command.output()).await;
    let output = output.expect("it ends").expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    println!("{said}in {:?}", began.elapsed());
    assert!(output.status.success(), "{said}");
    let (_, weather) = said.rsplit_once("weather: ").expect("it is told");
    let (_, lost) = weather.split_once(", ").expect("packets, and lost ones");
    assert!(!lost.starts_with("0 "), "the weather was fair: {weather}");
    said
}

/// By the program, on one wire each: accounts, films up and down, a purchase, a deletion.
#[tokio::test]
async fn the_story_is_told_in_bad_weather_by_the_program() {
    if !is_possible().await {
        return;
    }
    // The other wire has its own scenes, below.
    let wires: &[&str] = if rounds(1, 0) == 1 {
        &["native", "classic"]
    } else {
        &["native"]
    };
    for wire in wires {
        let said = tell(&["sh", STORY, wire]).await;
        assert!(said.contains("the story is told"), "{said}");
    }
}

/// By the classic client in Python, in the long run, for half a minute of waits.
#[tokio::test]
async fn a_classic_session_is_played_in_bad_weather() {
    if !is_possible().await {
        return;
    }
    let scenes: &[&str] = if rounds(1, 0) == 1 {
        &["session", "spellings"]
    } else {
        &["session"]
    };
    let said = tell(&[&["python3", "-B", SESSION, ADDR, "--wait", "2"], scenes].concat()).await;
    assert!(said.contains("checks"), "{said}");
}
