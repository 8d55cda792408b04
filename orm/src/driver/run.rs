//! What the drivers have alike, as a macro: sqlx's own traits cannot be named for all of them at once.

/// Drives a statement to its end and feeds its rows to the collector.
macro_rules! drive {
    ($DB:ty, $connection:expr, $owes:expr, $statement:expr, $arguments:expr, $out:ident, |$result:ident| $last_id:expr, $refusal:expr) => {{
        use futures_util::TryStreamExt as _;
        use sqlx::Executor as _;

        let query = sqlx::query_with::<$DB, _>($statement.sql_str(), $arguments)
            .persistent($statement.is_persistent());
        let mut steps = $connection.fetch_many(query);
        let mut done = crate::executor::Done::default();
        // A write runs to its end, whatever becomes of its rows.
        let may_stop = $statement.kind().is_read();
        let mut wanted = true;
        loop {
            // Nothing is owed before the statement is sent, and nothing but rows once the first has come.
            *$owes = false;
            if wanted && $out.ready().await.is_break() {
                wanted = false;
            }
            if !wanted && may_stop {
                break;
            }
            *$owes = true;
            match steps.try_next().await.map_err($refusal)? {
                Some(sqlx::Either::Left($result)) => {
                    done.rows_affected += $result.rows_affected();
                    done.last_insert_id = $last_id;
                }
                Some(sqlx::Either::Right(row)) if wanted => wanted = $out.row(&row)?.is_continue(),
                Some(sqlx::Either::Right(_)) => {}
                None => break,
            }
        }
        drop(steps);
        *$owes = false;
        Ok(($out, done))
    }};
}

/// A connection, and what dereferences to one, as executors.
macro_rules! executors {
    ($DB:ty, $Connection:ty) => {
        executors!(@ $Connection, $DB, |this, run| run(this, &mut false).await);
        executors!(@ sqlx::Transaction<'_, $DB>, $DB, |this, run| run(this, &mut false).await);
        // A statement that was dropped leaves the connection to whoever holds it, who is not told.
        executors!(@ sqlx::pool::PoolConnection<$DB>, $DB, |this, run| {
            let mut watch = super::lease::Watch::new(this);
            let (connection, owes) = watch.parts();
            let outcome = run(connection, owes).await;
            *owes = false;
            outcome
        });
    };
    (@ $Executor:ty, $DB:ty, |$this:ident, $run:ident| $body:expr) => {
        /// Runs statements on this connection. It cannot enter a transaction, since it is only borrowed;
        /// [`Connection`](crate::Connection) can.
        ///
        /// # Cancel safety
        ///
        /// A statement that is dropped half way may leave its answer on the connection, and on MySQL the next statement
        /// may take it for its own: use the connection no more then, and close it. A
        /// [`Connection`](crate::Connection) sees to that itself: it refuses what follows.
        impl crate::executor::Executor for $Executor {
            type Tx = super::Tx<$DB>;

            fn dialect(&self) -> crate::dialect::Dialect {
                <$DB as super::Driver>::DIALECT
            }

            async fn enter(&mut self) -> crate::error::Result<Self::Tx> {
                Err(crate::error::Error::Unsupported {
                    dialect: <$DB as super::Driver>::DIALECT,
                    what: "a transaction on a borrowed connection; make it an orm::Connection",
                })
            }

            async fn run<C: crate::executor::Collect>(
                &mut self,
                statement: &crate::statement::Statement,
                params: impl crate::codec::Params,
                out: C,
            ) -> crate::error::Result<(C, crate::executor::Done)> {
                let values = super::bind::<$DB>(&params)?;
                let $this = self;
                let $run = |connection, owes| {
                    <$DB as super::Driver>::run(connection, owes, statement, values, out)
                };
                $body
            }
        }
    };
}

/// The methods of a sink that are a plain bind.
#[cfg(any(feature = "mysql", feature = "postgres"))]
macro_rules! puts {
    ($($method:ident($ty:ty);)+) => {$(
        fn $method(&mut self, column: &crate::table::ColumnDef, value: $ty) -> crate::error::Result<()> {
            add(self, column, value)
        }
    )+};
}

/// The methods of a source that are a plain read.
#[cfg(any(feature = "mysql", feature = "postgres"))]
macro_rules! gets {
    ($($method:ident($ty:ty);)+) => {$(
        fn $method(&self, index: usize, column: &crate::table::ColumnDef) -> crate::error::Result<$ty> {
            get(self, index, column)
        }
    )+};
}

pub(super) use {drive, executors};
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(super) use {gets, puts};
