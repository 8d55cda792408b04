//! The one way out of a connection: bounded, batched, and never waited for without reading.

use packetboat_framing::{Error, Header, Writer};
use tokio::io::AsyncWrite;

use crate::app::App;
use crate::file::File;
use crate::middleware::Response;
use crate::rejection::Rejection;
use crate::scratch;
use crate::wire::Wire;

/// With so many bytes of replies waiting, no new request is begun.
const FULL: usize = 64 * 1024;

/// Replies on their way out.
pub(crate) struct Outbox<W, H> {
    writer: Writer<W, H>,
}

impl<W: AsyncWrite + Unpin + 'static, H: Header> Outbox<W, H> {
    pub(crate) fn new(writer: Writer<W, H>) -> Self {
        Self { writer }
    }

    /// Queues a reply and gives back the file that has to follow it. A reply that the wire cannot
    /// carry is answered by one that it can.
    pub(crate) fn push(
        &mut self,
        app: &App,
        response: Response,
    ) -> Result<Option<Box<File>>, Error> {
        let Response { message, file, .. } = response;
        let len = file.as_ref().map_or(0, |file| file.len());
        let queued = self.writer.encode(&message, len);
        scratch::give(message);
        let Err(error) = queued else { return Ok(file) };
        tracing::error!(%error, "the reply does not fit the wire");
        let refusal = app
            .answering()
            .refuse(Wire::Classic, &Rejection::internal());
        self.writer.encode(&refusal.message, 0)?;
        scratch::give(refusal.message);
        Ok(None)
    }

    /// Whether no new request should be begun.
    pub(crate) fn is_full(&self) -> bool {
        self.writer.queued() >= FULL
    }

    /// Whether something waits to be written.
    pub(crate) fn has_work(&self) -> bool {
        self.writer.has_work()
    }

    /// The writer itself, to flush it and to send files.
    pub(crate) fn writer(&mut self) -> &mut Writer<W, H> {
        &mut self.writer
    }
}
