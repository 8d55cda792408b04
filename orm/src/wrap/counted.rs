//! How many statements a scope sends, and which one it sends again and again.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codec::Params;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::executor::{Collect, Done, Executor, Finish};
use crate::shared::Shared;
use crate::statement::Statement;

/// Counts statements, for tests of how many a piece of work needs, and finds the one that a loop sends for every row.
///
/// A value is a scope: its clones, and the transactions entered through it, count together.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> packetboat_orm::Result<()> {
/// use packetboat_orm::{Counted, DbPool, Model, ModelExt, assert_queries};
///
/// #[derive(Model)]
/// struct User { id: i64, name: String }
///
/// let db = Counted::new(DbPool::connect("sqlite::memory:").await?);
/// assert_queries!(1, db, User::create_table(&db).await?);
/// let users = assert_queries!(1, db, User::select().all(&db).await?);
/// # assert!(users.is_empty());
/// # Ok(()) }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
///
/// # The query of every row
///
/// A list is read with one statement, and then one more is sent for each of its rows: the N+1 queries that nobody
/// notices until the list is long. [`refuse_repeats`](Self::refuse_repeats) makes a test fail of it, and
/// [`warn_repeats`](Self::warn_repeats) tells of it in a running server; both name the line that asked.
///
/// ```
/// use packetboat_orm::{Counted, DbPool, Model, ModelExt, Result, Shared};
///
/// #[derive(Model)]
/// struct User { id: i64, name: String }
/// #[derive(Model)]
/// struct Post { id: i64, author: i64, title: String }
///
/// /// One statement for the users, and one for each of them.
/// async fn titles(db: &impl Shared) -> Result<Vec<String>> {
///     let mut titles = Vec::new();
///     for user in User::select().all(db).await? {
///         let posts = Post::select().filter(post::author.eq(user.id)).all(db).await?; // this line is named
///         titles.extend(posts.into_iter().map(|post| post.title));
///     }
///     Ok(titles)
/// }
///
/// async fn in_a_test(pool: &DbPool) -> Result<Vec<String>> {
///     titles(&Counted::new(pool).refuse_repeats(10)).await // Error::Repeated, from the eleventh user on
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Counted<E> {
    inner: E,
    limit: Option<Limit>,
    /// A plain mutex: it is held to count, never across an await.
    seen: Arc<Mutex<Seen>>,
}

/// How often the same statement may run in one scope.
#[derive(Clone, Copy, Debug)]
struct Limit {
    times: u32,
    refuses: bool,
}

/// What a scope has sent.
#[derive(Debug, Default)]
struct Seen {
    count: u64,
    recent: VecDeque<Statement>,
    /// How often, by fingerprint. Filled only under a limit.
    times: HashMap<u64, u32>,
}

/// How many statements are kept to be listed.
const RECENT: usize = 64;

/// How many different statements are watched for repeats. A scope that sends more is not a loop over one of them.
const DIFFERENT: usize = 1024;

impl<E> Counted<E> {
    /// Around an executor.
    pub fn new(inner: E) -> Self {
        Self {
            inner,
            limit: None,
            seen: Arc::default(),
        }
    }

    /// Refuses a statement that has run `times` times in this scope, before it is sent, with [`Error::Repeated`].
    ///
    /// Statements are the same when they differ only in their values, and in how many. A bulk insert of many thousand
    /// rows repeats itself too, in chunks.
    #[must_use]
    pub const fn refuse_repeats(mut self, times: u32) -> Self {
        self.limit = Some(Limit {
            times,
            refuses: true,
        });
        self
    }

    /// Warns of a statement that runs more than `times` times in this scope: one event of [`tracing`] at WARN, with
    /// the target `packetboat_orm::repeats`.
    #[must_use]
    pub const fn warn_repeats(mut self, times: u32) -> Self {
        self.limit = Some(Limit {
            times,
            refuses: false,
        });
        self
    }

