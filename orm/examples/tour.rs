//! A tour: the books of a small shop, migrated, written, read, and kept apart.
//!
//! `cargo run -p packetboat-orm --features sqlite --example tour`

#![recursion_limit = "256"] // three wrappers, and async functions in async functions

use chrono::{DateTime, Utc};
use packetboat_orm::{
    Counted, DbPool, Error, Executor, Hooks, Model, ModelExt, Result, Routed, Router, Tenant,
    Traced, assert_queries, migrate::Models, retry, sqlite,
};

#[derive(Default, Model)]
#[model(hooks, has_many(books: Book))]
struct Author {
    id: i64,
    #[model(unique, size = 64)]
    name: String,
    city: String,
    #[model(version)]
    version: i32,
}

#[derive(Default, Model)]
struct Book {
    id: i64,
    #[model(references = Author)]
    author_id: i64,
    title: String,
    #[model(check = "price >= 0")]
    price: i64,
    #[model(deleted)]
    deleted: Option<DateTime<Utc>>,
}

#[derive(Default, Model)]
struct Review {
    id: i64,
    #[model(references(Book, on_delete = cascade))]
    book_id: i64,
    #[model(tenant)]
    shop: i64,
    stars: i32,
}

impl Hooks for Author {
    async fn before_save(&mut self, _tx: &mut impl Executor) -> Result<()> {
        self.name = self.name.trim().to_owned();
        Ok(())
    }
}

/// What statements run on, named once: counted, traced, and sent to the right database.
type Db = Counted<Traced<Routed<DbPool>>>;

async fn write(db: &Db) -> Result<()> {
    // A key of 0 is not chosen yet. What hooks and database fill in is in the struct afterwards.
    let mut ann = Author::default();
    (ann.name, ann.city) = (" Ann ".to_owned(), "Bruges".to_owned());
    ann.save(db).await?;
    assert_eq!((ann.id, ann.name.as_str()), (1, "Ann"));

    // Many rows with one statement, and each has its key.
    let mut books = <[Book; 3]>::default();
    for (book, title) in books.iter_mut().zip(["Locks", "Maps", "Tides"]) {
        (book.author_id, book.title, book.price) = (ann.id, title.to_owned(), 10);
    }
    assert_queries!(1, db, Book::insert_all(&mut books, db).await?);

    // Insert, or update the one who has the name. Whoever has read her before is told.
    let mut again = Author::default();
    (again.name, again.city) = ("Ann".to_owned(), "Ghent".to_owned());
    again.upsert(author::name).run(db).await?;
    assert!(matches!(ann.update(db).await, Err(Error::Stale { .. })));

    // Only what changed of a row; all rows that a filter finds; a delete that can be taken back.
    let found = Book::find(books[1].id, db).await?;
    let mut maps = found.expect("it was inserted").tracked();
    maps.price = 30;
    maps.update(db).await?;
    let cheap = Book::select().filter(book::price.lt(20));
    cheap.update([book::price.set(book::price * 2)], db).await?;
    books[0].delete(db).await?;
    assert_eq!(Book::select().with_deleted().count(db).await?, 3);
    Ok(())
}

async fn read(db: &Db) -> Result<()> {
    // Tables side by side, and what is computed over them. The deleted book is nowhere.
    let joined = Author::select().left_join(Book::on(book::author_id.eq(author::id)));
    let rows: Vec<(Author, Option<Book>)> = joined.clone().all(db).await?;
    assert_eq!(rows.len(), 2);
    let sums = (author::name, book::id.count(), book::price.sum());
    let sums = joined.group_by(author::name).columns(sums).all(db).await?;
    assert_eq!(sums, [("Ann".to_owned(), 2, Some(50))]);

    // What belongs together: one query per level, however many rows there are.
    let with = Author::select().with(author::books);
    for (author, books) in assert_queries!(2, db, with.all(db).await?) {
        println!("{} has {} books", author.name, books.len());
    }

    // A page, and the one behind it.
    let wanted = book::title.contains("ide") | book::price.between(25, 100);
    let dearest = Book::select().filter(wanted).order_by(book::price.desc());
    let first = dearest.clone().page(1, None, db).await?;
    let second = dearest.page(1, first.next.as_deref(), db).await?;
    println!("{}, then {}", first.rows[0].title, second.rows[0].title);
    Ok(())
}

async fn review(db: &Tenant<&Db>, book_id: i64) -> Result<u64> {
    // All or nothing, and once more where another transaction was in the way.
    retry(db, async |tx| {
        let mut review = Review::default();
        (review.book_id, review.stars) = (book_id, 5);
        review.insert(&mut *tx).await?;
        Review::select().count(tx).await
    })
    .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let pool = DbPool::from(sqlite::open(folder.path().join("tour.db")).await?);

    // Tables out of the structs: a migration to review as SQL, applied under a lock.
    let models = Models::new().add::<Author>().add::<Book>().add::<Review>();
    let migrations = models.folder(folder.path().join("migrations"));
    println!("{}", migrations.make("shop")?);
    migrations.up(&pool).await?;
    assert!(migrations.check(&pool).await?.is_clean());

    // One request: it reads from the replica, and from the primary once it has written.
    let router = Router::new("primary", pool.clone()).reader("replica", pool.clone());
    let db: Db = Counted::new(Traced::new(router.scope()));
    write(&db).await?;
    read(&db).await?;

    // Each shop sees its own reviews, in every statement. Without a shop there are none to see.
    assert_eq!(review(&Tenant::new(&db, 1_i64), 2).await?, 1);
    assert_eq!(review(&Tenant::new(&db, 2_i64), 2).await?, 1);
    let outcome = Review::select().all(&db).await;
    assert!(matches!(outcome, Err(Error::NoTenant { .. })));
    let undone = migrations.down(&pool, 1).await?;
    println!("{} statements; {undone:?} is undone", db.queries());
    Ok(())
}
