//! Rows one by one, through a bounded channel.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokio::sync::mpsc;

use crate::codec::{Decode, Source};
use crate::error::{Error, Result};
use crate::executor::Collect;

/// Rows that are decoded ahead of the one who takes them. Small, since each may be large.
const AHEAD: usize = 16;

/// A stream of rows.
///
/// It does not run by itself: it reads from the database while it is polled, and at most 16 rows ahead. After an error
/// it ends.
///
/// Dropping it early breaks the statement off. Inside a transaction that is allowed.
#[must_use = "a stream does nothing until it is polled"]
pub struct Rows<'e, T> {
    reader: Option<Pin<Box<dyn Future<Output = Result<()>> + Send + 'e>>>,
    rows: mpsc::Receiver<T>,
    /// What the reader failed with; told after the rows that came before it.
    error: Option<Error>,
}

/// Starts a statement that writes its rows into the collector given to `run`.
pub(crate) fn rows<'e, T, F>(run: impl FnOnce(Channel<T>) -> F) -> Rows<'e, T>
where
    F: Future<Output = Result<()>> + Send + 'e,
{
    let (sender, rows) = mpsc::channel(AHEAD);
    Rows {
        reader: Some(Box::pin(run(Channel(sender)))),
        rows,
        error: None,
    }
}

impl<T> Rows<'_, T> {
    /// The next row; `None` after the last.
    ///
    /// # Errors
    ///
    /// What the statement failed with, and [`Error::Decode`](crate::Error::Decode).
    ///
    /// # Cancel safety
    ///
    /// No row is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<T>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<T> Stream for Rows<'_, T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        // Rows first: the reader may have ended, or failed, behind rows that are good.
        if let Poll::Ready(Some(row)) = self.rows.poll_recv(context) {
            return Poll::Ready(Some(Ok(row)));
        }
        if let Some(reader) = &mut self.reader
            && let Poll::Ready(outcome) = reader.as_mut().poll(context)
        {
            self.reader = None;
            self.error = outcome.err();
        }
        // The reader has filled the channel in the meantime, or closed it.
        match ready!(self.rows.poll_recv(context)) {
            Some(row) => Poll::Ready(Some(Ok(row))),
            // The reader is gone, and with it the sending end.
            None => Poll::Ready(self.error.take().map(Err)),
        }
    }
}

impl<T> fmt::Debug for Rows<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("running", &self.reader.is_some())
            .finish_non_exhaustive()
    }
}

/// The sending end, as a collector. It is the only sender, so room that it has waited for stays its own.
pub(crate) struct Channel<T>(mpsc::Sender<T>);

impl<T: Decode> Collect for Channel<T> {
    async fn ready(&mut self) -> ControlFlow<()> {
        match self.0.reserve().await {
            Ok(_room) => ControlFlow::Continue(()),
            Err(_nobody_listens) => ControlFlow::Break(()),
        }
    }

    fn row<R: Source>(&mut self, row: &R) -> Result<ControlFlow<()>> {
        Ok(match self.0.try_send(T::decode(row, 0)?) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_nobody_listens) => ControlFlow::Break(()),
        })
    }
}
