//! The same reader and writer for [`std::io`], for threads instead of tasks.
//!
//! Same core, same limits of length. Limits of time are the socket's own here: set
//! [`TcpStream::set_read_timeout`](std::net::TcpStream::set_read_timeout) and its fellow, whose
//! passing comes as [`Error::Io`].

use std::{
    error, fmt,
    io::{self, Read, Write},
    path::Path,
};

use crate::{
    decoder::{Decoder, Step},
    encoder::{Encoder, MessageWriter},
    error::Error,
    header::Header,
    limits::Limits,
    reader::Message,
    save::TempFile,
};

/// What passes through memory at once.
const PIECE: usize = 256 * 1024;

/// Reads messages and attachments from any [`Read`].
///
/// ```
/// use std::io::Read;
/// use packetboat_framing::{Limits, Prefix, blocking::Reader};
///
/// let bytes: &[u8] = b"\x02\0\0\0upabc\x04\0\0\0list";
/// let mut reader = Reader::new(bytes, Prefix::CLASSIC, &Limits::default());
/// assert_eq!(reader.message()?.map(|m| m.bytes), Some(&b"up"[..]));
/// let mut text = String::new();
/// reader.attachment(3)?.read_to_string(&mut text)?;
/// assert_eq!(text, "abc");
/// assert_eq!(reader.message()?.map(|m| m.bytes), Some(&b"list"[..]));
/// # Ok::<(), packetboat_framing::Error>(())
/// ```
pub struct Reader<R, H> {
    io: R,
    decoder: Decoder<H>,
    drain_bytes: u64,
}

impl<R: Read, H: Header> Reader<R, H> {
    /// A reader of frames with headers like this one.
    pub fn new(io: R, header: H, limits: &Limits) -> Self {
        Self {
            io,
            decoder: Decoder::new(header, limits),
            drain_bytes: limits.drain_bytes,
        }
    }

    /// The next message, or `None` when the peer closed between two frames. What is left of the
    /// last attachment is thrown away first.
    ///
    /// # Errors
    ///
    /// A refused header, [`Error::DrainLimit`], [`Error::Truncated`], [`Error::Io`].
    pub fn message(&mut self) -> Result<Option<Message<'_, H>>, Error> {
        let remaining = self.decoder.attachment_left();
        if remaining > self.drain_bytes {
            return Err(Error::DrainLimit { remaining });
        }
        loop {
            match self.decoder.step()? {
                Some(Step::Message { header, at }) => {
                    return Ok(Some(Message {
                        header,
                        bytes: self.decoder.bytes(at),
                    }));
                }
                Some(Step::Attachment { .. } | Step::End) => {}
                None => {
                    if self.fill()? == 0 {
                        return self.decoder.finish().map(|()| None);
                    }
                }
            }
        }
    }

    /// Says that the message just read is followed by an attachment of `len` bytes, and gives it.
    ///
    /// # Errors
    ///
    /// [`Error::AttachmentTooLarge`].
    ///
    /// # Panics
    ///
    /// If the last thing read was not a message, or its header stated the attachment's length.
    pub fn attachment(&mut self, len: u64) -> Result<Attachment<'_, R, H>, Error> {
        self.decoder.attachment(len)?;
        Ok(self.body())
    }

    /// What is left of the attachment that the stream stands in, which may be nothing.
    pub fn body(&mut self) -> Attachment<'_, R, H> {
        Attachment { reader: self }
    }

    /// The peer has logged in, or out: which limit holds for the messages to come.
    pub fn set_logged_in(&mut self, logged_in: bool) {
        self.decoder.set_logged_in(logged_in);
    }

    /// What it reads from.
    pub fn get_ref(&self) -> &R {
        &self.io
    }

    /// What it read from. Buffered bytes are lost.
    pub fn into_inner(self) -> R {
        self.io
    }

    /// Reads once into the decoder, by way of the stack.
    fn fill(&mut self) -> io::Result<usize> {
        let mut space = [0; 8 * 1024];
        let n = read(&mut self.io, &mut space)?;
        self.decoder.feed(&space[..n]);
        Ok(n)
    }
}

impl<R, H> fmt::Debug for Reader<R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("decoder", &self.decoder)
            .finish_non_exhaustive()
    }
}

/// The attachment that a [`Reader`] stands in, as a [`Read`] that ends with it.
///
/// An attachment that the peer cut off reads as [`io::ErrorKind::UnexpectedEof`], with
/// [`Error::Truncated`] inside, and never as a short file.
pub struct Attachment<'a, R, H> {
    reader: &'a mut Reader<R, H>,
}

