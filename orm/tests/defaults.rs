//! Tables made from a model: defaults that read back, keys of every kind, text that is what it is.
#![cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod common;

on_each_database! {
    defaults_read_back_as_their_fields;
    keys_that_are_no_integers_are_chosen_before_the_insert;
    save_updates_its_own_row_and_no_other;
}

mod cases {
    use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
    use packetboat_orm::{Driver, Error, Executor, Field, Model, ModelExt, sql};
    use rust_decimal::Decimal;
    use sqlx::Pool;
    use uuid::Uuid;

    #[derive(Clone, Debug, Model, PartialEq)]
    struct Defaulted {
        id: i64,
        given: i64,
        #[model(default = -7)]
        number: i32,
        #[model(default = 1.5)]
        ratio: f64,
        #[model(default = true)]
        flag: bool,
        #[model(default = "it's \\ \"so\"")]
        text: String,
        #[model(default = 3, scale = 2)]
        price: Decimal,
        #[model(default = now)]
        at: DateTime<Utc>,
        #[model(default = now)]
        local: NaiveDateTime,
        #[model(default = now)]
        day: NaiveDate,
    }

    async fn fresh<M: Model>(mut db: impl Executor, drop: &'static str) {
        sql(drop).exec(&mut db).await.unwrap();
        M::create_table(db).await.unwrap();
    }

    pub(super) async fn defaults_read_back_as_their_fields<DB: Driver>(pool: &Pool<DB>) {
        fresh::<Defaulted>(pool, "DROP TABLE IF EXISTS defaulted").await;
        sql("INSERT INTO defaulted (given) VALUES (?)")
            .bind(1_i64)
            .exec(pool)
            .await
            .unwrap();
        let row = Defaulted::select().one(pool).await.unwrap();
        assert_eq!((row.number, row.ratio, row.flag), (-7, 1.5, true));
        assert_eq!(row.text, "it's \\ \"so\"");
        assert_eq!(row.price, Decimal::from(3));
        let now = Utc::now();
        assert!((now - row.at).abs() < TimeDelta::seconds(60), "{}", row.at);
        assert!(
            (now.naive_utc() - row.local).abs() < TimeDelta::seconds(60),
            "{}",
            row.local
        );
        assert!(
            (now.date_naive() - row.day).abs() <= TimeDelta::days(1),
            "{}",
            row.day
        );
        // What the database wrote compares with what we write.
        let recent = Defaulted::select().filter(defaulted::at.gt(now - TimeDelta::seconds(60)));
        assert_eq!(
            recent
                .filter(defaulted::at.le(Utc::now()))
                .count(pool)
                .await
                .unwrap(),
            1
        );
        let mut again = row.clone();
        again.id = 0;
        again.save(pool).await.unwrap();
        assert_eq!(
            Defaulted::find(again.id, pool).await.unwrap().unwrap(),
            again
        );
    }

    #[derive(Clone, Debug, Field, PartialEq)]
    struct Token(Uuid);

    #[derive(Clone, Debug, Model, PartialEq)]
    struct Session {
        #[model(key)]
        token: Token,
        user: Option<i64>,
    }

    #[derive(Clone, Debug, Model, PartialEq)]
    struct Setting {
        #[model(key)]
        name: String,
        value: String,
    }

    #[derive(Clone, Debug, Model, PartialEq)]
    struct Counter {
        id: Option<u32>,
    }

    pub(super) async fn keys_that_are_no_integers_are_chosen_before_the_insert<DB: Driver>(
        pool: &Pool<DB>,
    ) {
        fresh::<Session>(pool, "DROP TABLE IF EXISTS session").await;
        fresh::<Setting>(pool, "DROP TABLE IF EXISTS setting").await;
        fresh::<Counter>(pool, "DROP TABLE IF EXISTS counter").await;
        let mut session = Session {
            token: Token(Uuid::nil()),
            user: Some(1),
        };
        session.save(pool).await.unwrap();
        assert!(!session.token.0.is_nil());
        assert_eq!(
            Session::find(&session.token, pool).await.unwrap().unwrap(),
            session
        );
        let mut batch = [Session {
            token: Token(Uuid::nil()),
            user: None,
        }];
        Session::insert_all(&mut batch, pool).await.unwrap();
        assert!(!batch[0].token.0.is_nil());
        assert_eq!(
            Session::find(&batch[0].token, pool).await.unwrap().unwrap(),
            batch[0]
        );

        let mut setting = Setting {
            name: "size".to_owned(),
            value: "1".to_owned(),
        };
        setting.save(pool).await.unwrap();
        setting.value = "2".to_owned();
        setting.save(pool).await.unwrap();
        assert_eq!(
            Setting::select().all(pool).await.unwrap(),
            [setting.clone()]
        );
        assert!(matches!(setting.insert(pool).await, Err(error) if error.is_unique("name")));
        let mut unnamed = Setting {
            name: String::new(),
            value: "3".to_owned(),
        };
        unnamed.insert(pool).await.unwrap();
        assert_eq!(unnamed.name.len(), 36);

        // A table of a key alone.
        let mut counter = Counter { id: None };
        counter.save(pool).await.unwrap();
        assert_eq!(counter.id, Some(1));
        counter.save(pool).await.unwrap();
        counter.update(pool).await.unwrap();
        assert!(matches!(
            Counter { id: Some(9) }.update(pool).await,
            Err(Error::NotFound { .. })
        ));
        let mut rows = [
            Counter { id: None },
            Counter { id: Some(7) },
            Counter { id: Some(8) },
        ];
        assert_eq!(Counter::insert_all(&mut rows, pool).await.unwrap(), 3);
        assert_eq!(Counter::select().count(pool).await.unwrap(), 4);
    }

    #[derive(Clone, Debug, Model, PartialEq)]
    struct Seat {
        id: i64,
        #[model(unique)]
        place: String,
        guest: String,
    }

    pub(super) async fn save_updates_its_own_row_and_no_other<DB: Driver>(pool: &Pool<DB>) {
        fresh::<Seat>(pool, "DROP TABLE IF EXISTS seat").await;
        let seat = |id, place: &str, guest: &str| Seat {
            id,
            place: place.to_owned(),
            guest: guest.to_owned(),
        };
        seat(1, "a", "ann").save(pool).await.unwrap();
        seat(2, "b", "bob").save(pool).await.unwrap();
        // A new key with a place that is taken must not overwrite who sits there.
        for id in [2, 3] {
            let refused = seat(id, "a", "eve").save(pool).await.unwrap_err();
            assert!(refused.is_unique("place"), "{refused:?}");
            assert!(
                matches!(refused, Error::UniqueViolation { constraint, .. } if constraint == "seat_place_key")
            );
        }
        seat(2, "B", "bob").save(pool).await.unwrap();
        // Text is what it is: neither case nor a trailing space makes it another's.
        seat(4, "A", "carl").save(pool).await.unwrap();
        seat(5, "a ", "dora").save(pool).await.unwrap();
        let seats = Seat::select()
            .order_by(seat::place.asc())
            .all(pool)
            .await
            .unwrap();
        let places: Vec<&str> = seats.iter().map(|seat| seat.place.as_str()).collect();
        assert_eq!(places, ["A", "B", "a", "a "]);
        assert_eq!(seats[2].guest, "ann");
    }
}
