//! The application's own checks: each within its time, all at most once a second.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

use super::{CheckHealth, CheckStatus};

/// What a check may take that does not say: a database that is well answers in a hundredth of it.
const LIMIT: Duration = Duration::from_secs(1);

/// So long a result is good. Whoever asks more often is answered from memory, so asking cannot wear
/// a database down.
const GOOD_FOR: Duration = Duration::from_secs(1);

type Found = Result<(), Box<dyn Error + Send + Sync>>;

/// The checks of an application, by name.
#[derive(Default)]
#[must_use = "checks run where a dispatcher has them"]
pub struct HealthChecks {
    checks: Vec<Check>,
}

struct Check {
    name: &'static str,
    limit: Duration,
    run: Box<dyn Fn() -> BoxFuture<'static, Found> + Send + Sync>,
}

impl HealthChecks {
    /// None yet: such an application is well for as long as it answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check, which has one second. Its error goes to the log, and no word of it to a peer.
    ///
    /// # Panics
    ///
    /// When there is one of this name.
    pub fn check<Fut, E>(
        self,
        name: &'static str,
        run: impl Fn() -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.check_within(name, LIMIT, run)
    }

    /// Adds a check that has so long. At the end of it, it is dropped.
    ///
    /// # Panics
    ///
    /// When there is one of this name.
    pub fn check_within<Fut, E>(
        mut self,
        name: &'static str,
        limit: Duration,
        run: impl Fn() -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let is_known = self.checks.iter().any(|check| check.name == name);
        assert!(!is_known, "two checks are called `{name}`");
        // Called within the future, so that a panic there is one of the check, too.
        let run = Arc::new(run);
        let run = move || -> BoxFuture<'static, Found> {
            let run = Arc::clone(&run);
            Box::pin(async move { run().await.map_err(Into::into) })
        };
        self.checks.push(Check {
            name,
            limit,
            run: Box::new(run),
        });
        self
    }
}

impl fmt::Debug for HealthChecks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.checks.iter().map(|check| check.name);
        f.debug_set().entries(names).finish()
    }
}

type Results = Arc<BTreeMap<String, CheckHealth>>;

/// The checks with what they found last.
pub(super) struct Probe {
    checks: Vec<Check>,
    // Held while they run: who comes meanwhile waits for the same result.
    last: Mutex<Last>,
}

enum Last {
    Never,
    /// Begun, and dropped by whoever was waiting.
    Begun(Instant),
    Known(Instant, Results),
}

impl Probe {
    pub(super) fn new(checks: HealthChecks) -> Self {
        Self {
            checks: checks.checks,
            last: Mutex::new(Last::Never),
        }
    }

    /// What the checks find, or have found within the last second.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the checks if they run. They do not begin again within the second.
    pub(super) async fn look(&self) -> Results {
        let mut last = self.last.lock().await;
        match &*last {
            Last::Known(at, results) if at.elapsed() < GOOD_FOR => return Arc::clone(results),
            Last::Begun(at) => sleep_until(*at + GOOD_FOR).await,
            _ => {}
        }
        *last = Last::Begun(Instant::now());
        let results = join_all(self.checks.iter().map(Check::look)).await;
        let results: Results = Arc::new(results.into_iter().collect());
        *last = Last::Known(Instant::now(), Arc::clone(&results));
        results
    }
}

impl Check {
    async fn look(&self) -> (String, CheckHealth) {
        let (name, since) = (self.name, Instant::now());
        let run = AssertUnwindSafe((self.run)()).catch_unwind();
        let status = match timeout(self.limit, run).await {
            Ok(Ok(Ok(()))) => CheckStatus::Ok,
            Ok(Ok(Err(error))) => {
                tracing::warn!(name, %error, "a health check failed");
                CheckStatus::Failed
            }
            Ok(Err(_panic)) => {
                tracing::error!(name, "a health check panicked");
                CheckStatus::Failed
            }
            Err(_elapsed) => {
                tracing::warn!(name, limit = ?self.limit, "a health check took too long");
                CheckStatus::TimedOut
            }
        };
        let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let health = CheckHealth {
            status,
            milliseconds,
        };
        (name.to_owned(), health)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::sleep;

    use super::*;

    /// A probe whose one check takes so long, and how often it has begun.
    fn counted(takes: Duration) -> (Probe, Arc<AtomicUsize>) {
        let begun = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&begun);
        let checks = HealthChecks::new().check("one", move || {
            counter.fetch_add(1, Ordering::SeqCst);
            async move {
                sleep(takes).await;
                Ok::<_, std::io::Error>(())
            }
        });
        (Probe::new(checks), begun)
    }

    #[tokio::test(start_paused = true)]
    async fn checks_run_once_a_second_however_many_ask() {
        let (probe, begun) = counted(Duration::from_millis(100));
        for second in 1..=3 {
            join_all((0..50).map(|_| probe.look())).await;
            probe.look().await;
            assert_eq!(begun.load(Ordering::SeqCst), second);
            sleep(GOOD_FOR).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_was_dropped_is_not_begun_again_at_once() {
        let (probe, begun) = counted(Duration::from_millis(500));
        for _ in 0..9 {
            let impatient = timeout(Duration::from_millis(100), probe.look()).await;
            assert!(impatient.is_err());
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1, "900 ms have passed");
        let since = Instant::now();
        assert_eq!(probe.look().await["one"].status, CheckStatus::Ok);
        assert_eq!(since.elapsed(), Duration::from_millis(600));
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn each_check_has_its_own_time_and_none_waits_for_another() {
        let checks = HealthChecks::new()
            .check("slow", || async {
                std::future::pending::<()>().await;
                Ok::<_, std::io::Error>(())
            })
            .check_within("slower", Duration::from_secs(3), || async {
                sleep(Duration::from_secs(2)).await;
                Ok::<_, std::io::Error>(())
            })
            .check("broken", || async { Err("no disk") })
            .check(
                "mad",
                || -> std::future::Ready<Result<(), std::io::Error>> {
                    panic!("a check panics on purpose")
                },
            );
        let probe = Probe::new(checks);
        let since = Instant::now();
        let found = probe.look().await;
        assert_eq!(since.elapsed(), Duration::from_secs(2));
        let status = |name: &str| (found[name].status, found[name].milliseconds);
        assert_eq!(status("slow"), (CheckStatus::TimedOut, 1000));
        assert_eq!(status("slower"), (CheckStatus::Ok, 2000));
        assert_eq!(status("broken"), (CheckStatus::Failed, 0));
        assert_eq!(status("mad"), (CheckStatus::Failed, 0));
    }

    #[test]
    #[should_panic(expected = "two checks are called `disk`")]
    fn a_name_is_given_once() {
        let ok = || async { Ok::<_, std::io::Error>(()) };
        let _ = HealthChecks::new().check("disk", ok).check("disk", ok);
    }
}
