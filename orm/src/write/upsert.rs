//! Inserts a row, or updates the one that has the same unique values.

use std::future::Future;
use std::panic::Location;
use std::slice;

use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Executor, Finish as _};
use crate::expr::Column;
use crate::model::{Key as _, Model};
use crate::statement::{Kind, Statement};
use crate::table::{ColumnDef, Table};
use crate::write::bind::{Part, Rows};
use crate::write::one::{self, Act, At, act};
use crate::write::read_back::{Found, Stored, reread};
use crate::write::stamps;
use crate::write::text::Text;

/// An insert that updates the row which has the same unique values, if there is one:
/// [`ModelExt::upsert`](crate::ModelExt::upsert) makes it.
///
/// ```
/// # use packetboat_orm::{Executor, Model, ModelExt, Result};
/// #[derive(Model)]
/// struct User { id: i64, #[model(unique)] name: String, city: String, visits: i64 }
///
/// async fn visit(db: impl Executor, name: &str, city: &str) -> Result<User> {
///     let mut user = User { id: 0, name: name.to_owned(), city: city.to_owned(), visits: 1 };
///     user.upsert(user::name).update(user::city).run(db).await?;
///     // As the database has it: with its key, and the visits that it had.
///     Ok(user)
/// }
/// ```
#[derive(Debug)]
#[must_use = "an upsert does nothing until it is run"]
pub struct Upsert<'r, M> {
    row: &'r mut M,
    plan: Plan,
}

/// On which columns, and what then.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    on: Vec<usize>,
    /// The columns to update; `None` for all.
    update: Option<Vec<usize>>,
}

impl<'r, M: Model> Upsert<'r, M> {
    pub(crate) fn new(row: &'r mut M, on: impl ColumnSet<M>) -> Self {
        let plan = Plan {
            on: positions(M::TABLE, &on.defs()),
            update: None,
        };
        Self { row, plan }
    }

    /// Updates these columns of a row that is there, and no other; by default all.
    pub fn update(mut self, columns: impl ColumnSet<M>) -> Self {
        self.plan.update = Some(positions(M::TABLE, &columns.defs()));
        self
    }

    /// Leaves a row that is there as it is.
    pub fn keep(mut self) -> Self {
        self.plan.update = Some(Vec::new());
        self
    }

    /// Runs it. The struct is then what the database has: the row inserted or updated, or the one that was kept.
    ///
    /// # Errors
    ///
    /// [`Error::UniqueViolation`] when another unique value is taken: no other row is ever overwritten. So it is when
    /// the row that is there is deleted (softly), or another tenant's. [`Error::Unsupported`] when the columns are not
    /// those of the key or of a `unique`, and when what is to be updated is the key or a column with a role.
    #[track_caller]
    pub fn run<E: Executor>(self, db: E) -> impl Future<Output = Result<()>> + Send {
        let at = Location::caller();
        async move {
            self.plan.check(M::TABLE, db.dialect())?;
            act(self.row, db, Act::Upsert(&self.plan), at)
                .await
                .map(drop)
        }
    }
}

/// One column of a model, or a tuple of several.
#[diagnostic::on_unimplemented(
    message = "these are not columns of `{M}`",
    note = "one column, `user::name`, or several in a tuple, `(user::name, user::city)`"
)]
pub trait ColumnSet<M> {
    /// What the model says about them.
    fn defs(self) -> Vec<&'static ColumnDef>;
}

impl<M, T> ColumnSet<M> for Column<M, T> {
    fn defs(self) -> Vec<&'static ColumnDef> {
        vec![self.def()]
    }
}

macro_rules! tuples {
    ($($($part:ident $index:tt),+;)+) => {$(
        impl<M, $($part),+> ColumnSet<M> for ($(Column<M, $part>,)+) {
            fn defs(self) -> Vec<&'static ColumnDef> {
                vec![$(self.$index.def()),+]
            }
        }
    )+};
}

tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}

fn positions(table: &'static Table, defs: &[&'static ColumnDef]) -> Vec<usize> {
    let position = |def: &&ColumnDef| {
        let mut columns = table.columns().iter();
        columns.position(|column| column.name() == def.name())
    };
    defs.iter().filter_map(position).collect()
}

