//! Attacks make noise: how much of it reaches the log, and what it leaves in memory.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use website::logs::{LINES, Limited};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_attack_writes_a_hundred_lines_a_second_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_website"))
        .args(["server", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        // As chatty as an operator may have it.
        .env("WEBSITE_LOG", "debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut out = BufReader::new(server.stdout.take().unwrap()).lines();
    let ready = out.next_line().await.unwrap().unwrap();
    let addr = ready.strip_prefix("READY ").unwrap().to_owned();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    let begun = Instant::now();
    let reading = tokio::spawn(async move {
        let mut at = Vec::new();
        while let Ok(Some(_)) = log.next_line().await {
            at.push(begun.elapsed());
        }
        at
    });
    let mut attacks = tokio::task::JoinSet::new();
    for attack in 0..4_u32 {
        let addr = addr.clone();
        attacks.spawn(async move {
            let mut sent = 0_u32;
            while begun.elapsed() < Duration::from_secs(3) {
                let Ok(mut stream) = TcpStream::connect(&addr).await else {
                    continue;
                };
                let bytes = match (sent + attack) % 4 {
                    0 => format!("GET /t/x{sent}/ HTTP/1.1\r\nHost: h{sent}.example\r\n\r\n"),
                    1 => format!("POST /login HTTP/1.1\r\nHost: x{sent}.localhost\r\nContent-Length: 3\r\n\r\na=b"),
                    2 => "\x16\x03\x01\x02\x00\x01\x00\x01".to_owned(),
                    _ => "NOT A PROTOCOL AT ALL\r\n\r\n".to_owned(),
                };
                let _refused = stream.write_all(bytes.as_bytes()).await;
                sent += 1;
            }
            sent
        });
    }
    let sent = attacks.join_all().await.into_iter().sum::<u32>();
    server.kill().await.unwrap();
    let at = reading.await.unwrap();
    assert!(sent > 500, "only {sent} were sent");
    let worst = at.iter().enumerate().map(|(index, from)| {
        let second = *from + Duration::from_secs(1);
        at[index..]
            .iter()
            .take_while(|line| **line < second)
            .count()
    });
    let worst = worst.max().unwrap_or_default();
    println!(
        "{sent} attacks in 3 s, {} lines, {worst} in the worst second",
        at.len()
    );
    assert!(worst <= 100, "{worst} lines in one second");
    assert!(worst > 10, "the log says nothing at all");
}

#[test]
fn what_is_left_out_is_counted() {
    use std::io::Write;
    use tracing_subscriber::fmt::MakeWriter;
    let (to, from) = (std::sync::Arc::new(std::sync::Mutex::new(Vec::new())), ());
    let () = from;
    let writer = std::sync::Arc::clone(&to);
    let limited = Limited::new(move || Shared(std::sync::Arc::clone(&writer)));
    let write = || writeln!(limited.make_writer(), "a line").unwrap();
    let begun = Instant::now();
    for _ in 0..LINES + 20 {
        write();
    }
    let first = String::from_utf8(to.lock().unwrap().clone()).unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "the machine stood still"
    );
    assert_eq!(first.lines().count(), LINES as usize);
    std::thread::sleep(Duration::from_secs(1));
    write();
    let text = String::from_utf8(to.lock().unwrap().clone()).unwrap();
    assert!(text.ends_with("20 lines were left out\na line\n"), "{text}");
}

struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
