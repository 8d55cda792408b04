//! Upserts: on which columns, what is updated, and that no other row ever is.

use chrono::{DateTime, Utc};
use packetboat_orm::{Error, Executor, Model, ModelExt, Router};
use uuid::Uuid;

use crate::common::bed::Bed;

/// Two things that are unique, apart from the key.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(unique(street, number))]
struct House {
    id: i64,
    #[model(unique)]
    name: String,
    street: String,
    number: i32,
    price: i64,
}

impl House {
    fn new(name: &str, street: &str, number: i32, price: i64) -> Self {
        Self {
            id: 0,
            name: name.to_owned(),
            street: street.to_owned(),
            number,
            price,
        }
    }
}

async fn houses(db: impl Executor + Copy) -> Vec<House> {
    House::create_table(db).await.expect("a table");
    let mut houses = vec![
        House::new("mill", "Elm St", 1, 10),
        House::new("inn", "Elm St", 2, 20),
    ];
    House::insert_all(&mut houses, db)
        .await
        .expect("two houses");
    houses
}

async fn all(db: impl Executor) -> Vec<House> {
    let by_key = House::select().order_by(house::id.asc());
    by_key.all(db).await.expect("all houses")
}

async fn a_row_that_is_not_there_is_inserted(bed: impl Bed) {
    let db = bed.db();
    let mut expected = houses(db).await;
    let mut new = House::new("barn", "Oak St", 1, 30);
    new.upsert(house::name).run(db).await.expect("an upsert");
    assert_ne!(new.id, 0);
    expected.push(new);
    assert_eq!(all(db).await, expected);
}

async fn a_row_that_is_there_is_updated(bed: impl Bed) {
    let db = bed.db();
    let mut expected = houses(db).await;
    let mut mill = House::new("mill", "Oak St", 7, 11);
    mill.upsert(house::name).run(db).await.expect("an upsert");
    expected[0] = House {
        id: expected[0].id,
        ..House::new("mill", "Oak St", 7, 11)
    };
    assert_eq!(mill, expected[0], "with the key that it has there");
    assert_eq!(all(db).await, expected);
    // On several columns, in any order; the name is one of those that are updated.
    let mut renamed = House::new("hotel", "Elm St", 2, 21);
    renamed
        .upsert((house::number, house::street))
        .run(db)
        .await
        .expect("an upsert");
    expected[1].name = "hotel".to_owned();
    expected[1].price = 21;
    assert_eq!(renamed, expected[1]);
    assert_eq!(all(db).await, expected);
    // On the key.
    renamed.price = 22;
    renamed.upsert(house::id).run(db).await.expect("an upsert");
    expected[1].price = 22;
    assert_eq!(all(db).await, expected);
}

async fn only_the_columns_that_are_named_are_updated(bed: impl Bed) {
    let db = bed.db();
    let mut expected = houses(db).await;
    let mut mill = House::new("mill", "Oak St", 7, 11);
    let on = mill.upsert(house::name);
    on.update(house::price).run(db).await.expect("an upsert");
    expected[0].price = 11;
    assert_eq!(mill, expected[0], "as it is there");
    assert_eq!(all(db).await, expected);
    let mut mill = House::new("mill", "Ash St", 8, 12);
    let on = mill.upsert(house::name);
    let both = on.update((house::street, house::price));
    both.run(db).await.expect("an upsert");
    expected[0].street = "Ash St".to_owned();
    expected[0].price = 12;
    assert_eq!(all(db).await, expected);
    // None: what is there stays, and is what the struct becomes.
    let mut mill = House::new("mill", "Fir St", 9, 13);
    mill.upsert(house::name)
        .keep()
        .run(db)
        .await
        .expect("an upsert");
    assert_eq!(mill, expected[0]);
    let mut barn = House::new("barn", "Fir St", 9, 13);
    barn.upsert(house::name)
        .keep()
        .run(db)
        .await
        .expect("an insert");
    expected.push(barn);
    assert_eq!(all(db).await, expected);
}

async fn no_other_row_is_ever_overwritten(bed: impl Bed) {
    let db = bed.db();
    let expected = houses(db).await;
    // New by its name, and where the inn stands: inserted it cannot be, and the inn is not meant.
    let mut thief = House::new("shed", "Elm St", 2, 1);
    let before = thief.clone();
    let error = thief.upsert(house::name).run(db).await.expect_err("taken");
    assert!(error.is_unique("street"), "{error:?}");
    assert_eq!(thief, before);
    // The mill by its name, to be moved to where the inn stands.
    let mut thief = House::new("mill", "Elm St", 2, 1);
    let error = thief.upsert(house::name).run(db).await.expect_err("taken");
    assert!(error.is_unique("number"), "{error:?}");
    assert_eq!(all(db).await, expected);
}

async fn what_is_not_unique_is_no_place_for_an_upsert(bed: impl Bed) {
    let db = bed.db();
    let expected = houses(db).await;
    let mut house = House::new("mill", "Elm St", 1, 1);
    let refused = |outcome| {
        assert!(
            matches!(outcome, Err(Error::Unsupported { .. })),
            "{outcome:?}"
        )
    };
    refused(house.upsert(house::price).run(db).await);
    refused(house.upsert(house::street).run(db).await);
    refused(house.upsert((house::name, house::price)).run(db).await);
    refused(house.upsert(house::name).update(house::id).run(db).await);
    assert_eq!(all(db).await, expected);
}

