//! Reading: filters, order, limit and offset; all, one, optional, count, exists, stream; update and delete by filter.

use futures_util::TryStreamExt;
use packetboat_orm::{Error, Executor, Filter, ModelExt, Select, sql};

use crate::common::bed::Bed;
use crate::common::models::{Author, Fame, author, authors, names};

/// Ann (no year, living), Bob (1900, dead, of world fame), Cid (1950, living), Dan (2000, dead).
async fn four(db: impl Executor + Copy) -> Vec<Author> {
    let mut four = authors(db, &["ann", "bob", "cid", "dan"]).await;
    for (author, born) in four.iter_mut().skip(1).zip([1900, 1950, 2000]) {
        author.born = Some(born);
        author.is_living = born == 1950;
        author.update(db).await.expect("an update");
    }
    four[1].fame = Fame::World;
    four[1].update(db).await.expect("an update");
    four
}

async fn found(select: Select<Author>, db: impl Executor) -> Vec<String> {
    let authors = select
        .order_by(author::id.asc())
        .all(db)
        .await
        .expect("a query");
    authors.into_iter().map(|author| author.name).collect()
}

async fn filters_find_what_they_say(bed: impl Bed) {
    let db = bed.db();
    four(db).await;
    let cases: Vec<(Filter<Author>, &[&str])> = vec![
        (author::name.eq("bob"), &["bob"]),
        (author::name.eq(String::from("bob")), &["bob"]),
        (author::name.ne("bob"), &["ann", "cid", "dan"]),
        (author::born.gt(1950), &["dan"]),
        (author::born.ge(1950), &["cid", "dan"]),
        (author::born.lt(1950), &["bob"]),
        (author::born.le(1950), &["bob", "cid"]),
        (author::born.eq(None), &["ann"]),
        (author::born.ne(None), &["bob", "cid", "dan"]),
        // As in SQL, and alike everywhere: NULL is neither equal nor unequal to a value.
        (author::born.ne(1900), &["cid", "dan"]),
        (author::born.is_null(), &["ann"]),
        (author::born.is_not_null(), &["bob", "cid", "dan"]),
        (author::name.is_in(["ann", "dan", "eve"]), &["ann", "dan"]),
        (author::name.is_in(Vec::<String>::new()), &[]),
        (author::fame.eq(Fame::World), &["bob"]),
        (
            author::is_living.eq(true) & author::born.is_null(),
            &["ann"],
        ),
        (
            author::name.eq("ann") | author::name.eq("bob"),
            &["ann", "bob"],
        ),
        (
            (author::name.eq("ann") | author::name.eq("bob")) & author::is_living.eq(false),
            &["bob"],
        ),
        (
            author::name.eq("ann") | (author::name.eq("bob") & author::is_living.eq(true)),
            &["ann"],
        ),
        (
            !(author::name.eq("ann") | author::name.eq("bob")),
            &["cid", "dan"],
        ),
        (!author::name.is_in(["ann"]), &["bob", "cid", "dan"]),
    ];
    for (filter, expected) in cases {
        let said = format!("{filter:?}");
        assert_eq!(
            found(Author::select().filter(filter), db).await,
            expected,
            "{said}"
        );
    }
}

async fn filters_given_one_after_another_all_hold(bed: impl Bed) {
    let db = bed.db();
    four(db).await;
    let both = Author::select()
        .filter(author::is_living.eq(false))
        .filter(author::born.gt(1950));
    assert_eq!(found(both, db).await, ["dan"]);
    let or_first = Author::select()
        .filter(author::name.eq("ann") | author::name.eq("bob"))
        .filter(author::born.eq(1900));
    assert_eq!(found(or_first, db).await, ["bob"]);
}

async fn raw_pieces_bind_their_values(bed: impl Bed) {
    let db = bed.db();
    four(db).await;
    let raw = Author::select().filter(
        sql("length(name) = ? AND name <> ?")
            .bind(3_i64)
            .bind("ann"),
    );
    assert_eq!(found(raw, db).await, ["bob", "cid", "dan"]);
    let mixed = Author::select()
        .filter(author::born.ge(1900) & sql("name = ? OR name = ?").bind("ann").bind("dan"))
        .filter(author::is_living.eq(false));
    assert_eq!(
        found(mixed, db).await,
        ["dan"],
        "the piece keeps its OR to itself"
    );
    let quoted = Author::select().filter(sql("name <> 'what?' AND name = ?").bind("ann"));
    assert_eq!(found(quoted, db).await, ["ann"]);
}

