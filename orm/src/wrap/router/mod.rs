//! Several databases behind one executor: a writer, its readers, and others by name.

mod database;
mod held;
mod pinned;
mod routed;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::shared::Shared;
use crate::statement::Statement;
use crate::wrap::router::database::Database;

pub use self::pinned::Pinned;
pub use self::routed::Routed;

/// One writer, its readers, and other databases, each under a name. [`scope`](Self::scope) makes the executor of one
/// request out of it.
///
/// ```
/// use packetboat_orm::{DbPool, Model, ModelExt, Result, Router};
///
/// #[derive(Model)]
/// struct User { id: i64, name: String }
///
/// async fn open() -> Result<Router<DbPool>> {
///     Ok(Router::new("default", DbPool::connect("postgres://primary/app").await?)
///         .reader("replica-1", DbPool::connect("postgres://replica-1/app").await?)
///         .reader("replica-2", DbPool::connect("postgres://replica-2/app").await?))
/// }
///
/// async fn register(router: &Router<DbPool>, name: &str) -> Result<u64> {
///     let db = router.scope();
///     User::select().count(&db).await?;               // on a replica
///     User { id: 0, name: name.to_owned() }.insert(&db).await?; // on the primary
///     User::select().count(&db).await                 // there too: a replica may not have the new user yet
/// }
/// ```
///
/// # Which database
///
/// - What writes goes to the writer, and so does [`enter`](crate::Executor::enter): a transaction stays where it began.
/// - What reads goes to the readers by turns, and to the writer once the scope has written, or begun a transaction, there.
/// - A reader that cannot be reached is left out for 5 seconds ([`leave_out`](Self::leave_out)), and then tried again by
///   one statement. The read itself goes on to the next reader, and at last to the writer, unless some of its rows were
///   handed out already. A read that was refused for the sake of another transaction goes on too.
/// - [`db_for_read`](Self::db_for_read) and [`db_for_write`](Self::db_for_write) say otherwise for some tables, and
///   [`using`](crate::Using::using) for one statement.
///
/// # Rules
///
/// ```
/// # use packetboat_orm::{DbPool, Router};
/// fn route(app: DbPool, replica: DbPool, archive: DbPool) -> Router<DbPool> {
///     Router::new("default", app)
///         .reader("replica", replica)
///         .database("archive", archive)
///         // Users and orders are read where they are written; the archive has the log.
///         .db_for_read(|statement| match statement.table_name() {
///             "user" | "order" => Some("default"),
///             "log" => Some("archive"),
///             _ => None,
///         })
///         .db_for_write(|statement| (statement.table_name() == "log").then_some("archive"))
/// }
/// ```
pub struct Router<E> {
    inner: Arc<Inner<E>>,
}

/// What a router was told. Copied when it is told more while others have it.
#[derive(Clone)]
struct Inner<E> {
    /// The writer first.
    databases: Vec<Database<E>>,
    rules: Arc<Rules>,
    leave_out: Duration,
    /// Whose turn it is among the readers.
    turn: Arc<AtomicUsize>,
}

/// The name of a database for a statement; `None` where the rule does not say.
type Rule = Arc<dyn Fn(&Statement) -> Option<&'static str> + Send + Sync>;

/// What does not depend on the kind of executor.
#[derive(Clone, Default)]
struct Rules {
    names: Vec<&'static str>,
    /// A bit for each database that is a reader.
    readers: u64,
    read: Option<Rule>,
    write: Option<Rule>,
}

/// As many as a scope's notes have bits.
const MOST: usize = u64::BITS as usize;

const WRITER: usize = 0;

