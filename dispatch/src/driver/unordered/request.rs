//! What is left of a request that was not over at once.

use std::io;

use packetboat_framing::{Error, Source};
use tokio::sync::oneshot;

use crate::driver::handling::Spawned;
use crate::driver::starting::end;
use crate::driver::{Held, Shared};
use crate::file::Terms;
use crate::upload::Feed;

/// A request with a handler at work, an upload that comes or a file that goes. It is forgotten when
/// there is none of them.
#[derive(Default)]
pub(super) struct Request {
    pub(super) handler: Option<Spawned>,
    pub(super) upload: Option<Incoming>,
    pub(super) file: Option<Sending>,
}

/// An upload on its way in.
pub(super) struct Incoming {
    pub(super) feed: Feed,
    /// Its handler reads, and credit has been asked for.
    pub(super) asked: bool,
    pub(super) ended: bool,
    /// Bytes that have come and were not given back to the connection.
    pub(super) unread: usize,
}

/// A file on its way out.
pub(super) enum Sending {
    /// Held back, or something runs before its first byte.
    Preparing {
        source: Source,
        terms: Terms,
        prepared: oneshot::Receiver<bool>,
    },
    Underway(Terms),
}

impl Incoming {
    pub(super) fn new(feed: Feed) -> Self {
        Self {
            feed,
            asked: false,
            ended: false,
            unread: 0,
        }
    }
}

impl Sending {
    pub(super) fn into_terms(self) -> Terms {
        match self {
            Self::Preparing { terms, .. } | Self::Underway(terms) => terms,
        }
    }
}

impl Request {
    /// Hands bytes to its upload; `false` if nobody waits for any.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> bool {
        let Some(upload) = &mut self.upload else {
            return false;
        };
        upload.unread += bytes.len();
        upload.feed.append(bytes);
        true
    }

    /// Stops its handler, if that says that it may be stopped.
    pub(super) fn stop(&self) {
        if let Some(stop) = self
            .handler
            .as_ref()
            .and_then(|handler| handler.stop.as_ref())
        {
            stop.notify_one();
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.handler.is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.handler.is_none() && self.upload.is_none() && self.file.is_none()
    }

    /// The connection is over. Its handler goes on by itself.
    pub(super) fn abandon(self, shared: &Shared, held: &Held) {
        if let Some(upload) = self.upload
            && !upload.ended
        {
            let gone = io::Error::from(io::ErrorKind::ConnectionAborted);
            upload.feed.fail(Error::Io(gone));
        }
        if let Some(file) = self.file {
            end(shared, held, file.into_terms());
        }
    }
}
