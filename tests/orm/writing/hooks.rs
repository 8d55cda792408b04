//! Hooks: which writes run which, in which transaction, and what an error of one undoes.

use chrono::{DateTime, Utc};
use packetboat_orm::{Error, Executor, Hooks, Model, ModelExt, Result, transaction};

use crate::common::bed::Bed;

/// Writes down what happens to it.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(hooks)]
struct Account {
    id: i64,
    #[model(unique)]
    name: String,
    balance: i64,
    #[model(version)]
    version: i64,
}

#[derive(Clone, Debug, PartialEq, Model)]
struct Entry {
    id: i64,
    text: String,
}

impl Account {
    fn new(name: &str) -> Self {
        Self {
            id: 0,
            name: name.to_owned(),
            balance: 0,
            version: 0,
        }
    }
}

async fn log(text: String, tx: &mut impl Executor) -> Result<()> {
    Entry { id: 0, text }.insert(tx).await
}

impl Hooks for Account {
    async fn before_save(&mut self, tx: &mut impl Executor) -> Result<()> {
        self.name = self.name.trim().to_owned();
        log(format!("before {}", self.name), tx).await
    }

    fn validate(&self) -> Result<()> {
        if self.balance < 0 {
            return Err(Error::invalid("an account is never overdrawn"));
        }
        Ok(())
    }

    async fn after_save(&mut self, tx: &mut impl Executor) -> Result<()> {
        assert_ne!(self.id, 0, "its key is there");
        log(format!("after {}", self.name), &mut *tx).await?;
        if self.name == "cursed" {
            return Err(Error::invalid("not this one"));
        }
        Ok(())
    }

    async fn before_delete(&mut self, tx: &mut impl Executor) -> Result<()> {
        log(format!("delete {}", self.name), &mut *tx).await?;
        if self.balance > 0 {
            return Err(Error::invalid("there is money in it"));
        }
        Ok(())
    }
}

async fn tables(db: impl Executor + Copy) {
    Account::create_table(db).await.expect("a table");
    Entry::create_table(db).await.expect("a table");
}

/// What was logged since the last time.
async fn logged(db: impl Executor + Copy) -> Vec<String> {
    let all = Entry::select().order_by(entry::id.asc()).all(db).await;
    Entry::select().delete(db).await.expect("an empty log");
    let all = all.expect("the log").into_iter();
    all.map(|entry| entry.text).collect()
}

async fn accounts(db: impl Executor) -> Vec<Account> {
    let all = Account::select().order_by(account::id.asc());
    all.all(db).await.expect("all accounts")
}

async fn every_write_of_a_row_runs_them(bed: impl Bed) {
    let db = bed.db();
    tables(db).await;
    let saved = |name: &str| vec![format!("before {name}"), format!("after {name}")];
    let mut ann = Account::new("  ann ");
    ann.insert(db).await.expect("an insert");
    assert_eq!(ann.name, "ann", "what a hook changed is written, and kept");
    assert_eq!(accounts(db).await, [ann.clone()]);
    assert_eq!(logged(db).await, saved("ann"));
    ann.save(db).await.expect("a save");
    assert_eq!(logged(db).await, saved("ann"));
    ann.update(db).await.expect("an update");
    assert_eq!(logged(db).await, saved("ann"));
    ann.upsert(account::name).run(db).await.expect("an upsert");
    assert_eq!(logged(db).await, saved("ann"));
    let mut ann = ann.tracked();
    assert!(!ann.update(db).await.expect("nothing changed"));
    assert_eq!(logged(db).await, Vec::<String>::new());
    ann.name = "ann ".to_owned();
    assert!(
        ann.update(db)
            .await
            .expect("a change that the hook takes back")
    );
    assert_eq!(logged(db).await, saved("ann"));
    ann.name = "eve".to_owned();
    assert!(ann.update(db).await.expect("a change"));
    assert_eq!(logged(db).await, saved("eve"));
    let mut many = [Account::new("bob"), Account::new("cid")];
    Account::insert_all(&mut many, db).await.expect("two rows");
    let all = ["before bob", "before cid", "after bob", "after cid"];
    assert_eq!(logged(db).await, all);
    assert!(many[0].delete(db).await.expect("a delete"));
    assert_eq!(logged(db).await, ["delete bob"]);
    assert!(many[1].purge(db).await.expect("a delete"));
    assert_eq!(logged(db).await, ["delete cid"]);
    // What a filter finds is never read, and so has no hooks.
    Account::select()
        .update([account::balance.set(5)], db)
        .await
        .expect("an update");
    Account::select().delete(db).await.expect("a delete");
    assert_eq!(logged(db).await, Vec::<String>::new());
}

