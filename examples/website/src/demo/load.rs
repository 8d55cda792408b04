//! Visitors at once, and how long they wait.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::browser::{Browser, BrowserError};

/// The slowest of a hundred visits of a page, one after another.
pub(super) async fn slowest_of(
    addr: SocketAddr,
    host: &str,
    path: &str,
    visits: usize,
) -> Result<Duration, BrowserError> {
    let mut browser = Browser::new(addr, host);
    browser.get(path).await?;
    let mut times = Vec::with_capacity(visits);
    for _ in 0..visits {
        let begun = Instant::now();
        browser.get(path).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    // The p99: of fewer than a hundred, the slowest.
    let index = (visits * 99).div_ceil(100).saturating_sub(1);
    Ok(times[index])
}
