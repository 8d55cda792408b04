//! From a connection's peer to its outbox, if it has one.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio::task::JoinSet;

use crate::bell::{Bell, Ringer};
use crate::push::error::PushError;
use crate::push::outbox::Outbox;

/// A push is no request, and no request has this number.
const PUSH: u32 = 0;

/// A connection whose wire has pushes. Nothing is made until there is something to do with any.
pub(crate) struct Line {
    bell: Arc<Bell>,
    /// None when the connection has ended without one.
    outbox: OnceLock<Option<Arc<Outbox>>>,
}

impl Line {
    pub(crate) fn new(bell: &Arc<Bell>) -> Self {
        Self {
            bell: Arc::clone(bell),
            outbox: OnceLock::new(),
        }
    }

    /// Its outbox, if it has one.
    pub(crate) fn outbox(&self) -> Option<&Arc<Outbox>> {
        self.outbox.get()?.as_ref()
    }

    /// Its outbox, made if there is none.
    pub(crate) fn open(
        &self,
        make: impl FnOnce(Ringer) -> Outbox,
    ) -> Result<&Arc<Outbox>, PushError> {
        let make = || Some(Arc::new(make(self.bell.ringer(PUSH))));
        self.outbox
            .get_or_init(make)
            .as_ref()
            .ok_or(PushError::Closed)
    }

    /// The connection is over; handlers of it may still hold its peer. Gives the tasks that are
    /// tied to it.
    pub(crate) fn hang_up(&self) -> Option<JoinSet<()>> {
        let outbox = self.outbox.get_or_init(|| None);
        outbox.as_ref().map(|outbox| outbox.close())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}
