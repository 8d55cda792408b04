//! A collector that comes back from a statement that failed before its first row.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::codec::Source;
use crate::error::Result;
use crate::executor::{Collect, Demand};

/// Where a collector comes back to.
pub(super) struct Kept<C>(Arc<Mutex<Option<C>>>);

/// A collector on loan to a statement. It goes back when it is dropped without having been given a row: what has none
/// can be given to another statement.
pub(super) struct Lent<C> {
    /// `None` once it has gone back.
    out: Option<C>,
    home: Arc<Mutex<Option<C>>>,
    has_rows: bool,
}

/// Lends a collector to a statement.
pub(super) fn lend<C>(out: C) -> (Lent<C>, Kept<C>) {
    let home = Arc::default();
    let lent = Lent {
        out: Some(out),
        home: Arc::clone(&home),
        has_rows: false,
    };
    (lent, Kept(home))
}

impl<C> Kept<C> {
    /// The collector, where the statement has failed and nothing was handed out.
    pub(super) fn take(self) -> Option<C> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<C> Lent<C> {
    /// The collector, after a statement that went well.
    pub(super) fn into_inner(mut self) -> C {
        self.out.take().expect(LENT)
    }
}

const LENT: &str = "only into_inner and drop take the collector";

impl<C> Drop for Lent<C> {
    fn drop(&mut self) {
        if !self.has_rows {
            *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.out.take();
        }
    }
}

impl<C: Collect> Collect for Lent<C> {
    fn ready(&mut self) -> impl Future<Output = ControlFlow<()>> + Send {
        self.out.as_mut().expect(LENT).ready()
    }

    fn demand(&self) -> Demand {
        self.out.as_ref().expect(LENT).demand()
    }

    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        self.has_rows = true;
        self.out.as_mut().expect(LENT).row(row)
    }
}