impl Plan {
    fn check(&self, table: &'static Table, dialect: Dialect) -> Result<()> {
        let refuse = |what| Err(Error::Unsupported { dialect, what });
        let mut on: Vec<&str> = self
            .on
            .iter()
            .map(|&at| table.columns()[at].name())
            .collect();
        on.sort_unstable();
        let is_same = |columns: &mut dyn Iterator<Item = &'static str>| {
            let mut columns: Vec<&str> = columns.collect();
            columns.sort_unstable();
            columns == on
        };
        // PostgreSQL says so itself; a database without conflict targets would update every row that it finds.
        let is_unique = is_same(&mut table.key_columns().map(ColumnDef::name))
            || table
                .uniques()
                .iter()
                .any(|unique| is_same(&mut unique.columns().iter().copied()));
        if !is_unique {
            return refuse("an upsert on columns that are neither the key nor declared `unique`");
        }
        let mut update = self.update.iter().flatten();
        if update.any(|at| !table.updated_columns().contains(at)) {
            return refuse(
                "an upsert that updates the key, or a column that statements look after",
            );
        }
        Ok(())
    }

    /// The columns that a row gets which is there already.
    fn updated(&self, table: &'static Table) -> Vec<usize> {
        let Some(update) = &self.update else {
            let all = table.updated_columns().iter().copied();
            return all.filter(|at| !self.on.contains(at)).collect();
        };
        let mut update = update.clone();
        if let Some(stamp) = table.roles().updated
            && !update.is_empty()
            && !update.contains(&stamp)
        {
            update.push(stamp);
        }
        update
    }
}

/// Runs the plan on a row that its hooks have seen.
pub(super) async fn write<M: Model>(
    row: &mut M,
    db: &mut impl Executor,
    plan: &Plan,
    at: At,
) -> Result<Found<M>> {
    if row.is_new()
        && let Some(key) = M::Key::generate()
    {
        row.set_key(key);
    }
    stamps::inserted(row, stamps::now())?;
    let update = plan.updated(M::TABLE);
    if db.dialect() == Dialect::MySql {
        let stored = update_or_insert(row, db, plan, &update, at).await;
        return stored.map(Found::Stored);
    }
    match insert_or_update(row, db, plan, &update, at).await? {
        Some(stored) => Ok(Found::Stored(stored)),
        // There is such a row, and it is not to be seen: the plain INSERT says what it is that is taken.
        None => one::insert(row, db, at).await,
    }
}

/// In one statement, where a conflict can be told by its columns.
async fn insert_or_update<M: Model>(
    row: &mut M,
    db: &mut impl Executor,
    plan: &Plan,
    update: &[usize],
    at: At,
) -> Result<Option<M>> {
    let statement = on_conflict(M::TABLE, row.is_new(), plan, update, db.dialect(), at);
    match db.optional::<Stored<M>>(&statement, inserted(row)).await? {
        Some(Stored::Row(stored)) => Ok(Some(stored)),
        Some(Stored::Misfit(key, error)) => {
            row.set_key(key.unwrap_or_else(|| row.key()));
            Err(error.unread(M::TABLE.name()))
        }
        None if update.is_empty() => find(row, db, plan, at).await,
        None => Ok(None),
    }
}

fn inserted<M: Model>(row: &M) -> Rows<'_, M> {
    let part = if row.is_new() {
        Part::Inserted
    } else {
        Part::KeyThenInserted
    };
    Rows::new(slice::from_ref(row), part)
}

/// For MySQL, whose ON DUPLICATE KEY fires on any unique index and would overwrite another row.
///
/// The UPDATE and what it found are one transaction. It is over before the INSERT, since an UPDATE that found nothing
/// locks the gap where the row is missing, and two of them at once would deadlock. If another connection inserts the
/// row in between, the INSERT says so, and there is a row to update.
async fn update_or_insert<M: Model>(
    row: &mut M,
    db: &mut impl Executor,
    plan: &Plan,
    update: &[usize],
    at: At,
) -> Result<M> {
    if let Some(stored) = update_and_find(row, db, plan, update, at).await? {
        return Ok(stored);
    }
    let error = match insert_and_reread(row, db, at).await {
        Err(error @ Error::UniqueViolation { .. }) => error,
        outcome => return outcome,
    };
    match update_and_find(row, db, plan, update, at).await? {
        Some(stored) => Ok(stored),
        None => Err(error),
    }
}

