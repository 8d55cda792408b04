//! Rounds: every peer once in each, in a balanced order.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::{
    BoxError, Peer, allocator,
    database::{Database, Kind},
    work::Work,
};
use crate::statistics::turn;

/// How long the clock runs for each peer in a round, at least for the fastest of them.
const SAMPLE: Duration = Duration::from_millis(4);

/// What was measured of one peer.
pub(super) struct Measured {
    pub(super) name: &'static str,
    /// Seconds for doing the work once, in each round.
    pub(super) time: Vec<f64>,
    /// The same in CPU seconds of this process, all threads together.
    pub(super) cpu: Vec<f64>,
    /// Allocations for doing it once.
    pub(super) allocations: f64,
}

pub(super) async fn measure(
    kind: Kind,
    database: &Database,
    work: Work,
    peers: &mut [Box<dyn Peer>],
    rounds: usize,
) -> Result<Vec<Measured>, BoxError> {
    database.fill(kind, work).await?;
    let mut measured = Vec::with_capacity(peers.len());
    let mut fastest = Duration::MAX;
    for peer in &mut *peers {
        // To open connections, fill caches, and see that all do the same.
        for _ in 0..10 {
            check(kind, work, peer.as_mut()).await?;
        }
        fastest = fastest.min(sample(work, peer.as_mut(), 3).await?.0 / 3);
        allocator::start();
        for _ in 0..4 {
            peer.run(work).await?;
        }
        measured.push(Measured {
            name: peer.name(),
            time: Vec::with_capacity(rounds),
            cpu: Vec::with_capacity(rounds),
            allocations: allocator::stop() as f64 / 4.0,
        });
        if work.inserts() {
            database.clean().await?;
        }
    }
    let times = (SAMPLE.as_nanos() / fastest.as_nanos().max(1)).clamp(1, 200) as u32;
    for round in 0..rounds {
        for place in 0..peers.len() {
            let at = turn(round, place, peers.len());
            let (time, cpu) = sample(work, peers[at].as_mut(), times).await?;
            measured[at]
                .time
                .push(time.as_secs_f64() / f64::from(times));
            measured[at].cpu.push(cpu.as_secs_f64() / f64::from(times));
            if work.inserts() {
                database.clean().await?;
            }
        }
    }
    Ok(measured)
}

async fn check(kind: Kind, work: Work, peer: &mut dyn Peer) -> Result<(), BoxError> {
    let (rows, expected) = (peer.run(work).await?, work.rows(kind.associated()));
    if rows == expected {
        Ok(())
    } else {
        Err(format!(
            "{} has {rows} rows for {work}, and not {expected}",
            peer.name()
        )
        .into())
    }
}

/// Wall time and CPU time of doing the work so many times.
async fn sample(
    work: Work,
    peer: &mut dyn Peer,
    times: u32,
) -> Result<(Duration, Duration), BoxError> {
    let (start, cpu) = (Instant::now(), cpu());
    for _ in 0..times {
        peer.run(work).await?;
    }
    Ok((start.elapsed(), self::cpu() - cpu))
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
