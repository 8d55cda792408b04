//! The hostile peer against a server of its own, and against some that it must find out.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use packetboat_dispatch::{
    Anyone, App, BodyExt, Dispatcher, File, Limits, Message, Rejection, Server, Stoppable, Upload,
};
use packetboat_tests::hostile::{Ask, Outcome, Script, Target, Wire, scripts};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How long this server lets a message take: not long, since scripts wait for it.
const HEADER_TIME: Duration = Duration::from_millis(1200);

/// Said, and said back.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "echo", reply = Text)]
struct Echo {
    text: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Text {
    text: String,
}

/// Brings a file, which is read to its end and verified.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "put", reply = Text, attachment = "size")]
struct Put {
    size: u64,
    name: String,
}

/// Asks for a file of so many bytes.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "get", reply = Found, reply_attachment = "size")]
struct Get {
    size: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Found {
    size: u64,
}

/// Waits, and may be stopped.
#[derive(Debug, Serialize, Deserialize, Message)]
#[message(type = "wait", reply = Text)]
struct Wait {}

async fn echo(request: Echo) -> Text {
    Text { text: request.text }
}

async fn put(mut body: Upload, request: Put) -> Result<Text, Rejection> {
    body.copy_to(&mut tokio::io::sink()).await?;
    Ok(Text { text: request.name })
}

async fn get(request: Get) -> (Found, File) {
    let size = request.size;
    (Found { size }, File::bytes(vec![7; size as usize]))
}

async fn wait(_: Stoppable, _: Wait) -> Text {
    tokio::time::sleep(Duration::from_secs(20)).await;
    Text {
        text: "waited".to_owned(),
    }
}

/// A server with short limits, on a thread of its own until the test ends.
fn serve() -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let dispatcher =
                Dispatcher::new(()).allow(Anyone, |group| group.on(echo).on(put).on(get).on(wait));
            let mut limits = Limits::default();
            limits.wire.header_time = HEADER_TIME;
            let server = Server::bind("127.0.0.1:0").await.expect("a free port");
            let addr = server.local_addr().expect("it is bound");
            sender.send(addr).expect("the test waits");
            server.limits(limits).serve(App::from(dispatcher)).await
        })
    });
    receiver.recv().expect("a server")
}

fn target(addr: SocketAddr) -> Target {
    let mut target = Target::new(addr, json!({"type": "echo", "text": "hello"}));
    target.upload = Ask::of(json!({"type": "put", "size": "$size", "name": "$unique"}));
    target.download = Ask::of(json!({"type": "get", "size": 300_000}));
    target.wait = Ask::of(json!({"type": "wait"}));
    target.header_time = HEADER_TIME;
    target
}

/// Runs scripts on a few threads, since some of them wait for a limit; what failed.
fn failures(scripts: &[Script], target: &Target) -> Vec<String> {
    let quarters = scripts.chunks(scripts.len().div_ceil(4).max(1));
    thread::scope(|scope| {
        let threads: Vec<_> = quarters
            .map(|scripts| scope.spawn(|| quarter(scripts, target)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a script does not panic"))
            .collect()
    })
}

fn quarter(scripts: &[Script], target: &Target) -> Vec<String> {
    let failure = |script: &Script| match script.run(target).outcome {
        Outcome::Passed => None,
        outcome => Some(format!("{}: {outcome:?}", script.name)),
    };
    scripts.iter().filter_map(failure).collect()
}

#[test]
fn the_server_stands_every_script_of_both_wires() {
    let mut target = target(serve());
    target
        .learn(&[Wire::Classic, Wire::Native])
        .expect("it serves both");
    let scripts = scripts();
    assert!(scripts.len() >= 60, "{}", scripts.len());
    assert_eq!(failures(&scripts, &target), Vec::<String>::new());
}

#[test]
fn no_two_scripts_have_one_name() {
    let mut names: Vec<String> = scripts().into_iter().map(|script| script.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// A server that does this with each connection, in bytes.
fn lenient(mut serve: impl FnMut(std::net::TcpStream) + Send + 'static) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    thread::spawn(move || listener.incoming().flatten().for_each(&mut serve));
    let mut target = target(addr);
    target.patience = Duration::from_millis(500);
    target
}

/// How many of the scripts whose name begins so fail.
fn found_out(target: &Target, prefix: &str) -> (usize, usize) {
    let mut scripts = scripts();
    scripts.retain(|script| script.name.starts_with(prefix));
    (failures(&scripts, target).len(), scripts.len())
}

/// Reads until the other side ends.
fn drain(mut stream: std::net::TcpStream) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
}

#[test]
fn a_server_that_answers_every_classic_length_is_found_out() {
    let reply = br#"{"flag":true}"#;
    let frame = [&(reply.len() as i32).to_le_bytes()[..], reply].concat();
    let target = lenient(move |mut stream| {
        let frame = frame.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Whatever comes is a message, and there is nothing that it does not like.
            while matches!(stream.read(&mut buffer), Ok(1..)) && stream.write_all(&frame).is_ok() {}
        });
    });
    let (failed, all) = found_out(&target, "classic.lengths.minus");
    assert_eq!((failed, all), (1, 1));
    let (failed, all) = found_out(&target, "classic.json.array");
    assert_eq!((failed, all), (1, 1));
    let (failed, all) = found_out(&target, "classic.types.");
    assert_eq!((failed, all), (9, 9));
}

#[test]
fn a_native_server_that_breaks_off_without_a_word_is_found_out() {
    let target = lenient(|mut stream| {
        thread::spawn(move || {
            let mut client = [0; 24];
            let _ = stream.read_exact(&mut client[..8]);
            let _ = stream.write_all(&[0xb0, 0xa7, 0xb0, 0xa7, 1, 1, 0, 128]);
            let _ = stream.read_exact(&mut client[8..]);
        });
    });
    for prefix in [
        "native.kinds",
        "native.flags",
        "native.extensions",
        "native.ids",
    ] {
        let (failed, all) = found_out(&target, prefix);
        assert!(all > 3 && failed == all, "{prefix}: {failed} of {all}");
    }
}

#[test]
fn a_native_server_that_says_one_code_for_everything_is_found_out() {
    let target = lenient(|mut stream| {
        thread::spawn(move || {
            let mut client = [0; 24];
            let _ = stream.read_exact(&mut client[..8]);
            let _ = stream.write_all(&[0xb0, 0xa7, 0xb0, 0xa7, 1, 1, 0, 128]);
            let _ = stream.read_exact(&mut client[8..]);
            // GOING_AWAY with `bad_flags`, and a close in good order.
            let _ = stream.write_all(&[&[10][..], &[0; 14], &[3]].concat());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            drain(stream);
        });
    });
    // Those of flags would pass but for the good peer afterwards.
    for prefix in ["native.kinds", "native.flags", "native.lengths"] {
        let (failed, all) = found_out(&target, prefix);
        assert!(all > 3 && failed == all, "{prefix}: {failed} of {all}");
    }
}

#[test]
fn a_server_that_resets_where_an_answer_is_due_is_found_out() {
    let target = lenient(|mut stream| {
        thread::spawn(move || {
            let mut length = [0; 4];
            let _ = stream.read_exact(&mut length);
            let refusal = br#"{"flag":false,"code":"bad_json"}"#;
            let frame = [&(refusal.len() as i32).to_le_bytes()[..], refusal].concat();
            let _ = stream.write_all(&frame);
            // The message is left unread, so the close is a reset.
        });
    });
    let (failed, all) = found_out(&target, "classic.json.word");
    assert_eq!((failed, all), (1, 1));
}
