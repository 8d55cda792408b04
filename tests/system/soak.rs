//! A server under a mixed load for a long time: its memory, its descriptors and its threads stay.

use std::env;
use std::time::{Duration, Instant};

use packetboat_tests::child::Child;
use sqlx::Connection;
use tokio::time::{interval, sleep};

use crate::house::{House, eventually};
use crate::load::Load;

/// How long it is under load: `PACKETBOAT_SOAK` seconds, half an hour in the long run, and else only so long that the
/// test itself is tried.
fn length() -> Duration {
    let asked = env::var("PACKETBOAT_SOAK").ok();
    let asked = asked.map(|seconds| {
        seconds
            .parse()
            .expect("PACKETBOAT_SOAK is a number of seconds")
    });
    let usual = crate::house::rounds(30 * 60, 20);
    Duration::from_secs(asked.unwrap_or(usual))
}

/// The most that memory may grow by, in MiB an hour, beyond what the scatter of the samples leaves open.
const SLOPE: f64 = 1.0;

/// Memory grows while its caches fill. A short run sees little else, so this is all that it is held to, in MiB.
const SHORT: f64 = 24.0;

/// Runs shorter than this say nothing about a slope.
const LONG_ENOUGH: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Copy, Debug)]
struct Sample {
    hours: f64,
    rss_mib: f64,
    fds: usize,
    threads: u64,
}

fn sample(server: &Child, began: Instant) -> Sample {
    Sample {
        hours: began.elapsed().as_secs_f64() / 3600.0,
        rss_mib: server.rss_bytes().expect("it lives") as f64 / f64::from(1 << 20),
        fds: server.open_fds().expect("it lives"),
        threads: server.threads().expect("it lives"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mixed_load_leaves_memory_descriptors_and_threads_as_they_are() {
    let length = length();
    let house = House::new();
    let mut command = house.command();
    command.extend(["--wait", "0s", "--per-address", "1000"].map(str::to_owned));
    let log = house.log();
    let server = Child::spawn("movie", command, &log).await;
    let server = server.expect("a server");
    Load::prepare(server.addr()).await;
    fill(&house).await;

    // What is made once is made by then: pools, threads, the first pages of each cache.
    let load = Load::begin(server.addr());
    sleep(length / 5).await;
    load.end().await;
    let rest = rest(&server).await;

    let (began, load) = (Instant::now(), Load::begin(server.addr()));
    let (mut samples, mut seconds) = (Vec::new(), interval(Duration::from_secs(1)));
    while began.elapsed() < length * 4 / 5 {
        seconds.tick().await;
        samples.push(sample(&server, began));
    }
    let done = load.end().await;
    let (fds, threads) = (rest.fds, rest.threads);
    eventually("descriptors are given back", async || {
        server.open_fds().expect("it lives") <= fds
    })
    .await;
    let after = self::rest(&server).await;

    let (slope, error) = slope(&lowest(&samples));
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    println!("{done:?}");
    println!(
        "{:.1} MiB, then {:.1}, at rest {:.1} and {:.1}: {slope:+.2} ± {:.2} MiB an hour (95 %)",
        first.rss_mib,
        last.rss_mib,
        rest.rss_mib,
        after.rss_mib,
        1.96 * error
    );
    let most = |of: fn(&Sample) -> u64, samples: &[Sample]| samples.iter().map(of).max();
    let thirds: Vec<_> = samples.chunks(samples.len().div_ceil(3)).collect();
    for (what, of) in [
        ("descriptors", (|it| it.fds as u64) as fn(&Sample) -> u64),
        ("threads", |it| it.threads),
    ] {
        let most: Vec<_> = thirds.iter().map(|third| most(of, third)).collect();
        println!("{what}: at the most {most:?} in each third");
    }
    println!(
        "at rest {fds} and {} descriptors, {threads} and {} threads",
        after.fds, after.threads
    );

    let grown = after.rss_mib - rest.rss_mib;
    assert!(grown < SHORT, "{grown:.1} MiB more at rest");
    // The runtime may have had one more to hand when it was looked at.
    assert!(after.threads <= threads + 2, "{} threads", after.threads);
    assert!(after.fds <= fds, "{} descriptors", after.fds);
    if length >= LONG_ENOUGH {
        assert!(
            slope - 1.96 * error <= SLOPE,
            "{slope:.2} ± {error:.2} MiB an hour"
        );
    }
}

/// Gives the database more rows than its caches hold, each of which every list has to pass: deleted movies of long ago.
///
/// SQLite keeps up to 2 MiB of each connection's pages. While a database is smaller than that, they grow with it: of a new
/// one by 12 MiB an hour under this load.
async fn fill(house: &House) {
    let file = house.data().join("movie.db");
    let url = format!("sqlite://{}", file.display());
    let mut database = sqlx::SqliteConnection::connect(&url).await;
    let database = database.as_mut().expect("the server's database");
    let rows = "INSERT INTO movie (name, key, file_size, file_md5, digest, is_free, is_delete, user_id, upload_time) \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
        SELECT 'an old film', printf('%064x', i), 1, printf('%032x', i), printf('%064x', i), 1, 1, 1, \
        '2026-01-01T00:00:00Z' FROM n";
    let filled = sqlx::query(rows).execute(database).await;
    assert_eq!(filled.expect("it takes them").rows_affected(), 20_000);
}

/// As it is when nobody is connected, and threads that have nothing to do have gone.
async fn rest(server: &Child) -> Sample {
    sleep(Duration::from_secs(12)).await;
    sample(server, Instant::now())
}

/// The lowest of each stretch of the second half: what is held for good, and not for a request, once the caches have
/// filled.
fn lowest(samples: &[Sample]) -> Vec<Sample> {
    let settled = &samples[samples.len() / 2..];
    let stretches = settled.chunks((settled.len() / 40).max(1));
    let lowest = stretches.filter_map(|stretch| {
        let lowest = stretch
            .iter()
            .min_by(|a, b| a.rss_mib.total_cmp(&b.rss_mib));
        lowest.copied()
    });
    lowest.collect()
}

/// The slope of a straight line through memory over time, by least squares, and its standard error.
fn slope(samples: &[Sample]) -> (f64, f64) {
    let n = samples.len() as f64;
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|it| it.hours), mean(|it| it.rss_mib));
    let sum = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>();
    let xx = sum(&|it| (it.hours - x).powi(2));
    let slope = sum(&|it| (it.hours - x) * (it.rss_mib - y)) / xx;
    let rest = sum(&|it| (it.rss_mib - y - slope * (it.hours - x)).powi(2));
    (slope, (rest / (n - 2.0) / xx).sqrt())
}

#[test]
fn a_leak_is_told_from_scatter() {
    let samples = |leak: f64| -> Vec<Sample> {
        let samples = (0..1440_u32).map(|second| {
            let hours = f64::from(second) / 3600.0;
            let scatter = f64::from(second.wrapping_mul(2_654_435_761) >> 16) / 65_536.0;
            Sample {
                hours,
                rss_mib: 60.0 + 4.0 * scatter + leak * hours,
                fds: 20,
                threads: 6,
            }
        });
        samples.collect()
    };
    for (leak, is_found) in [(0.0, false), (0.9, false), (8.0, true), (100.0, true)] {
        let (slope, error) = slope(&lowest(&samples(leak)));
        assert_eq!(
            slope - 1.96 * error > SLOPE,
            is_found,
            "a leak of {leak} looks like {slope:.2} ± {error:.2}"
        );
    }
}