async fn update_and_find<M: Model>(
    row: &M,
    db: &mut impl Executor,
    plan: &Plan,
    update: &[usize],
    at: At,
) -> Result<Option<M>> {
    if update.is_empty() {
        return find(row, db, plan, at).await;
    }
    let mut tx = db.enter().await?;
    let statement = update_on(M::TABLE, plan, update, at);
    let values = Rows::new(slice::from_ref(row), Part::ColumnsThenOn(update, &plan.on));
    let found = match tx.exec(&statement, values).await {
        Ok(done) if done.rows_affected > 0 => find(row, &mut tx, plan, at).await,
        Ok(_) => Ok(None),
        Err(error) => Err(error),
    };
    match found {
        Ok(Some(stored)) => {
            tx.commit().await?;
            Ok(Some(stored))
        }
        nothing => {
            let _ = tx.rollback().await;
            nothing
        }
    }
}

/// Once it is inserted it is read by its key: by a value that is NULL it would not be found, nor where it is deleted.
async fn insert_and_reread<M: Model>(row: &mut M, db: &mut impl Executor, at: At) -> Result<M> {
    if let Found::Stored(stored) = one::insert(row, db, at).await? {
        return Ok(stored);
    }
    let stored = reread(&row.key(), db, at).await;
    stored.map_err(|error| error.unread(M::TABLE.name()))
}

/// The row that has the same unique values: where it was written, and not where a copy may lag behind.
async fn find<M: Model>(row: &M, db: &mut impl Executor, plan: &Plan, at: At) -> Result<Option<M>> {
    let dialect = db.dialect();
    let mut text = Text::new(dialect);
    text.push(M::TABLE.statements(dialect).select);
    place(&mut text, M::TABLE, plan);
    let statement = text.into_statement(Kind::Lock, M::TABLE, at);
    let values = Rows::new(slice::from_ref(row), Part::ColumnsThenOn(&[], &plan.on));
    db.optional(&statement, values).await
}

/// ` WHERE` the unique values are the row's, among the rows that are to be seen.
fn place(text: &mut Text, table: &'static Table, plan: &Plan) {
    let on = plan.on.iter().map(|&at| &table.columns()[at]);
    text.push(" WHERE ")
        .equal(on.chain(table.tenant()), " AND ");
    if let Some(deleted) = table.deleted() {
        text.push(" AND ").name(deleted.name()).push(" IS NULL");
    }
}

fn update_on(table: &'static Table, plan: &Plan, update: &[usize], at: At) -> Statement {
    let mut text = Text::new(Dialect::MySql);
    text.push("UPDATE ").name(table.name()).push(" SET ");
    text.equal(update.iter().map(|&at| &table.columns()[at]), ", ");
    if let Some(version) = table.version().map(ColumnDef::name) {
        text.push(", ").name(version).push(" = ");
        text.name(version).push(" + 1");
    }
    place(&mut text, table, plan);
    text.into_statement(Kind::Update, table, at)
}

fn on_conflict(
    table: &'static Table,
    unset: bool,
    plan: &Plan,
    update: &[usize],
    dialect: Dialect,
    at: At,
) -> Statement {
    let columns = table.columns();
    let key = if unset { &[] } else { table.key_positions() };
    let inserted = key.iter().chain(table.inserted()).map(|&at| &columns[at]);
    let mut text = Text::new(dialect);
    text.push("INSERT INTO ").name(table.name()).push(" (");
    text.names(inserted.clone()).push(") VALUES (");
    text.list(inserted, ", ", |text, _| {
        text.mark();
    });
    text.push(") ON CONFLICT (");
    text.names(plan.on.iter().map(|&at| &columns[at])).push(")");
    if update.is_empty() {
        text.push(" DO NOTHING").returning(table);
        return text.into_statement(Kind::Insert, table, at);
    }
    text.push(" DO UPDATE SET ");
    text.list(
        update.iter().map(|&at| &columns[at]),
        ", ",
        |text, column| {
            text.name(column.name())
                .push(" = excluded.")
                .name(column.name());
        },
    );
    if let Some(version) = table.version().map(ColumnDef::name) {
        text.push(", ").name(version).push(" = ");
        text.name(table.name()).push(".").name(version).push(" + 1");
    }
    let mut joint = " WHERE ";
    if let Some(tenant) = table.tenant().map(ColumnDef::name) {
        text.push(joint).name(table.name()).push(".").name(tenant);
        text.push(" = excluded.").name(tenant);
        joint = " AND ";
    }
    if let Some(deleted) = table.deleted() {
        text.push(joint).name(table.name()).push(".");
        text.name(deleted.name()).push(" IS NULL");
    }
    text.returning(table);
    text.into_statement(Kind::Insert, table, at)
}