async fn a_list_with_none_finds_null_too(bed: impl Bed) {
    let db = bed.db();
    four(db).await;
    let any = || author::born.is_in([None, Some(1900)]);
    assert_eq!(
        found(Author::select().filter(any()), db).await,
        ["ann", "bob"]
    );
    assert_eq!(
        found(Author::select().filter(!any()), db).await,
        ["cid", "dan"]
    );
    let null = author::born.is_in([None::<i32>]);
    assert_eq!(found(Author::select().filter(null), db).await, ["ann"]);
}

async fn raw_sql_reads_fields_models_and_both(bed: impl Bed) {
    let db = bed.db();
    let four = four(db).await;
    let count = sql("SELECT COUNT(*) FROM author");
    assert_eq!(count.one::<i64>(db).await.expect("a count"), 4);
    let born = sql("SELECT born FROM author ORDER BY id").all::<Option<i32>>(db);
    let expected = four.iter().map(|author| author.born).collect::<Vec<_>>();
    assert_eq!(born.await.expect("a column"), expected);
    // As a left join has it: the columns of the second are there, or NULL all of them.
    let pairs = sql(
        "SELECT a.id, a.name, a.born, a.is_living, a.fame, b.id, b.name, b.born, b.is_living, b.fame, a.name \
         FROM author a LEFT JOIN author b ON b.id = a.id AND b.name <> ? ORDER BY a.id",
    )
    .bind("bob")
    .all::<(Author, Option<Author>, String)>(db)
    .await
    .expect("a join");
    let expected = four.iter().map(|author| {
        let other = (author.name != "bob").then(|| author.clone());
        (author.clone(), other, author.name.clone())
    });
    assert_eq!(pairs, expected.collect::<Vec<_>>());
}

