//! Pushes on their way out, between everything else.

use std::io;
use std::sync::Arc;

use packetboat_framing::native::{Connection, Outgoing};
use packetboat_framing::{Error, MessageWriter};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;

use crate::bell::Bell;
use crate::connection::Peer;
use crate::driver::Tasks;
use crate::driver::unordered::Unordered;
use crate::push::{Entry, Outbox};

/// Bytes of pushes that stand before a reply. What is not taken yet can still be dropped or
/// replaced, so this is little.
const AHEAD: usize = 16 * 1024;

/// A connection's pushes. However the connection ends, they end with it.
pub(super) struct Pushes {
    peer: Peer,
    tasks: Arc<Tasks>,
    batch: Vec<Entry>,
}

impl Pushes {
    pub(super) fn new(peer: &Peer, tasks: &Arc<Tasks>) -> Self {
        Self {
            peer: peer.clone(),
            tasks: Arc::clone(tasks),
            batch: Vec::new(),
        }
    }

    /// The peer can be sent frames.
    pub(super) fn begin(&self, bell: &Arc<Bell>) {
        self.peer.set_line(bell);
    }

    fn outbox(&self) -> Option<&Outbox> {
        self.peer.line()?.outbox().map(|outbox| &**outbox)
    }

    fn send(&mut self, connection: &mut Connection, max_bytes: usize) -> Result<(), Error> {
        let Some(outbox) = self.peer.line().and_then(|line| line.outbox()) else {
            return Ok(());
        };
        outbox.take(max_bytes, &mut self.batch);
        let (mut sent, mut gaps) = (0, 0);
        for entry in self.batch.drain(..) {
            match &entry {
                Entry::Push(frame) => {
                    let outgoing = Outgoing {
                        message_type: frame.message_type,
                        ..Outgoing::json()
                    };
                    let pushed = connection.push(&outgoing, |out| frame.write(out));
                    if let Err(error @ Error::MessageTooLarge { .. }) = pushed {
                        tracing::error!(%error, "a push does not fit the wire");
                        outbox.counters().dropped(1);
                        if let Some(gap) = frame.lost() {
                            push(connection, |out| gap.write(out))?;
                            gaps += 1;
                        }
                        continue;
                    }
                    pushed?;
                    sent += 1;
                }
                Entry::Gap(gap) => {
                    push(connection, |out| gap.write(out))?;
                    gaps += 1;
                }
            }
        }
        // An idle connection holds nothing.
        self.batch = Vec::new();
        outbox.counters().left(sent, gaps);
        Ok(())
    }
}

fn push(
    connection: &mut Connection,
    write: impl FnOnce(&mut MessageWriter<'_>) -> io::Result<()>,
) -> Result<(), Error> {
    connection.push(&Outgoing::json(), write)
}

impl Drop for Pushes {
    fn drop(&mut self) {
        let tied = self.peer.line().and_then(|line| line.hang_up());
        // Without a runtime nothing of them runs any more.
        if let Some(mut tied) = tied.filter(|tied| !tied.is_empty())
            && Handle::try_current().is_ok()
        {
            self.tasks.spawn(async move { tied.shutdown().await });
        }
    }
}

impl<R, W> Unordered<'_, R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    /// Queues pushes as far as there is room. `false` when their reader was too slow.
    pub(super) fn push(&mut self) -> Result<bool, Error> {
        let Some(outbox) = self.pushes.outbox() else {
            return Ok(true);
        };
        if outbox.is_cut() {
            return Ok(false);
        }
        if outbox.has_work() {
            let connection = self.transport.connection();
            let room = AHEAD.saturating_sub(connection.queued());
            if room > 0 {
                self.pushes.send(connection, room)?;
            }
        }
        Ok(true)
    }

    /// Queues all pushes that wait, before the peer is told that this side goes away. They are
    /// bounded.
    pub(super) fn push_all(&mut self) -> Result<(), Error> {
        self.pushes.send(self.transport.connection(), usize::MAX)
    }
}
