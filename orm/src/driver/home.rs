//! Where a leased connection is: here, or away in a read on another thread.

use std::{fmt, mem};

use sqlx::pool::PoolConnection;
use tokio::sync::oneshot;

use crate::driver::Driver;
use crate::error::{Error, Result};

/// A connection's place with whoever has leased it, kept while it is away.
#[allow(unnameable_types, reason = "part of a sealed trait")]
pub struct Home<DB: Driver> {
    place: Place<DB>,
    /// Whether the connection may be in a transaction: it must not go back to its pool as it is then.
    pub(super) armed: bool,
}

impl<DB: Driver> fmt::Debug for Home<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home")
            .field("armed", &self.armed)
            .finish_non_exhaustive()
    }
}

enum Place<DB: Driver> {
    /// It comes back from a read that was dropped half way and is being broken off.
    Away(oneshot::Receiver<PoolConnection<DB>>),
    Here(PoolConnection<DB>),
    /// It was given on, or did not come back.
    Left,
}

impl<DB: Driver> Home<DB> {
    pub(super) const fn new(connection: PoolConnection<DB>) -> Self {
        Self {
            place: Place::Here(connection),
            armed: false,
        }
    }

    /// The connection, once it is here.
    pub(super) async fn get(&mut self) -> Result<&mut PoolConnection<DB>> {
        if let Place::Away(back) = &mut self.place {
            // Fails where the one who had it was stopped with its runtime.
            self.place = back.await.map_or(Place::Left, Place::Here);
        }
        match &mut self.place {
            Place::Here(connection) => Ok(connection),
            Place::Away(_) | Place::Left => Err(gone()),
        }
    }

    /// Sends the connection away. What it is in comes back with it, whatever happens meanwhile.
    pub(super) async fn send_away(&mut self) -> Result<Journey<DB>> {
        self.get().await?;
        let (way_back, back) = oneshot::channel();
        let Place::Here(connection) = mem::replace(&mut self.place, Place::Away(back)) else {
            return Err(gone());
        };
        Ok(Journey {
            connection: Some(connection),
            way_back: Some(way_back),
            armed: self.armed,
        })
    }

    /// Leaves nothing here; what was here is in the home that is returned.
    pub(super) const fn leave(&mut self) -> Self {
        Self {
            place: mem::replace(&mut self.place, Place::Left),
            armed: self.armed,
        }
    }

    /// The connection, if it is here; nothing is left then.
    pub(super) fn take(&mut self) -> Option<PoolConnection<DB>> {
        match mem::replace(&mut self.place, Place::Left) {
            Place::Here(connection) => Some(connection),
            other => {
                self.place = other;
                None
            }
        }
    }

    /// Closes the connection, and does not give it back to its pool.
    pub(super) fn close(&mut self) {
        match mem::replace(&mut self.place, Place::Left) {
            Place::Here(mut connection) => connection.close_on_drop(),
            Place::Away(mut back) => {
                // From here on, one that comes finds nobody, and is closed if it was armed.
                back.close();
                if let Ok(mut connection) = back.try_recv() {
                    connection.close_on_drop();
                }
            }
            Place::Left => {}
        }
    }
}

/// The error for a connection that did not come back.
const fn gone() -> Error {
    Error::Connection {
        source: sqlx::Error::WorkerCrashed,
    }
}

/// A connection that is away. It goes home when this is dropped; to its pool, if home is gone.
pub(super) struct Journey<DB: Driver> {
    /// `None` only inside of `drop`.
    connection: Option<PoolConnection<DB>>,
    way_back: Option<oneshot::Sender<PoolConnection<DB>>>,
    armed: bool,
}

impl<DB: Driver> Journey<DB> {
    pub(super) const fn connection(&mut self) -> &mut PoolConnection<DB> {
        self.connection
            .as_mut()
            .expect("only drop takes the connection")
    }
}

impl<DB: Driver> Drop for Journey<DB> {
    fn drop(&mut self) {
        if let (Some(connection), Some(way_back)) = (self.connection.take(), self.way_back.take())
            && let Err(mut connection) = way_back.send(connection)
            && self.armed
        {
            connection.close_on_drop();
        }
    }
}