    /// How many statements were sent, those that failed included. What a transaction sends by itself (BEGIN, COMMIT)
    /// does not count.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.seen().count
    }

    /// The last statements, at most 64, in order.
    #[must_use]
    pub fn recent(&self) -> Vec<Statement> {
        self.seen().recent.iter().cloned().collect()
    }

    /// A new scope over the same executor, under the same limit, that has counted nothing yet.
    #[must_use]
    pub fn scope(&self) -> Self
    where
        E: Clone,
    {
        Self {
            inner: self.inner.clone(),
            limit: self.limit,
            seen: Arc::default(),
        }
    }

    /// What is wrapped.
    pub const fn inner(&self) -> &E {
        &self.inner
    }

    /// What `assert_queries!` asserts.
    ///
    /// # Panics
    ///
    /// When the number of statements since then is another one.
    #[doc(hidden)]
    #[track_caller]
    pub fn assert_since(&self, before: u64, expected: u64) {
        let sent = self.queries() - before;
        if sent == expected {
            return;
        }
        let recent = self.recent();
        let listed = usize::try_from(sent).map_or(recent.len(), |sent| sent.min(recent.len()));
        let mut list = String::new();
        for statement in &recent[recent.len() - listed..] {
            // Writing to a String does not fail.
            let _ = write!(list, "\n  {} -- {}", statement.sql(), statement.location());
        }
        panic!("{expected} statements were expected, and {sent} were sent:{list}");
    }

    /// The same scope around another executor.
    pub(super) fn around<F>(&self, inner: F) -> Counted<F> {
        Counted {
            inner,
            limit: self.limit,
            seen: Arc::clone(&self.seen),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, statement: &Statement) -> Result<()> {
        let mut seen = self.seen();
        if let Some(limit) = self.limit {
            let fingerprint = statement.fingerprint();
            if seen.times.len() < DIFFERENT || seen.times.contains_key(&fingerprint) {
                let times = seen.times.entry(fingerprint).or_default();
                *times = times.saturating_add(1);
                limit.check(*times, statement)?;
            }
        }
        seen.count += 1;
        if seen.recent.len() == RECENT {
            seen.recent.pop_front();
        }
        seen.recent.push_back(statement.clone());
        Ok(())
    }
}

impl Limit {
    fn check(self, times: u32, statement: &Statement) -> Result<()> {
        if times <= self.times {
            return Ok(());
        }
        if self.refuses {
            return Err(Error::Repeated {
                table: statement.table_name(),
                times,
                location: statement.location(),
            });
        }
        // Once, and not for every further row.
        if times == self.times + 1 {
            tracing::warn!(
                target: "packetboat_orm::repeats",
                times,
                sql = statement.sql(),
                table = statement.table_name(),
                location = %statement.location(),
                "the same statement again and again in one scope"
            );
        }
        Ok(())
    }
}

impl<E: Executor> Executor for Counted<E> {
    type Tx = Counted<E::Tx>;

    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn enter(&mut self) -> Result<Self::Tx> {
        let tx = self.inner.enter().await?;
        Ok(self.around(tx))
    }

    async fn run<C: Collect>(
        &mut self,
        statement: &Statement,
        params: impl Params,
        out: C,
    ) -> Result<(C, Done)> {
        self.count(statement)?;
        // In a box: the compiler follows futures in futures only so deep, and wrappers stand on wrappers.
        Box::pin(self.inner.run(statement, params, out)).await
    }
}

impl<E: Finish> Finish for Counted<E> {
    async fn commit(self) -> Result<()> {
        self.inner.commit().await
    }

    async fn rollback(self) -> Result<()> {
        self.inner.rollback().await
    }
}

impl<E: Shared> Shared for Counted<E> {}

/// Asserts how many statements a piece of work sends through a [`Counted`] executor, and gives back what the work gave.
///
/// `assert_queries!(2, db, work(&db).await?)`: the number, the `Counted`, the work. Where it is another number, the
/// statements are listed, each with the line that asked.
#[macro_export]
macro_rules! assert_queries {
    ($expected:expr, $db:expr, $work:expr $(,)?) => {{
        let before = $db.queries();
        let value = $work;
        $db.assert_since(before, $expected);
        value
    }};
}
