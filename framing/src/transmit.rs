//! A source on its way out, slice by slice.

use std::{
    fs::File,
    future::{Future, poll_fn},
    io,
    os::unix::fs::FileExt,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    budget::{Budget, Lease},
    chunk::Chunk,
    error::Error,
    rate::Meter,
    save::gone,
    sendfile::{self, Socket},
    source::{Kind, Source},
};

/// A piece that passes through memory: large enough for the disk, small beside the budget.
const PIECE: usize = 256 * 1024;

/// Sends a [`Source`]. All of its state is here, so that the future of one step can be dropped
/// and the next step goes on where it was.
pub(crate) struct Transmit {
    source: Source,
    sent: u64,
    /// So many of them by leaving them out.
    skipped: u64,
    /// A file is known to be in memory up to here (as an offset into the source).
    warm: u64,
    warming: Option<(u64, JoinHandle<io::Result<()>>)>,
    /// A piece that passes through memory, and how much of it has gone.
    piece: Option<(Chunk, usize)>,
    loading: Option<JoinHandle<io::Result<Chunk>>>,
    /// A place in the budget's queue, kept when the future that took it is dropped.
    leasing: Option<Pin<Box<dyn Future<Output = Lease> + Send>>>,
}

impl Transmit {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            sent: 0,
            skipped: 0,
            warm: 0,
            warming: None,
            piece: None,
            loading: None,
            leasing: None,
        }
    }

    /// Bytes that have not been sent.
    pub(crate) fn remaining(&self) -> u64 {
        self.source.len - self.sent
    }

    /// Bytes that have been sent or left out.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Leaves out the next `n` bytes, before any of it was sent. Of a reader nothing can be left
    /// out: [`poll_ready`](Self::poll_ready) then says so.
    pub(crate) fn skip(&mut self, n: u64) {
        self.sent += n;
        self.skipped += n;
        self.warm = self.sent;
    }

    /// Sends as much as the writer takes at once, and at most `slice` bytes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub(crate) async fn step<W: AsyncWrite + Unpin + 'static>(
        &mut self,
        io: &mut W,
        slice: usize,
        budget: &Budget,
        meter: &mut Meter,
    ) -> Result<(), Error> {
        let remaining = usize::try_from(self.remaining()).unwrap_or(usize::MAX);
        let slice = slice.min(remaining);
        if slice == 0 {
            return Ok(());
        }
        if let Kind::Bytes(bytes) = &self.source.kind {
            let start = bytes.len() - remaining;
            let n = meter
                .watch(io.write(&bytes[start..start + slice]))
                .await??;
            return self.gone(n, meter);
        }
        if let (Kind::File { file, offset, .. }, Some(socket)) = (&self.source.kind, Socket::of(io))
        {
            let (file, at) = (Arc::clone(file), offset + self.sent);
            if slice == remaining {
                self.check_length(&file)?;
            }
            self.warm_up(&file, at, slice).await?;
            // No further than what is in memory; the rest has a look of its own.
            let slice = slice.min(usize::try_from(self.warm - self.sent).unwrap_or(slice));
            let n = meter.watch(socket.send(&file, at, slice)).await??;
            return match n {
                0 => Err(self.too_short()),
                n => self.gone(n, meter),
            };
        }
        if self.piece.is_none() {
            let piece = self.load(remaining, budget).await?;
            self.piece = Some((piece, 0));
        }
        let Some((piece, at)) = &mut self.piece else {
            return Ok(());
        };
        let end = piece.len().min(*at + slice);
        let n = meter.watch(io.write(&piece[*at..end])).await??;
        *at += n;
        if *at == piece.len() {
            self.piece = None;
        }
        self.gone(n, meter)
    }

    /// Gets bytes ready, at most `max`, and gives how many: those can then be sent without
    /// waiting for anything but the socket. 0 when there are no more.
    pub(crate) fn poll_ready<W: 'static>(
        &mut self,
        cx: &mut Context<'_>,
        io: &W,
        max: usize,
        budget: &Budget,
    ) -> Poll<Result<usize, Error>> {
        let remaining = usize::try_from(self.remaining()).unwrap_or(usize::MAX);
        let max = max.min(remaining);
        match &self.source.kind {
            _ if max == 0 => Poll::Ready(Ok(0)),
            Kind::Reader(_) if self.skipped > 0 => Poll::Ready(Err(Error::NotResumable {
                offset: self.skipped,
            })),
            Kind::Bytes(_) => Poll::Ready(Ok(max)),
            Kind::File { file, offset, .. } if Socket::of(io).is_some() => {
                let (file, at) = (Arc::clone(file), offset + self.sent);
                if max == remaining {
                    self.check_length(&file)?;
                }
                ready!(pin!(self.warm_up(&file, at, max)).poll(cx))?;
                let warm = usize::try_from(self.warm - self.sent).unwrap_or(max);
                Poll::Ready(Ok(max.min(warm)))
            }
            _ => {
                if self.piece.is_none() {
                    let piece = ready!(pin!(self.load(remaining, budget)).poll(cx))?;
                    self.piece = Some((piece, 0));
                }
                let left = self
                    .piece
                    .as_ref()
                    .map_or(0, |(piece, at)| piece.len() - at);
                Poll::Ready(Ok(max.min(left)))
            }
        }
    }

    /// Sends some of what [`poll_ready`](Self::poll_ready) has made ready, at most `max` bytes,
    /// and gives how many.
    pub(crate) fn poll_send<W: AsyncWrite + Unpin + 'static>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut W,
        max: usize,
    ) -> Poll<Result<usize, Error>> {
        let n = match (&self.source.kind, &mut self.piece) {
            (Kind::Bytes(bytes), _) => {
                // Sent bytes are some of those that are in memory.
                let start = self.sent as usize;
                ready!(Pin::new(io).poll_write(cx, &bytes[start..start + max]))?
            }
            (_, Some((piece, at))) => {
                let end = piece.len().min(*at + max);
                let n = ready!(Pin::new(io).poll_write(cx, &piece[*at..end]))?;
                *at += n;
                if *at == piece.len() {
                    self.piece = None;
                }
                n
            }
            (Kind::File { file, offset, .. }, None) => {
                let Some(socket) = Socket::of(io) else {
                    unreachable!("without sendfile there is a piece")
                };
                match ready!(socket.poll_send(cx, file, offset + self.sent, max))? {
                    0 => return Poll::Ready(Err(self.too_short())),
                    n => n,
                }
            }
            (Kind::Reader(_), None) => unreachable!("a reader's bytes pass through a piece"),
        };
        if n == 0 {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
        }
        self.sent += n as u64;
        Poll::Ready(Ok(n))
    }

    fn gone(&mut self, n: usize, meter: &mut Meter) -> Result<(), Error> {
        if n == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero).into());
        }
        self.sent += n as u64;
        meter.moved(n);
        Ok(())
    }

    /// Makes sure that a slice is in memory, so that sending it does not stall the runtime.
    async fn warm_up(&mut self, file: &Arc<File>, at: u64, slice: usize) -> Result<(), Error> {
        let slice = slice as u64;
        if self.warming.is_none() {
            if self.sent < self.warm {
                return Ok(());
            }
            let end = self.sent + slice;
            if sendfile::is_warm(file, at, slice) {
                self.warm = end;
                return Ok(());
            }
            let file = Arc::clone(file);
            let warm = spawn_blocking(move || sendfile::warm(&file, at, slice));
            self.warming = Some((end, warm));
        }
        if let Some((end, warm)) = &mut self.warming {
            let end = *end;
            let result = warm.await;
            self.warming = None;
            result.map_err(gone)??;
            // Sent whatever a second look would say: it may have been evicted, or lie on a file
            // system that cannot tell, and must not be read for ever.
            self.warm = end;
        }
        Ok(())
    }

    /// The next piece that passes through memory, read in full.
    async fn load(&mut self, remaining: usize, budget: &Budget) -> Result<Chunk, Error> {
        let max = remaining.min(PIECE);
        if matches!(self.source.kind, Kind::Reader(_)) {
            let lease = self.lease(max, budget).await;
            let Kind::Reader(reader) = &mut self.source.kind else {
                unreachable!("just looked at")
            };
            let mut chunk = Chunk::new(max, lease);
            return match read_piece(reader.as_mut(), &mut chunk, remaining).await? {
                Read::Some => Ok(chunk),
                Read::End => Err(self.too_short()),
                Read::Beyond => Err(Error::SourceTooLong {
                    len: self.source.len,
                }),
            };
        }
        let Kind::File { file, offset, .. } = &self.source.kind else {
            unreachable!("bytes are sent from where they are")
        };
        let (file, at) = (Arc::clone(file), offset + self.sent);
        if max == remaining {
            self.check_length(&file)?;
        }
        if self.loading.is_none() {
            let mut chunk = Chunk::new(max, self.lease(max, budget).await);
            chunk.buffer().resize(max, 0);
            match sendfile::read_now(&file, chunk.buffer(), at) {
                Ok(n) if n == max => return Ok(chunk),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e.into()),
            }
            sendfile::advise(&file, at, 2 * max as u64);
            self.loading = Some(spawn_blocking(move || {
                file.read_exact_at(chunk.buffer(), at).map(|()| chunk)
            }));
        }
        let Some(loading) = &mut self.loading else {
            unreachable!("just filled in")
        };
        let result = loading.await;
        self.loading = None;
        match result.map_err(gone)? {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(self.too_short()),
            result => Ok(result?),
        }
    }

    /// Room for a piece. Its place in the queue is kept when the future is dropped.
    async fn lease(&mut self, bytes: usize, budget: &Budget) -> Lease {
        if self.leasing.is_none() {
            if let Some(lease) = budget.try_lease(bytes, bytes) {
                return lease;
            }
            let budget = budget.clone();
            self.leasing = Some(Box::pin(async move { budget.lease(bytes, bytes).await }));
        }
        let Some(leasing) = &mut self.leasing else {
            unreachable!("just filled in")
        };
        let lease = leasing.await;
        self.leasing = None;
        lease
    }

    /// A whole file that has grown since it was announced is longer than announced. Looked at
    /// before its last slice goes, so that the peer does not take it for complete.
    fn check_length(&self, file: &File) -> Result<(), Error> {
        match self.source.kind {
            Kind::File { whole: true, .. } if file.metadata()?.len() > self.source.len => {
                Err(Error::SourceTooLong {
                    len: self.source.len,
                })
            }
            _ => Ok(()),
        }
    }

    fn too_short(&self) -> Error {
        Error::SourceTooShort {
            len: self.source.len,
            sent: self.sent,
        }
    }
}

/// What one read of a reader found.
enum Read {
    Some,
    End,
    Beyond,
}

/// Reads once from a source's reader. Before its last byte is given, it is asked for one more.
///
/// # Cancel safety
///
/// Dropping the future loses nothing: it is over as soon as something has been read.
async fn read_piece(
    mut reader: Pin<&mut (dyn AsyncRead + Send)>,
    chunk: &mut Chunk,
    remaining: usize,
) -> io::Result<Read> {
    use bytes::BufMut;
    let room = chunk.room();
    let n = reader.read_buf(&mut chunk.buffer().limit(room)).await?;
    if n == 0 {
        return Ok(Read::End);
    }
    if n == remaining {
        let mut more = [0; 1];
        let mut next = pin!(reader.read(&mut more));
        // Asked once and not waited for: a reader that is silent now may be silent for ever.
        let next = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
        if matches!(next, Poll::Ready(Ok(1))) {
            return Ok(Read::Beyond);
        }
    }
    Ok(Read::Some)
}

#[cfg(test)]
mod tests;
