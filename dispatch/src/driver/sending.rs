//! A file on its way out: held back, begun, sent, ended.

use packetboat_framing::{Error, Header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};

use crate::driver::ordered::Ordered;
use crate::driver::starting::{end, start};
use crate::file::{File, Terms};

impl<R, W, H> Ordered<'_, R, W, H>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
    H: Header,
{
    /// Sends the file that follows the reply just queued.
    ///
    /// # Errors
    ///
    /// The connection has to be closed: its peer waits for bytes that will not come.
    pub(super) async fn send(&mut self, file: File) -> Result<(), Error> {
        let (source, mut terms) = file.into_parts();
        let result = match self.begin_file(&mut terms).await {
            Ok(()) => {
                terms.started();
                self.outbox.writer().attach(source)?;
                // Noted at each step: a server that stops may drop this at any of them.
                loop {
                    let flushed = self.flush_some().await;
                    terms.left(self.outbox.writer().attachment_left());
                    match flushed {
                        Ok(true) => {}
                        ended => break ended.map(drop),
                    }
                }
            }
            error => error,
        };
        end(self.shared, &self.held, terms);
        result
    }

    /// The reply leaves at once, the file when its time has come.
    async fn begin_file(&mut self, terms: &mut Terms) -> Result<(), Error> {
        self.flush().await?;
        if let Some(instant) = terms.not_before {
            self.hold(Instant::from_std(instant)).await?;
        }
        let Some(on_start) = terms.on_start.take() else {
            return Ok(());
        };
        let mut started = start(self.shared, &self.held, on_start);
        loop {
            tokio::select! {
                biased;
                started = &mut started => {
                    return if started == Ok(true) { Ok(()) } else { Err(not_started()) };
                }
                read = self.inbox.ahead(), if self.inbox.may_read_ahead() => read?,
            }
        }
    }

    /// Waits, holding no buffer, and notices a peer that leaves.
    ///
    /// A peer that only shuts its write side counts as gone here: on the wire it cannot be told
    /// from one that closed, and a place on the server is not kept for nobody.
    async fn hold(&mut self, until: Instant) -> Result<(), Error> {
        self.inbox.reader.decoder_mut().release();
        if Instant::now() >= until {
            return Ok(());
        }
        while !self.inbox.ended {
            tokio::select! {
                biased;
                () = sleep_until(until) => return Ok(()),
                read = self.inbox.ahead(), if self.inbox.may_read_ahead() => read?,
            }
        }
        Err(gone())
    }
}

/// The error of a file that was promised and is not sent.
fn not_started() -> Error {
    std::io::Error::other("the file was not begun").into()
}

/// The error of a peer that left while its file was held back.
fn gone() -> Error {
    std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into()
}