async fn an_error_of_any_of_them_undoes_all(bed: impl Bed) {
    let db = bed.db();
    tables(db).await;
    let mut ann = Account::new("ann");
    ann.insert(db).await.expect("an insert");
    logged(db).await;
    let before = accounts(db).await;

    let mut overdrawn = Account {
        balance: -1,
        ..Account::new("bob")
    };
    let error = overdrawn.save(db).await.expect_err("invalid");
    assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
    let source = std::error::Error::source(&error).expect("a reason");
    assert_eq!(source.to_string(), "an account is never overdrawn");

    // After the row was written: what was filled in is taken out again.
    let mut cursed = Account::new("cursed");
    cursed.insert(db).await.expect_err("refused");
    assert_eq!(cursed, Account::new("cursed"));
    let mut many = [Account::new("bob"), Account::new("cursed")];
    Account::insert_all(&mut many, db)
        .await
        .expect_err("refused");
    assert_eq!(many, [Account::new("bob"), Account::new("cursed")]);
    cursed
        .upsert(account::name)
        .run(db)
        .await
        .expect_err("refused");
    assert_eq!(cursed, Account::new("cursed"));
    let mut renamed = ann.clone();
    renamed.name = "cursed".to_owned();
    renamed.update(db).await.expect_err("refused");
    assert_eq!(renamed.version, ann.version);
    let mut renamed = ann.clone().tracked();
    renamed.name = "cursed".to_owned();
    renamed.update(db).await.expect_err("refused");
    assert_eq!(renamed.changes().collect::<Vec<_>>(), ["name"]);

    // The statement's own error.
    let mut twin = Account::new("ann");
    let error = twin.insert(db).await.expect_err("the name is taken");
    assert!(error.is_unique("name"), "{error:?}");

    ann.balance = 3;
    let error = ann.delete(db).await.expect_err("money");
    assert!(matches!(error, Error::Invalid { .. }), "{error:?}");

    assert_eq!(accounts(db).await, before);
    assert_eq!(logged(db).await, Vec::<String>::new());
    ann.update(db).await.expect("its version is still good");
}

/// What is taken back once, when it is deleted.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(hooks)]
struct Ticket {
    id: i64,
    seat: i64,
}

impl Hooks for Ticket {
    async fn before_delete(&mut self, tx: &mut impl Executor) -> Result<()> {
        log(format!("refund {}", self.seat), tx).await
    }
}

/// The same, whose row stays.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(hooks)]
struct Order {
    id: i64,
    #[model(deleted)]
    deleted: Option<DateTime<Utc>>,
}

impl Hooks for Order {
    async fn before_delete(&mut self, tx: &mut impl Executor) -> Result<()> {
        log("refund".to_owned(), tx).await
    }
}

async fn a_delete_that_finds_nothing_undoes_what_its_hook_did(bed: impl Bed) {
    let db = bed.db();
    Entry::create_table(db).await.expect("a table");
    Ticket::create_table(db).await.expect("a table");
    Order::create_table(db).await.expect("a table");
    let mut ticket = Ticket { id: 0, seat: 7 };
    ticket.insert(db).await.expect("an insert");
    assert!(ticket.delete(db).await.expect("a delete"));
    assert_eq!(logged(db).await, ["refund 7"]);
    assert!(!ticket.delete(db).await.expect("nothing to delete"));
    assert!(!ticket.purge(db).await.expect("nothing to delete"));
    assert_eq!(logged(db).await, Vec::<String>::new());
    let mut order = Order {
        id: 0,
        deleted: None,
    };
    order.insert(db).await.expect("an insert");
    let mut same = order.clone();
    assert!(order.delete(db).await.expect("a delete"));
    assert_eq!(logged(db).await, ["refund"]);
    assert!(!same.delete(db).await.expect("it is deleted"));
    assert_eq!(same.deleted, None);
    assert_eq!(logged(db).await, Vec::<String>::new());
}