impl<R: Read, H: Header> Attachment<'_, R, H> {
    /// Bytes that have not been read.
    pub fn remaining(&self) -> u64 {
        self.reader.decoder.attachment_left()
    }

    /// Copies what is left to a writer. Gives the number of bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`], [`Error::Io`].
    pub fn copy_to(&mut self, to: &mut (impl Write + ?Sized)) -> Result<u64, Error> {
        let len = usize::try_from(self.remaining()).unwrap_or(usize::MAX);
        let (mut piece, mut copied) = (vec![0; len.min(PIECE)], 0);
        loop {
            let n = match self.read(&mut piece) {
                Ok(0) => return Ok(copied),
                Ok(n) => n,
                // The core has the facts of a peer that left; the socket those of its failure.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(self.reader.decoder.finish().err().unwrap_or(Error::Io(e)));
                }
                Err(e) => return Err(e.into()),
            };
            to.write_all(&piece[..n])?;
            copied += n as u64;
        }
    }

    /// Saves what is left as the file `path`, durably and whole or not at all, as
    /// [`BodyExt::save`](crate::BodyExt::save).
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`], [`Error::Io`].
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<u64, Error> {
        let (temp, mut file) = TempFile::create(path.as_ref().to_owned())?;
        let len = self.copy_to(&mut file)?;
        file.sync_data()?;
        temp.persist_now()?;
        Ok(len)
    }
}

impl<R: Read, H: Header> Read for Attachment<'_, R, H> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Reader { io, decoder, .. } = &mut *self.reader;
        let left = usize::try_from(decoder.attachment_left()).unwrap_or(usize::MAX);
        let max = buffer.len().min(left);
        if max == 0 {
            return Ok(0);
        }
        let there = decoder.attachment_bytes(max);
        if !there.is_empty() {
            buffer[..there.len()].copy_from_slice(there);
            return Ok(there.len());
        }
        let n = read(io, &mut buffer[..max])?;
        if n == 0 {
            let cut = decoder.finish().err();
            return Err(cut.map_or_else(
                || io::ErrorKind::UnexpectedEof.into(),
                |cut| io::Error::new(io::ErrorKind::UnexpectedEof, cut),
            ));
        }
        decoder.passed_by(n as u64);
        Ok(n)
    }
}

impl<R, H> fmt::Debug for Attachment<'_, R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").finish_non_exhaustive()
    }
}

/// Writes messages and attachments to any [`Write`]. Header and message leave in one write.
///
/// ```
/// use packetboat_framing::{Limits, Prefix, blocking::Writer};
///
/// let mut writer = Writer::new(Vec::new(), Prefix::CLASSIC, &Limits::default());
/// writer.send(b"list")?;
/// writer.send_with(&b"abc"[..], 3, |out| serde_json::to_writer(out, "upload"))?;
/// assert_eq!(writer.get_ref(), b"\x04\0\0\0list\x08\0\0\0\"upload\"abc");
/// # Ok::<(), packetboat_framing::Error>(())
/// ```
pub struct Writer<W, H> {
    io: W,
    encoder: Encoder<H>,
}

impl<W: Write, H: Header> Writer<W, H> {
    /// A writer that begins each frame with a copy of this header.
    pub fn new(io: W, header: H, limits: &Limits) -> Self {
        Self {
            io,
            encoder: Encoder::new(header, limits),
        }
    }

    /// Writes a message without an attachment.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode_with`]; nothing is written then. Or [`Error::Io`].
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        self.send_with(io::empty(), 0, |out| out.write_all(message))
    }

    /// Writes a message, serialised by `write`, and an attachment: all of `source`, which has
    /// `len` bytes.
    ///
    /// # Errors
    ///
    /// As [`Encoder::encode_with`]; nothing is written then. [`Error::SourceTooShort`],
    /// [`Error::SourceTooLong`] and [`Error::Io`]: the connection must be closed.
    pub fn send_with<E>(
        &mut self,
        mut source: impl Read,
        len: u64,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Result<(), E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        self.encoder.encode_with(len, write)?;
        self.io.write_all(self.encoder.pending())?;
        self.encoder.advance(self.encoder.pending().len());
        self.encoder.release();
        let mut sent = 0;
        // One byte more than is left is asked for, so that a longer source shows before its last
        // byte has gone.
        let piece = |left: u64| usize::try_from(left + 1).unwrap_or(usize::MAX).min(PIECE);
        let mut buffer = vec![0; if len == 0 { 0 } else { piece(len) }];
        while sent < len {
            match read(&mut source, &mut buffer[..piece(len - sent)])? as u64 {
                0 => return Err(Error::SourceTooShort { len, sent }),
                n if n > len - sent => return Err(Error::SourceTooLong { len }),
                n => {
                    if n == len - sent && read(&mut source, &mut [0])? > 0 {
                        return Err(Error::SourceTooLong { len });
                    }
                    self.io.write_all(&buffer[..n as usize])?;
                    sent += n;
                }
            }
        }
        Ok(self.io.flush()?)
    }

    /// What it writes to.
    pub fn get_ref(&self) -> &W {
        &self.io
    }

    /// What it wrote to.
    pub fn into_inner(self) -> W {
        self.io
    }
}

impl<W, H> fmt::Debug for Writer<W, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("encoder", &self.encoder)
            .finish_non_exhaustive()
    }
}

/// Reads once, over interruptions by signals.
fn read(io: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match io.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