async fn upserts_at_once_make_one_row(bed: impl Bed) {
    let db = bed.db();
    houses(db).await;
    let mut tasks = tokio::task::JoinSet::new();
    for price in 0..16 {
        let bed = bed.clone();
        tasks.spawn(async move {
            let mut house = House::new("barn", "Oak St", 1, price);
            house
                .upsert(house::name)
                .run(bed.db())
                .await
                .map(|()| house.id)
        });
    }
    let mut ids = Vec::new();
    for outcome in tasks.join_all().await {
        ids.push(outcome.expect("an upsert"));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(House::select().count(db).await.expect("a count"), 3);
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Device {
    id: Uuid,
    #[model(unique)]
    serial: String,
    seen: i64,
}

async fn a_key_that_is_made_here_gives_way_to_the_one_that_is_there(bed: impl Bed) {
    let db = bed.db();
    Device::create_table(db).await.expect("a table");
    let device = |seen| Device {
        id: Uuid::nil(),
        serial: "x1".to_owned(),
        seen,
    };
    let (mut first, mut second) = (device(1), device(2));
    first
        .upsert(device::serial)
        .run(db)
        .await
        .expect("an insert");
    second
        .upsert(device::serial)
        .run(db)
        .await
        .expect("an update");
    assert!(!first.id.is_nil());
    assert_eq!(second.id, first.id);
    assert_eq!(Device::select().all(db).await.expect("a query"), [second]);
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Guest {
    id: i64,
    #[model(unique)]
    nick: Option<String>,
    visits: i64,
}

/// As UNIQUE has it.
async fn a_value_that_is_missing_is_the_same_as_no_other(bed: impl Bed) {
    let db = bed.db();
    Guest::create_table(db).await.expect("a table");
    let mut guests = [1, 2].map(|visits| Guest {
        id: 0,
        nick: None,
        visits,
    });
    for guest in &mut guests {
        guest.upsert(guest::nick).run(db).await.expect("an insert");
    }
    let mut third = guests[0].clone();
    third.id = 0;
    third
        .upsert(guest::nick)
        .keep()
        .run(db)
        .await
        .expect("an insert");
    let all = Guest::select().order_by(guest::id.asc()).all(db).await;
    let [first, second] = guests;
    assert_eq!(all.expect("all guests"), [first, second, third]);
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Member {
    id: i64,
    #[model(unique)]
    name: String,
    #[model(deleted)]
    left: Option<DateTime<Utc>>,
}

async fn a_row_that_is_deleted_from_the_first_is_inserted_once(bed: impl Bed) {
    let db = bed.db();
    Member::create_table(db).await.expect("a table");
    let mut gone = Member {
        id: 0,
        name: "ann".to_owned(),
        left: DateTime::from_timestamp(1_700_000_000, 0),
    };
    let before = gone.clone();
    gone.upsert(member::name).run(db).await.expect("an insert");
    assert_ne!(gone.id, 0);
    let all = Member::select().with_deleted().all(db).await;
    assert_eq!(all.expect("all members"), [gone]);
    let mut again = before.clone();
    let error = again.upsert(member::name).run(db).await;
    assert!(
        error.as_ref().is_err_and(|error| error.is_unique("name")),
        "{error:?}"
    );
    assert_eq!(again, before);
}

/// What is there is looked for where it was written, and not on a reader that has it late.
async fn over_a_router_it_keeps_what_the_writer_has(bed: impl Bed) {
    async fn over<B: Bed>(bed: B, reader: B) {
        let expected = houses(bed.db()).await;
        houses(reader.db()).await;
        House::select()
            .update([house::price.set(1)], reader.db())
            .await
            .expect("an old price");
        let router = Router::new("default", bed.pool()).reader("a", reader.pool());
        let mut mill = House::new("mill", "Fir St", 9, 13);
        mill.upsert(house::name)
            .keep()
            .run(&router.scope())
            .await
            .expect("an upsert");
        assert_eq!(mill, expected[0]);
    }
    let reader = bed.another().await;
    over(bed, reader).await;
}

async fn in_a_transaction_as_outside_of_it(bed: impl Bed) {
    let db = bed.db();
    let mut expected = houses(db).await;
    let (mill, barn) = packetboat_orm::transaction(db, async |tx| {
        let mut mill = House::new("mill", "Elm St", 1, 11);
        mill.upsert(house::name).run(&mut *tx).await?;
        let mut barn = House::new("barn", "Oak St", 1, 12);
        barn.upsert(house::name).run(tx).await?;
        Ok((mill, barn))
    })
    .await
    .expect("a transaction");
    expected[0] = mill;
    expected.push(barn);
    assert_eq!(all(db).await, expected);
}

crate::common::on_every_database![
    a_row_that_is_not_there_is_inserted,
    a_row_that_is_there_is_updated,
    only_the_columns_that_are_named_are_updated,
    no_other_row_is_ever_overwritten,
    what_is_not_unique_is_no_place_for_an_upsert,
    upserts_at_once_make_one_row,
    a_key_that_is_made_here_gives_way_to_the_one_that_is_there,
    a_value_that_is_missing_is_the_same_as_no_other,
    a_row_that_is_deleted_from_the_first_is_inserted_once,
    over_a_router_it_keeps_what_the_writer_has,
    in_a_transaction_as_outside_of_it,
];
