//! Random messages and files, there and back between CPython and us on the classic wire: what is
//! understood at the other end is what was meant, to the last bit.

mod values;

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::UNIX_EPOCH;

use packetboat_dispatch::client::Client;
use packetboat_dispatch::{
    Anyone, App, BodyExt, Dispatcher, File, Limits, Message, Rejection, Upload, serve_stream,
};
use packetboat_framing::Source;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use values::{Dice, Values};

#[derive(Debug, Deserialize, Serialize, Message)]
#[message(type = "up", reply = Came, attachment = "file_size")]
struct Up {
    file_size: u64,
    values: Values,
}

#[derive(Debug, Deserialize, Serialize)]
struct Came {
    told: String,
    values: Values,
    sha256: String,
}

#[derive(Debug, Deserialize, Serialize, Message)]
#[message(type = "down", reply = Sent, reply_attachment = "file_size")]
struct Down {
    seed: u64,
    len: u64,
    values: Values,
}

#[derive(Debug, Deserialize, Serialize)]
struct Sent {
    told: String,
    values: Values,
    file_size: u64,
}

async fn up(mut body: Upload, request: Up) -> Result<Came, Rejection> {
    let mut bytes = Vec::new();
    body.copy_to(&mut bytes).await?;
    Ok(Came {
        told: request.values.told(),
        values: request.values,
        sha256: sha256(&bytes),
    })
}

async fn down(request: Down) -> (Sent, File) {
    let reply = Sent {
        told: request.values.told(),
        values: request.values,
        file_size: request.len,
    };
    (reply, File::bytes(content(request.seed, request.len)))
}

#[tokio::test]
async fn python_is_understood_as_it_meant_it() {
    let Some(count) = messages() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let seed = seed();
    let client = python("client", &[port.into(), seed, count]);
    let (stream, _) = listener.accept().await.expect("it connects");
    stream.set_nodelay(true).expect("an option of TCP");
    let dispatcher = Dispatcher::new(()).allow(Anyone, |group| group.on(up).on(down));
    serve_stream(stream, App::from(dispatcher), Limits::default()).await;
    assert_eq!(ends(client), format!("{count} messages there and back\n"));
}

#[tokio::test]
async fn python_understands_what_we_meant() {
    let Some(count) = messages() else { return };
    let mut server = python("server", &[count]);
    let mut port = String::new();
    let out = server.stdout.as_mut().expect("it is piped");
    let read = BufReader::new(out).read_line(&mut port);
    read.expect("it prints its port");
    let address = format!("127.0.0.1:{}", port.trim());
    let mut client = Client::connect(address).await.expect("it listens");
    let seed = seed();
    let mut dice = Dice(seed);
    for turn in 0..count {
        let values = Values::of(&mut dice);
        let (told, back) = match dice.below(2) {
            0 => send(&mut client, &mut dice, values.clone()).await,
            _ => fetch(&mut client, &mut dice, values.clone()).await,
        };
        let meant = values.told();
        assert!(told == meant, "seed {seed}, turn {turn}: {values:?}");
        assert!(back.told() == meant, "seed {seed}, turn {turn}: {values:?}");
    }
    drop(client);
    ends(server);
}

/// Sends a file, and gives what Python has understood and what it gives back.
async fn send(client: &mut Client, dice: &mut Dice, values: Values) -> (String, Values) {
    let bytes = content(dice.below(1 << 32), dice.file());
    let expected = sha256(&bytes);
    let request = Up {
        file_size: bytes.len() as u64,
        values,
    };
    let reply = client.call_with_file(request, Source::bytes(bytes), |_| ());
    let reply = reply.await.expect("an answer");
    assert_eq!(reply.sha256, expected, "another file came");
    (reply.told, reply.values)
}

/// The same, and a file comes.
async fn fetch(client: &mut Client, dice: &mut Dice, values: Values) -> (String, Values) {
    let (seed, len) = (dice.below(1 << 32), dice.file());
    let call = client.call_for_file(Down { seed, len, values });
    let (reply, mut body) = call.await.expect("an answer");
    assert_eq!(reply.file_size, len);
    let mut bytes = Vec::new();
    body.copy_to(&mut bytes).await.expect("it comes");
    assert!(bytes == content(seed, len), "another file came back");
    (reply.told, reply.values)
}

/// What the sender of a file sends for a seed.
fn content(seed: u64, len: u64) -> Vec<u8> {
    (0..len).map(|i| (seed + i * 7) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How many each way, if there is a Python here.
fn messages() -> Option<u64> {
    if Command::new("python3").arg("--version").output().is_err() {
        let is_required = env::var("PACKETBOAT_TESTS").is_ok_and(|tests| tests == "required");
        assert!(!is_required, "there is no python3");
        eprintln!("skipped: there is no python3");
        return None;
    }
    let long = env::var_os("PACKETBOAT_LONG").is_some();
    Some(if long { 50_000 } else { 5000 })
}

/// Another one each time; `PACKETBOAT_SEED` makes it that one again.
fn seed() -> u64 {
    let given = env::var("PACKETBOAT_SEED").ok();
    let seed = given.and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        let clock = UNIX_EPOCH.elapsed().expect("now is after 1970");
        clock.as_nanos() as u64 >> 1
    });
    println!("PACKETBOAT_SEED={seed}");
    seed
}

fn python(command: &str, numbers: &[u64]) -> Child {
    Command::new("python3")
        .arg("-B")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/drift/peer.py"))
        .arg(command)
        .args(numbers.iter().map(u64::to_string))
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was there a moment ago")
}

fn ends(child: Child) -> String {
    let output = child.wait_with_output().expect("it was started");
    assert!(output.status.success(), "see what it says above");
    String::from_utf8(output.stdout).expect("it prints ASCII")
}
