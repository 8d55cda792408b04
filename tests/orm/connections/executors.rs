//! One piece of work on every kind of executor: a pool, one of its connections, a unit of work, a transaction, and a
//! transaction inside of one. What is behind an executor changes nothing of what a model does on it.

use futures_util::TryStreamExt as _;
use packetboat_orm::{
    Executor, Finish as _, Model, ModelExt, Result, Tracked, UnitOfWork, begin, sql, transaction,
};

use crate::common::bed::Bed;

#[derive(Clone, Debug, Model, PartialEq)]
#[model(has_many(rooms: Room))]
struct House {
    id: i64,
    #[model(unique)]
    street: String,
    price: i64,
}

#[derive(Clone, Debug, Model, PartialEq)]
struct Room {
    id: i64,
    house_id: i64,
    size: i32,
}

fn house(street: &str, price: i64) -> House {
    House {
        id: 0,
        street: street.to_owned(),
        price,
    }
}

/// Everything that a handler does with models, and what is then there; nothing is left of it at the end.
async fn day(db: &mut impl Executor) -> Result<()> {
    let (mut elm, mut oak) = (house("elm", 10), house("oak", 20));
    elm.insert(&mut *db).await?;
    oak.save(&mut *db).await?;
    let mut ash = house("elm", 30);
    ash.upsert(house::street)
        .update(house::price)
        .run(&mut *db)
        .await?;
    assert_eq!(ash.id, elm.id);
    let mut rooms = [(elm.id, 5), (elm.id, 6), (oak.id, 7)].map(|(house_id, size)| Room {
        id: 0,
        house_id,
        size,
    });
    assert_eq!(Room::insert_all(&mut rooms, &mut *db).await?, 3);
    assert!(rooms.iter().all(|room| room.id > 0), "{rooms:?}");

    assert_eq!(House::find(elm.id, &mut *db).await?, Some(ash));
    let by_size = Room::select().order_by(room::size.desc());
    let first = by_size.limit(2).all(&mut *db).await?;
    assert_eq!(first, [rooms[2].clone(), rooms[1].clone()]);
    let pairs = Room::select()
        .join(House::on(house::id.eq(room::house_id)))
        .filter(house::street.eq("oak"))
        .all(&mut *db)
        .await?;
    assert_eq!(pairs, [(rooms[2].clone(), oak.clone())]);
    let sums = Room::select()
        .group_by(room::house_id)
        .order_by(room::house_id.asc())
        .columns((room::house_id, room::size.sum()))
        .all(&mut *db)
        .await?;
    assert_eq!(sums, [(elm.id, Some(11)), (oak.id, Some(7))]);
    let with_rooms = House::select()
        .order_by(house::id.asc())
        .with(house::rooms)
        .all(&mut *db)
        .await?;
    let counts: Vec<usize> = with_rooms.iter().map(|(_, rooms)| rooms.len()).collect();
    assert_eq!(counts, [2, 1]);
    let sizes = Room::select().order_by(room::id.asc()).stream(&mut *db);
    let sizes: Vec<i32> = sizes.map_ok(|room| room.size).try_collect().await?;
    assert_eq!(sizes, [5, 6, 7]);

    let mut tracked = Tracked::new(oak.clone());
    tracked.price = 21;
    tracked.update(&mut *db).await?;
    let undone = transaction(&mut *db, async |tx| {
        House::select().delete(&mut *tx).await?;
        Err::<(), _>(packetboat_orm::Error::NotFound { table: "anything" })
    });
    assert!(undone.await.is_err());
    assert_eq!(
        House::select()
            .filter(house::price.eq(21))
            .count(&mut *db)
            .await?,
        1
    );
    let count: (i64,) = sql("SELECT COUNT(*) FROM room").one(&mut *db).await?;
    assert_eq!(count, (3,));

    rooms[0].delete(&mut *db).await?;
    assert_eq!(Room::select().delete(&mut *db).await?, 2);
    assert_eq!(House::select().delete(db).await?, 2);
    Ok(())
}

async fn empty<B: Bed>(bed: &B) {
    House::create_table(bed.db()).await.expect("a table");
    Room::create_table(bed.db()).await.expect("a table");
}

async fn a_pool_runs_it(bed: impl Bed) {
    empty(&bed).await;
    day(&mut bed.db()).await.expect("on a pool");
    let mut owned = bed.pool();
    day(&mut owned).await.expect("on a pool by value");
}

async fn a_held_connection_runs_it(bed: impl Bed) {
    empty(&bed).await;
    let mut unit = UnitOfWork::new(bed.pool());
    day(&mut unit).await.expect("in a unit of work");
    day(&mut &mut unit).await.expect("in a borrowed one");
}

async fn a_transaction_runs_it(bed: impl Bed) {
    empty(&bed).await;
    let mut tx = begin(bed.db()).await.expect("a transaction");
    day(&mut tx).await.expect("in a transaction");
    let mut nested = tx.enter().await.expect("a savepoint");
    day(&mut nested).await.expect("in a nested one");
    nested.commit().await.expect("a commit");
    tx.commit().await.expect("a commit");
    let counted = transaction(bed.db(), async |tx| {
        day(tx).await?;
        House::select().count(tx).await
    });
    assert_eq!(counted.await.expect("in a closure"), 0);
}

crate::common::on_every_database!(
    a_pool_runs_it,
    a_held_connection_runs_it,
    a_transaction_runs_it,
);
