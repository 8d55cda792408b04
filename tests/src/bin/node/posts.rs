//! Posts: committed to the database first, and numbered there, so that a crash before anybody is told loses none.
//!
//! A reader that finds a hole in the numbers asks for what is in it. For a post that is the last one, so that nothing
//! comes behind it, there is a relay on every node: what was committed and not told is told, perhaps twice, and readers
//! know it by its number.

use std::error::Error;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use packetboat_dispatch::push::SlowReader;
use packetboat_dispatch::{Hub, Rejection};
use packetboat_orm::{DbPool, Model, ModelExt, retry};
use packetboat_tests::node::{Page, Posted};
use tokio::time::sleep;

/// Between two looks for what was not told.
const RELAY: Duration = Duration::from_millis(200);

/// The last number of a room.
#[derive(Clone, Debug, Model)]
#[model(table = "room")]
struct Numbered {
    #[model(key)]
    name: String,
    last: i64,
}

#[derive(Clone, Debug, Model)]
#[model(table = "post")]
struct Row {
    id: i64,
    room: String,
    number: i64,
    text: String,
    is_told: bool,
}

/// The posts of all nodes.
#[derive(Clone)]
pub(crate) struct Posts {
    db: DbPool,
    hub: Hub,
    commits: Arc<AtomicU64>,
    dies_after: Option<u64>,
}

impl Posts {
    pub(crate) async fn open(
        url: &str,
        hub: Hub,
        dies_after: Option<u64>,
    ) -> Result<Self, Box<dyn Error>> {
        let db = DbPool::connect(url).await?;
        Numbered::create_table(&db).await?;
        Row::create_table(&db).await?;
        let posts = Self {
            db,
            hub,
            commits: Arc::default(),
            dies_after,
        };
        tokio::spawn(posts.clone().relay());
        Ok(posts)
    }

    pub(crate) async fn post(&self, room: &str, text: String) -> Result<Posted, Rejection> {
        let row = retry(&self.db, async |tx| {
            let own = || Numbered::select().filter(numbered::name.eq(room));
            let next = numbered::last.set(numbered::last + 1);
            if own().update([next], &mut *tx).await? == 0 {
                let name = room.to_owned();
                Numbered { name, last: 1 }.insert(&mut *tx).await?;
            }
            let number = own().one(&mut *tx).await?.last;
            let mut row = Row {
                id: 0,
                room: room.to_owned(),
                number,
                text: text.clone(),
                is_told: false,
            };
            row.save(tx).await?;
            Ok(row)
        })
        .await?;
        if Some(self.commits.fetch_add(1, Ordering::Relaxed) + 1) == self.dies_after {
            // As by SIGKILL: nothing is told, closed or answered.
            process::abort();
        }
        let posted = row.posted();
        // The post is there: whoever is not told finds it.
        if let Err(error) = self.tell(&row).await {
            eprintln!("not told yet: {error:?}");
        }
        Ok(posted)
    }

    pub(crate) async fn page(&self, room: &str, after: i64) -> Result<Page, Rejection> {
        let own = row::room.eq(room).and(row::number.gt(after));
        let rows = Row::select().filter(own).order_by(row::number.asc());
        let rows = rows.limit(100).all(&self.db).await?;
        Ok(Page {
            posts: rows.iter().map(Row::posted).collect(),
        })
    }

    async fn tell(&self, row: &Row) -> Result<(), Box<dyn Error + Send + Sync>> {
        let room = self.hub.room(&row.room);
        room.send(&row.posted(), SlowReader::Wait).await?;
        let own = Row::select().filter(row::id.eq(row.id));
        own.update([row::is_told.set(true)], &self.db).await?;
        Ok(())
    }

    async fn relay(self) {
        loop {
            sleep(RELAY).await;
            let untold = Row::select()
                .filter(row::is_told.eq(false))
                .order_by(row::id.asc());
            let told = async {
                for row in untold.limit(100).all(&self.db).await? {
                    self.tell(&row).await?;
                }
                Ok::<_, Box<dyn Error + Send + Sync>>(())
            };
            if let Err(error) = told.await {
                eprintln!("not told yet: {error:?}");
            }
        }
    }
}

impl Row {
    fn posted(&self) -> Posted {
        Posted {
            number: self.number,
            text: self.text.clone(),
        }
    }
}
