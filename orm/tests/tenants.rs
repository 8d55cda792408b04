//! How many pools of tenants are open, for how long, and who waits for whom.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use packetboat_orm::{
    Error, Result, TenantLimits, TenantName, Tenants, UnitOfWork, begin, sql, sqlite,
};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Counts openings: begun, and failing while there are failures left.
#[derive(Clone, Default)]
struct Openings {
    begun: Arc<AtomicUsize>,
    failures: Arc<AtomicUsize>,
    takes: Duration,
}

impl Openings {
    async fn open(self) -> Result<sqlite::Pool> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        sleep(self.takes).await;
        let fails = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if fails.is_ok() {
            return Err(Error::NotFound { table: "a file" });
        }
        sqlite::Options::in_memory().open().await
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    fn tenants(&self, limits: TenantLimits) -> Tenants<sqlite::Pool> {
        let openings = self.clone();
        Tenants::with_limits(limits, move |_| openings.clone().open())
    }
}

fn name(number: usize) -> TenantName {
    TenantName::new(&format!("t{number}")).unwrap()
}

fn limits(max_open: usize, wait: Duration) -> TenantLimits {
    TenantLimits {
        max_open,
        wait,
        ..TenantLimits::default()
    }
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_tenant_is_opened_once_however_many_ask() {
    let openings = Openings {
        takes: Duration::from_millis(30),
        ..Openings::default()
    };
    let tenants = openings.tenants(limits(4, LONG));
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let tenants = tenants.clone();
        tasks.spawn(async move { tenants.get(&name(1)).await.map(drop) });
    }
    for outcome in tasks.join_all().await {
        outcome.unwrap();
    }
    assert_eq!((openings.begun(), tenants.open()), (1, 1));
    // It stays open for the next.
    tenants.get(&name(1)).await.unwrap();
    assert_eq!(openings.begun(), 1);
}

#[tokio::test]
async fn an_opening_that_fails_is_told_and_leaves_its_place() {
    let openings = Openings::default();
    openings.failures.store(2, Ordering::SeqCst);
    let tenants = openings.tenants(limits(1, Duration::ZERO));
    for _ in 0..2 {
        let error = tenants.get(&name(1)).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
        assert_eq!(tenants.open(), 0);
    }
    tenants.get(&name(2)).await.unwrap();
    assert_eq!(openings.begun(), 3);
}

#[tokio::test]
async fn an_opening_that_is_dropped_is_taken_over() {
    let openings = Openings {
        takes: Duration::from_millis(100),
        ..Openings::default()
    };
    let tenants = openings.tenants(limits(1, LONG));
    let tenant = name(1);
    let waiting = tokio::spawn({
        let tenants = tenants.clone();
        async move {
            sleep(Duration::from_millis(10)).await;
            tenants.get(&name(1)).await.map(drop)
        }
    });
    let dropped = timeout(Duration::from_millis(40), tenants.get(&tenant)).await;
    assert!(dropped.is_err(), "it takes longer than this");
    waiting.await.unwrap().unwrap();
    assert_eq!((openings.begun(), tenants.open()), (2, 1));
    // Nobody takes this one over, and its place is free again.
    let dropped = timeout(Duration::from_millis(10), tenants.get(&name(2))).await;
    assert!(dropped.is_err());
    assert_eq!(tenants.open(), 0);
    tenants.get(&name(3)).await.unwrap();
}

#[tokio::test]
async fn an_opening_that_takes_too_long_is_given_up() {
    let openings = Openings {
        takes: LONG,
        ..Openings::default()
    };
    let tenants = openings.tenants(TenantLimits {
        max_open: 1,
        wait: Duration::from_millis(20),
        opening: Duration::from_millis(20),
        ..TenantLimits::default()
    });
    let error = tenants.get(&name(1)).await.unwrap_err();
    assert!(error.is_connection(), "{error:?}");
    assert_eq!(tenants.open(), 0);
}

