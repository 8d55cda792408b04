//! The queries of one read share a connection, and give it back however the read ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use packetboat_orm::{DbOptions, DbPool, Dialect, Error, ModelExt, Result, sql};
use sqlx::sqlite::SqlitePoolOptions;
use tokio::time::timeout;

use crate::common::bed::{Bed, Sqlite};
use crate::relations::{Country, World, country, painter, world};

/// A pool of one connection.
async fn narrow(bed: &impl Bed) -> DbPool {
    let options = DbOptions::from_url(bed.url()).expect("a URL");
    options.max_connections(1).connect().await.expect("a pool")
}

/// Three levels: countries, their painters, the painters' paintings.
async fn levels(db: &DbPool) -> Result<usize> {
    let all = Country::select().with(country::painters.with(painter::paintings));
    Ok(all.all(db).await?.len())
}

/// Without it each of the three would be asked whether it lives.
#[tokio::test]
async fn a_pool_is_asked_once_for_all_levels() {
    let bed = Sqlite::make(Dialect::Sqlite).await.expect("a database");
    world(bed.db()).await;
    let given = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&given);
    let pool = SqlitePoolOptions::new()
        .before_acquire(move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Ok(true) })
        })
        .max_connections(1)
        .connect(bed.url())
        .await
        .expect("a pool");
    let before = given.load(Ordering::Relaxed);
    let all = Country::select().with(country::painters.with(painter::paintings));
    let all = all.all(&pool).await.expect("three levels");
    assert_eq!((all.len(), given.load(Ordering::Relaxed)), (3, before + 1));

    let countries: Vec<Country> = all.into_iter().map(|(country, _)| country).collect();
    let painters = country::painters.with(painter::paintings);
    painters.load(&countries, &pool).await.expect("two levels");
    assert_eq!(given.load(Ordering::Relaxed), before + 2);
}

async fn one_connection_is_enough_and_comes_back(bed: impl Bed) {
    world(bed.db()).await;
    let db = narrow(&bed).await;
    for _ in 0..5 {
        assert_eq!(levels(&db).await.expect("three levels"), 3);
        let count = Country::select().count(&db);
        let count = timeout(Duration::from_secs(2), count).await;
        assert_eq!(count.expect("a connection").expect("a count"), 3);
    }
}

async fn a_read_that_fails_on_its_way_gives_it_back(bed: impl Bed) {
    let World { countries, .. } = world(bed.db()).await;
    let db = narrow(&bed).await;
    sql("DROP TABLE sale").exec(&db).await.expect("no sales");
    sql("DROP TABLE painting")
        .exec(&db)
        .await
        .expect("no paintings");
    let error = levels(&db).await.expect_err("the third level");
    assert!(matches!(error, Error::Database { .. }), "{error:?}");
    let painters = timeout(
        Duration::from_secs(2),
        country::painters.load(&countries, &db),
    )
    .await;
    assert_eq!(painters.expect("a connection").expect("painters").len(), 3);
}

async fn a_read_that_is_dropped_gives_it_back(bed: impl Bed) {
    world(bed.db()).await;
    let db = narrow(&bed).await;
    for micros in (0..3_000).step_by(60) {
        let _ = timeout(Duration::from_micros(micros), levels(&db)).await;
    }
    let again = timeout(Duration::from_secs(2), levels(&db)).await;
    assert_eq!(again.expect("a connection").expect("three levels"), 3);
}

crate::common::on_every_database![
    one_connection_is_enough_and_comes_back,
    a_read_that_fails_on_its_way_gives_it_back,
    a_read_that_is_dropped_gives_it_back,
];
