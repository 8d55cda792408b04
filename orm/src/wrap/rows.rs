//! A collector that counts the rows on their way.

use std::future::Future;
use std::ops::ControlFlow;

use crate::codec::Source;
use crate::error::Result;
use crate::executor::Collect;

/// Passes every row on, and counts it.
pub(super) struct CountRows<C> {
    pub(super) out: C,
    pub(super) rows: u64,
}

impl<C> CountRows<C> {
    pub(super) const fn new(out: C) -> Self {
        Self { out, rows: 0 }
    }
}

impl<C: Collect> Collect for CountRows<C> {
    fn ready(&mut self) -> impl Future<Output = ControlFlow<()>> + Send {
        self.out.ready()
    }

    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        self.rows += 1;
        self.out.row(row)
    }
}