impl<E: Shared> Router<E> {
    /// With a writer alone.
    pub fn new(name: &'static str, writer: E) -> Self {
        let rules = Rules {
            names: vec![name],
            ..Rules::default()
        };
        let inner = Inner {
            databases: vec![Database::new(writer)],
            rules: Arc::new(rules),
            leave_out: Duration::from_secs(5),
            turn: Arc::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// With a replica of the writer, which takes its turn in reading.
    ///
    /// # Panics
    ///
    /// Where the name is taken, the database speaks another SQL than the writer, or there are 64 already.
    #[must_use]
    pub fn reader(self, name: &'static str, reader: E) -> Self {
        self.with(name, reader, true)
    }

    /// With another database, for what a rule or [`using`](crate::Using::using) sends there, and for nothing else.
    ///
    /// # Panics
    ///
    /// As [`reader`](Self::reader).
    #[must_use]
    pub fn database(self, name: &'static str, database: E) -> Self {
        self.with(name, database, false)
    }

    fn with(mut self, name: &'static str, executor: E, is_reader: bool) -> Self {
        let inner = Arc::make_mut(&mut self.inner);
        let rules = Arc::make_mut(&mut inner.rules);
        let dialect = inner.databases[WRITER].executor.dialect();
        assert!(
            executor.dialect() == dialect,
            "the database {name:?} of a router does not speak {dialect}, as the writer does"
        );
        assert!(
            !rules.names.contains(&name),
            "two databases of a router are named {name:?}"
        );
        let index = rules.names.len();
        assert!(index < MOST, "a router has at most {MOST} databases");
        rules.readers |= u64::from(is_reader) << index;
        rules.names.push(name);
        inner.databases.push(Database::new(executor));
        self
    }

    fn rules(&mut self) -> &mut Rules {
        Arc::make_mut(&mut Arc::make_mut(&mut self.inner).rules)
    }

    /// Where a statement reads; asked for each that only reads. Where it does not say, `None`, that is where the table is
    /// written, and the readers where that is the writer.
    ///
    /// A name that no database has makes the statement fail with [`Error::UnknownDatabase`].
    #[must_use]
    pub fn db_for_read(
        mut self,
        rule: impl Fn(&Statement) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        self.rules().read = Some(Arc::new(rule));
        self
    }

    /// Where a statement's table is written. Where it does not say, `None`, that is the writer.
    ///
    /// A name that no database has makes the statement fail with [`Error::UnknownDatabase`].
    #[must_use]
    pub fn db_for_write(
        mut self,
        rule: impl Fn(&Statement) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        self.rules().write = Some(Arc::new(rule));
        self
    }

    /// How long a reader that could not be reached is left out; 5 seconds where nothing is said.
    #[must_use]
    pub fn leave_out(mut self, time: Duration) -> Self {
        Arc::make_mut(&mut self.inner).leave_out = time;
        self
    }

    /// A new scope, as of one request: an executor that has written nothing yet.
    #[must_use]
    pub fn scope(&self) -> Routed<E> {
        Routed::new(Arc::clone(&self.inner))
    }
}

/// The same router.
impl<E> Clone for Router<E> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<E> fmt::Debug for Router<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("databases", &self.inner.rules.names)
            .finish_non_exhaustive()
    }
}

impl<E> Inner<E> {
    /// Each reader once, beginning with this one, or with the one whose turn it is.
    fn readers(&self, first: Option<usize>) -> impl Iterator<Item = (usize, &Database<E>)> {
        let readers = self.rules.readers;
        let turn = || self.turn.fetch_add(1, Ordering::Relaxed);
        let begin = first.unwrap_or_else(turn) % self.databases.len();
        let (before, from) = (0..begin, begin..self.databases.len());
        let indexes = from.chain(before);
        indexes
            .filter(move |&index| readers & (1 << index) != 0)
            .map(|index| (index, &self.databases[index]))
    }
}

impl Rules {
    fn index(&self, name: &str) -> Result<usize> {
        let index = self.names.iter().position(|known| *known == name);
        index.ok_or_else(|| Error::UnknownDatabase {
            name: name.to_owned(),
        })
    }

    const fn is_reader(&self, index: usize) -> bool {
        self.readers & (1 << index) != 0
    }

    /// Where the statement's table is written.
    fn home(&self, statement: &Statement) -> Result<usize> {
        let named = self.write.as_ref().and_then(|rule| rule(statement));
        named.map_or(Ok(WRITER), |name| self.index(name))
    }

    /// Where the statement reads, if there is a rule for it.
    fn read(&self, statement: &Statement) -> Result<Option<usize>> {
        let named = self.read.as_ref().and_then(|rule| rule(statement));
        named.map(|name| self.index(name)).transpose()
    }
}