#[tokio::test]
async fn more_than_may_be_open_wait_or_are_refused() {
    let tenants = Openings::default().tenants(limits(2, Duration::from_millis(50)));
    let (one, two) = (
        tenants.get(&name(1)).await.unwrap(),
        tenants.get(&name(2)).await.unwrap(),
    );
    let error = tenants.get(&name(3)).await.unwrap_err();
    assert!(
        matches!(error, Error::TenantsBusy { max_open: 2 }),
        "{error:?}"
    );
    // One that is open is had at once, full or not.
    let again = tenants.get(&name(1)).await.unwrap();
    let waiting = tokio::spawn({
        let tenants = tenants.clone();
        async move { tenants.get(&name(3)).await }
    });
    sleep(Duration::from_millis(10)).await;
    drop((one, again));
    let three = waiting.await.unwrap().unwrap();
    assert_eq!((three.tenant(), tenants.open()), (&name(3), 2));
    drop((two, three));
}

#[tokio::test]
async fn the_one_unused_for_longest_makes_room() {
    let openings = Openings::default();
    // Nobody waits here: what is unused is closed at once.
    let tenants = openings.tenants(limits(2, Duration::ZERO));
    for number in [1, 2, 1, 3, 1] {
        tenants.get(&name(number)).await.unwrap();
        sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(
        openings.begun(),
        3,
        "1 stayed, since 2 was unused for longer"
    );
    tenants.get(&name(2)).await.unwrap();
    assert_eq!((openings.begun(), tenants.open()), (4, 2));
}

#[tokio::test]
async fn never_more_are_open_than_may_be() {
    let tenants = Openings {
        takes: Duration::from_micros(200),
        ..Openings::default()
    }
    .tenants(limits(3, LONG));
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let tenants = tenants.clone();
        tasks.spawn(async move {
            for round in 0..20 {
                let tenant = name((task * 7 + round * 3) % 9);
                let asked = tenants.get(&tenant);
                // Some give up half way.
                let got = if (task + round) % 5 == 0 {
                    timeout(Duration::from_micros(300), asked).await.ok()
                } else {
                    Some(asked.await)
                };
                assert!(tenants.open() <= 3, "{}", tenants.open());
                if let Some(db) = got {
                    sql("SELECT 1").one::<i64>(&db.unwrap()).await.unwrap();
                }
            }
        });
    }
    tasks.join_all().await;
    tenants.close().await;
    assert_eq!(tenants.open(), 0);
}

#[tokio::test]
async fn what_is_idle_is_closed_and_what_is_used_is_not() {
    let tenants = Openings::default().tenants(TenantLimits {
        idle: Duration::from_millis(60),
        ..TenantLimits::default()
    });
    let held = tenants.get(&name(1)).await.unwrap();
    let tx = begin(tenants.get(&name(2)).await.unwrap()).await.unwrap();
    let mut unit = UnitOfWork::new(tenants.get(&name(3)).await.unwrap());
    sql("SELECT 1").one::<i64>(&mut unit).await.unwrap();
    tenants.get(&name(4)).await.unwrap();
    assert_eq!(tenants.open(), 4);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(tenants.open(), 3, "the one that nobody uses is closed");
    sql("SELECT 1").one::<i64>(&held).await.unwrap();
    drop((held, tx, unit));
    timeout(LONG, async {
        while tenants.open() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    // And opened again when it is asked for.
    tenants.get(&name(1)).await.unwrap();
    assert_eq!(tenants.open(), 1);
}

#[tokio::test]
async fn closing_waits_for_those_who_use_one() {
    let tenants = Openings::default().tenants(limits(4, LONG));
    let held = tenants.get(&name(1)).await.unwrap();
    tenants.get(&name(2)).await.unwrap();
    let closing = tokio::spawn({
        let tenants = tenants.clone();
        async move { tenants.close().await }
    });
    sleep(Duration::from_millis(30)).await;
    assert!(!closing.is_finished());
    sql("SELECT 1").one::<i64>(&held).await.unwrap();
    assert!(tenants.get(&name(1)).await.unwrap_err().is_connection());
    drop(held);
    timeout(LONG, closing).await.unwrap().unwrap();
    assert_eq!(tenants.open(), 0);
}
