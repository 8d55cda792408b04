//! Many at once: one wins, and the others are told.

use std::sync::Arc;

use packetboat_orm::{Error, ModelExt, transaction};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::common::bed::Bed;
use crate::common::models::{Author, authors, names};

/// How many try at once.
const TRIES: usize = 100;

async fn a_name_is_registered_once_however_many_try(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let start = Arc::new(Barrier::new(TRIES));
    let mut tasks = JoinSet::new();
    for _ in 0..TRIES {
        let (bed, start) = (bed.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            Author::new("ann").insert(bed.db()).await
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(error.is_unique("name"), "{error:?}");
    }
    assert_eq!(names(bed.db()).await, ["ann"]);
}

async fn a_name_is_registered_once_by_transactions_too(bed: impl Bed) {
    authors(bed.db(), &[]).await;
    let mut tasks = JoinSet::new();
    for number in 0..TRIES {
        let bed = bed.clone();
        tasks.spawn(async move {
            transaction(bed.db(), async |tx| {
                Author::new(&format!("beside {number}"))
                    .insert(&mut *tx)
                    .await?;
                Author::new("ann").insert(tx).await
            })
            .await
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for error in outcomes.into_iter().filter_map(Result::err) {
        // Where two wait for each other, the database may end one of them instead.
        assert!(
            error.is_unique("name") || matches!(error, Error::Busy { .. }),
            "{error:?}"
        );
    }
    assert_eq!(names(bed.db()).await.len(), 2, "the winner's two rows");
}

crate::common::on_every_database![
    a_name_is_registered_once_however_many_try,
    a_name_is_registered_once_by_transactions_too,
];