async fn order_puts_null_first_and_breaks_ties(bed: impl Bed) {
    let db = bed.db();
    four(db).await;
    let names = async |select: Select<Author>| {
        let authors = select.all(db).await.expect("a query");
        authors
            .into_iter()
            .map(|author| author.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(Author::select().order_by(author::born.asc())).await,
        ["ann", "bob", "cid", "dan"]
    );
    assert_eq!(
        names(Author::select().order_by(author::born.desc())).await,
        ["dan", "cid", "bob", "ann"]
    );
    let two = Author::select()
        .order_by(author::is_living.desc())
        .order_by(author::name.desc());
    assert_eq!(names(two).await, ["cid", "ann", "dan", "bob"]);
}

async fn text_sorts_by_its_bytes(bed: impl Bed) {
    let db = bed.db();
    authors(db, &["b", "B", "a", "A", "é", "z", "_", "中"]).await;
    let sorted = Author::select()
        .order_by(author::name.asc())
        .all(db)
        .await
        .expect("a query");
    let sorted = sorted
        .iter()
        .map(|author| author.name.as_str())
        .collect::<Vec<_>>();
    assert_eq!(sorted, ["A", "B", "_", "a", "b", "z", "é", "中"]);
}

async fn limit_and_offset_cut_the_order(bed: impl Bed) {
    let db = bed.db();
    four(db).await;
    let all = Author::select;
    assert_eq!(found(all().limit(2), db).await, ["ann", "bob"]);
    assert_eq!(found(all().limit(2).offset(1), db).await, ["bob", "cid"]);
    assert_eq!(found(all().offset(3), db).await, ["dan"]);
    assert_eq!(found(all().limit(0), db).await, [""; 0]);
    assert_eq!(
        found(all().limit(u64::MAX).offset(2), db).await,
        ["cid", "dan"]
    );
    assert_eq!(found(all().offset(u64::MAX), db).await, [""; 0]);
}

async fn one_optional_count_and_exists(bed: impl Bed) {
    let db = bed.db();
    four(db).await;
    let living = || {
        Author::select()
            .filter(author::is_living.eq(true))
            .order_by(author::id.desc())
    };
    let nobody = || Author::select().filter(author::name.eq("eve"));
    assert_eq!(living().one(db).await.expect("a row").name, "cid");
    assert_eq!(
        living()
            .optional(db)
            .await
            .expect("a query")
            .expect("a row")
            .name,
        "cid"
    );
    assert_eq!(living().count(db).await.expect("a count"), 2);
    assert!(living().exists(db).await.expect("a query"));
    assert!(matches!(
        nobody().one(db).await,
        Err(Error::NotFound { table: "author" })
    ));
    assert_eq!(nobody().optional(db).await.expect("a query"), None);
    assert_eq!(nobody().count(db).await.expect("a count"), 0);
    assert!(!nobody().exists(db).await.expect("a query"));
    assert_eq!(
        Author::select().limit(3).count(db).await.expect("a count"),
        3
    );
    assert_eq!(
        Author::select().offset(3).count(db).await.expect("a count"),
        1
    );
    assert_eq!(Author::find(-1, db).await.expect("a query"), None);
}

async fn a_stream_gives_every_row_in_order(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let mut rows = (0..500)
        .map(|n| Author::new(&format!("a{n:03}")))
        .collect::<Vec<_>>();
    Author::insert_all(&mut rows, db).await.expect("many rows");
    let stream = Author::select().order_by(author::name.asc()).stream(db);
    let back = stream
        .map_ok(|author| author.name)
        .try_collect::<Vec<_>>()
        .await
        .expect("a stream");
    assert_eq!(
        back,
        rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>()
    );
}

async fn a_stream_may_be_dropped_half_way(bed: impl Bed) {
    let db = bed.db();
    authors(db, &[]).await;
    let mut rows = (0..500)
        .map(|n| Author::new(&format!("a{n:03}")))
        .collect::<Vec<_>>();
    Author::insert_all(&mut rows, db).await.expect("many rows");
    // More often than a pool has connections: each must come back, or be replaced.
    for _ in 0..20 {
        let mut stream = Author::select().order_by(author::name.asc()).stream(db);
        assert_eq!(
            stream
                .next()
                .await
                .expect("a row")
                .expect("a good row")
                .name,
            "a000"
        );
    }
    assert_eq!(Author::select().count(db).await.expect("a count"), 500);
}

async fn updates_by_filter_say_how_many(bed: impl Bed) {
    let db = bed.db();
    four(db).await;
    let dead = || Author::select().filter(author::is_living.eq(false));
    assert_eq!(
        dead()
            .update([author::is_living.set(true), author::born.set(None)], db)
            .await
            .expect("an update"),
        2
    );
    assert_eq!(
        dead()
            .update([author::is_living.set(true)], db)
            .await
            .expect("an update of nothing"),
        0
    );
    assert_eq!(
        Author::select()
            .filter(author::born.is_null())
            .count(db)
            .await
            .expect("a count"),
        3
    );
    // Rows found count, also those that were so before, alike on every database.
    assert_eq!(
        Author::select()
            .update([author::is_living.set(true)], db)
            .await
            .expect("an update"),
        4
    );
}

async fn deletes_by_filter_say_how_many(bed: impl Bed) {
    let db = bed.db();
    four(db).await;
    assert_eq!(
        Author::select()
            .filter(author::born.ge(1950))
            .delete(db)
            .await
            .expect("a delete"),
        2
    );
    assert_eq!(names(db).await, ["ann", "bob"]);
    assert_eq!(
        Author::select().delete(db).await.expect("a delete of all"),
        2
    );
}

async fn updates_and_deletes_refuse_a_limit(bed: impl Bed) {
    let db = bed.db();
    four(db).await;
    for select in [
        Author::select().limit(1),
        Author::select().offset(1),
        Author::select().order_by(author::id.asc()),
    ] {
        assert!(matches!(
            select.clone().delete(db).await,
            Err(Error::Unsupported { .. })
        ));
        let update = select.update([author::is_living.set(true)], db).await;
        assert!(matches!(update, Err(Error::Unsupported { .. })));
    }
    assert_eq!(names(db).await.len(), 4);
}

crate::common::on_every_database![
    filters_find_what_they_say,
    filters_given_one_after_another_all_hold,
    raw_pieces_bind_their_values,
    a_list_with_none_finds_null_too,
    raw_sql_reads_fields_models_and_both,
    order_puts_null_first_and_breaks_ties,
    text_sorts_by_its_bytes,
    limit_and_offset_cut_the_order,
    one_optional_count_and_exists,
    a_stream_gives_every_row_in_order,
    a_stream_may_be_dropped_half_way,
    updates_by_filter_say_how_many,
    deletes_by_filter_say_how_many,
    updates_and_deletes_refuse_a_limit,
];
