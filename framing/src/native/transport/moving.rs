//! One step of a connection: read, write, or a slice of a file.

use std::{
    future::Future,
    io,
    mem::MaybeUninit,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    error::Error,
    native::{Code, wire},
    reader::{FIRST_READ, read_into},
    sendfile::Socket,
    writer::Pace,
};

use super::{Moved, Transport};

impl<R, W> Transport<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + 'static,
{
    pub(super) fn poll_drive(
        &mut self,
        cx: &mut Context<'_>,
        read: bool,
    ) -> Poll<Result<Moved, Error>> {
        if let Some(late) = self.late.pop_front() {
            return Poll::Ready(Ok(late));
        }
        self.poll_lease(cx);
        // A fast peer takes slice after slice; what it asks meanwhile must be heard between them.
        let first = read && std::mem::take(&mut self.read_first);
        if first && let Poll::Ready(n) = self.poll_read(cx) {
            return Poll::Ready(n.map(Moved::Read));
        }
        if let Poll::Ready(moved) = self.poll_write(cx) {
            return Poll::Ready(moved);
        }
        if read
            && !first
            && let Poll::Ready(n) = self.poll_read(cx)
        {
            return Poll::Ready(n.map(Moved::Read));
        }
        self.poll_clocks(cx, read)
    }

    /// Room for the attachment that has waited longest for it.
    fn poll_lease(&mut self, cx: &mut Context<'_>) {
        while let Some(bytes) = self.connection.wants_lease() {
            let budget = &self.budget;
            let leasing = self.leasing.get_or_insert_with(|| {
                let budget = budget.clone();
                Box::pin(async move { budget.lease(bytes, bytes).await })
            });
            let Poll::Ready(lease) = leasing.as_mut().poll(cx) else {
                return;
            };
            self.leasing = None;
            self.connection.supply(lease);
        }
        self.leasing = None;
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        // A first read goes to the stack, so that a connection which waits holds no buffer.
        let n = if self.connection.is_warm() {
            let space = self.connection.space();
            let room = space.capacity() - space.len();
            let read = pin!(read_into(&mut self.reader, space, room)).poll(cx);
            match read {
                Poll::Ready(n) => n?,
                Poll::Pending => {
                    self.connection.release();
                    return Poll::Pending;
                }
            }
        } else {
            let mut space = [MaybeUninit::uninit(); FIRST_READ];
            let mut space = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.reader).poll_read(cx, &mut space))?;
            self.connection.feed(space.filled());
            space.filled().len()
        };
        self.clocks.heard();
        Poll::Ready(Ok(n))
    }

    /// Pending, too, when there is nothing to write.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<Moved, Error>> {
        loop {
            if !self.connection.pending().is_empty() {
                let pending = self.connection.pending();
                let written = Pin::new(&mut self.writer).poll_write(cx, pending);
                let n = ready!(self.clocks.taken(written))?;
                if n == 0 {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
                }
                self.connection.advance(n);
                self.dirty = true;
                let is_all = self.connection.pending().is_empty();
                if is_all && self.slice.is_none() && self.senders.is_empty() {
                    // Nothing comes before the flush.
                    continue;
                }
                return Poll::Ready(Ok(Moved::Written));
            }
            if let Some(request) = self.slice {
                return self.poll_slice(cx, request);
            }
            if !self.closing
                && let Some(unsent) = self.begin_slice(cx)?
            {
                return Poll::Ready(Ok(unsent));
            }
            if self.slice.is_some() || !self.connection.pending().is_empty() {
                continue;
            }
            if self.dirty {
                let flushed = Pin::new(&mut self.writer).poll_flush(cx);
                ready!(self.clocks.taken(flushed))?;
                self.dirty = false;
                // Of the way out; what was read stays where it is.
                self.connection.release();
                return Poll::Ready(Ok(Moved::Written));
            }
            return Poll::Pending;
        }
    }

    /// Sends some of the frame that has begun.
    fn poll_slice(&mut self, cx: &mut Context<'_>, request: u32) -> Poll<Result<Moved, Error>> {
        let Some(sender) = self.senders.get_mut(&request) else {
            unreachable!("a source stays until its frame has gone")
        };
        let sent = sender
            .transmit
            .poll_send(cx, &mut self.writer, self.connection.slice_left());
        let n = ready!(self.clocks.taken_of_file(sent))?;
        self.connection.slice_sent(n);
        self.dirty = true;
        self.read_first = true;
        sender.rate.moved(n);
        let (left, over) = (sender.transmit.remaining(), sender.over);
        if self.connection.slice_left() > 0 {
            return Poll::Ready(Ok(match over {
                true => Moved::Written,
                false => Moved::Sent { request, left },
            }));
        }
        self.slice = None;
        if over {
            self.senders.remove(&request);
            return Poll::Ready(Ok(Moved::Written));
        }
        if left == 0 {
            let digest = sender.digest;
            self.senders.remove(&request);
            self.connection.end(request, digest)?;
        }
        Poll::Ready(Ok(Moved::Sent { request, left }))
    }

    /// Begins a frame of the next file that has credit and is ready. Gives what was ended, or
    /// broken off, instead.
    fn begin_slice(&mut self, cx: &mut Context<'_>) -> Result<Option<Moved>, Error> {
        if self.senders.is_empty() {
            return Ok(None);
        }
        while let Some(request) = self.spent.pop_front() {
            // It may have been broken off meanwhile.
            if let Some(sender) = self.senders.remove(&request) {
                self.connection.end(request, sender.digest)?;
                return Ok(Some(Moved::Sent { request, left: 0 }));
            }
        }
        self.set_pace()?;
        // Each at most once: one whose source is not ready has its turn later.
        let mut first = None;
        while let Some((request, sendable)) = self.connection.next_sender()
            && first != Some(request)
        {
            first.get_or_insert(request);
            let Some(sender) = self.senders.get_mut(&request) else {
                continue;
            };
            let slice = self.pace.slice().min(wire::MAX_DATA as usize);
            let max = usize::try_from(sendable).map_or(slice, |n| n.min(slice));
            let ready = sender
                .transmit
                .poll_ready(cx, &self.writer, max, &self.budget);
            match ready {
                Poll::Ready(Ok(n)) => {
                    self.connection.slice(request, n, None)?;
                    self.slice = Some(request);
                    break;
                }
                Poll::Ready(Err(error)) => {
                    self.senders.remove(&request);
                    self.connection.abort(request, Code::SOURCE_FAILED)?;
                    return Ok(Some(Moved::Unsent { request, error }));
                }
                // The disk is slow, and not the peer.
                Poll::Pending => sender.rate.excuse(),
            }
        }
        Ok(None)
    }

    /// Small frames, and a short queue in the kernel, while others wait.
    fn set_pace(&mut self) -> io::Result<()> {
        let pace = match self.connection.in_flight() {
            0 | 1 => Pace::Alone,
            _ => Pace::Shared,
        };
        if self.pace != pace {
            if let Some(socket) = Socket::of(&self.writer) {
                socket.set_notsent_lowat(pace.unsent())?;
            }
            self.pace = pace;
        }
        Ok(())
    }
}