/// With a column that the database fills.
#[derive(Clone, Debug, PartialEq, Model)]
#[model(hooks)]
struct Bill {
    id: i64,
    #[model(unique)]
    name: String,
    price: i64,
    #[model(generated = "price * 2")]
    double: i64,
}

impl Hooks for Bill {
    async fn after_save(&mut self, _: &mut impl Executor) -> Result<()> {
        if self.double > 10 {
            return Err(Error::invalid("too much"));
        }
        Ok(())
    }
}

async fn what_an_undone_write_read_is_taken_out_again(bed: impl Bed) {
    let db = bed.db();
    Bill::create_table(db).await.expect("a table");
    let bill = |name: &str, price| Bill {
        id: 0,
        name: name.to_owned(),
        price,
        double: -1,
    };
    let mut first = bill("a", 2);
    first.insert(db).await.expect("an insert");
    assert_eq!(first.double, 4);

    let mut dear = bill("b", 6);
    dear.insert(db).await.expect_err("refused");
    assert_eq!(dear, bill("b", 6));
    let mut many = [bill("b", 1), bill("c", 6)];
    Bill::insert_all(&mut many, db).await.expect_err("refused");
    assert_eq!(many, [bill("b", 1), bill("c", 6)]);
    let mut dearer = first.clone();
    dearer.price = 6;
    let before = dearer.clone();
    dearer.update(db).await.expect_err("refused");
    assert_eq!(dearer, before);
    let mut other = bill("a", 6);
    let outcome = other.upsert(bill::name).run(db).await;
    outcome.expect_err("refused");
    assert_eq!(other, bill("a", 6));

    // The row that was kept, and is none that may be.
    let all = Bill::select().update([bill::price.set(7)], db);
    all.await.expect("an update without hooks");
    let mut other = bill("a", 1);
    let outcome = other.upsert(bill::name).keep().run(db).await;
    outcome.expect_err("refused");
    assert_eq!(other, bill("a", 1));
}

async fn inside_a_transaction_they_are_nested(bed: impl Bed) {
    let db = bed.db();
    tables(db).await;
    transaction(db, async |tx| {
        Account::new("ann").insert(&mut *tx).await?;
        // Undone to here, and not to the beginning; and the transaction goes on.
        Account::new("cursed")
            .insert(&mut *tx)
            .await
            .expect_err("refused");
        Account::new("bob").insert(tx).await
    })
    .await
    .expect("a transaction");
    let names = accounts(db).await.into_iter().map(|account| account.name);
    assert_eq!(names.collect::<Vec<_>>(), ["ann", "bob"]);
    let all = ["before ann", "after ann", "before bob", "after bob"];
    assert_eq!(logged(db).await, all);
    // And what stands around them can undo them.
    let outcome: Result<()> = transaction(db, async |tx| {
        Account::new("cid").insert(tx).await?;
        Err(Error::invalid("all of it"))
    })
    .await;
    outcome.expect_err("as said");
    assert_eq!(accounts(db).await.len(), 2);
    assert_eq!(logged(db).await, Vec::<String>::new());
}

async fn they_run_in_a_task(bed: impl Bed) {
    tables(bed.db()).await;
    let inside = bed.clone();
    tokio::spawn(async move { Account::new("ann").save(bed.db()).await })
        .await
        .expect("no panic")
        .expect("a save");
    assert_eq!(logged(inside.db()).await, ["before ann", "after ann"]);
}

crate::common::on_every_database![
    every_write_of_a_row_runs_them,
    an_error_of_any_of_them_undoes_all,
    a_delete_that_finds_nothing_undoes_what_its_hook_did,
    what_an_undone_write_read_is_taken_out_again,
    inside_a_transaction_they_are_nested,
    they_run_in_a_task,
];
