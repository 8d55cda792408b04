//! A collector that counts the rows on their way.

use std::future::Future;
use std::ops::ControlFlow;

use crate::codec::Source;
use crate::error::Result;
use crate::executor::{Collect, Demand};

/// Passes every row on, and counts it.
pub(crate) struct CountRows<C> {
    pub(crate) out: C,
    pub(crate) rows: u64,
}

impl<C> CountRows<C> {
    pub(crate) const fn new(out: C) -> Self {
        Self { out, rows: 0 }
    }
}

impl<C: Collect> Collect for CountRows<C> {
    fn ready(&mut self) -> impl Future<Output = ControlFlow<()>> + Send {
        self.out.ready()
    }

    fn demand(&self) -> Demand {
        self.out.demand()
    }

    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        self.rows += 1;
        self.out.row(row)
    }
}
