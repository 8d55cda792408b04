//! What is sent as an attachment: a file, bytes, or a reader, of known length.

use std::{fmt, fs::File, io, ops::Range, path::Path, pin::Pin, sync::Arc};

use bytes::Bytes;
use tokio::{io::AsyncRead, task::spawn_blocking};

use crate::{error::Error, save::gone};

/// An attachment to be sent. Its length is known before its first byte goes out.
///
/// ```no_run
/// # async fn f() -> Result<(), packetboat_framing::Error> {
/// use packetboat_framing::Source;
///
/// let whole = Source::open("film.mp4").await?;
/// let part = Source::open("film.mp4").await?.range(1000..2000)?;
/// let text = Source::bytes("hello");
/// assert_eq!((part.len(), text.len()), (1000, 5));
/// # Ok(()) }
/// ```
pub struct Source {
    pub(crate) kind: Kind,
    pub(crate) len: u64,
}

/// Where the bytes come from.
pub(crate) enum Kind {
    Bytes(Bytes),
    /// `whole` files are looked at once more before their last byte goes out.
    File {
        file: Arc<File>,
        offset: u64,
        whole: bool,
    },
    Reader(Pin<Box<dyn AsyncRead + Send>>),
}

impl Source {
    /// Opens a whole file on the blocking pool. Its length is the one it has now; if it has grown
    /// when its end is sent, that is an error.
    ///
    /// # Errors
    ///
    /// The disk's, as [`Error::Io`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the file.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let open = move || File::open(path).and_then(Self::file);
        Ok(spawn_blocking(open).await.map_err(gone)??)
    }

    /// A whole file that is open already, from its first byte, wherever it stands. An
    /// `Arc<File>` can be shared among any number of sources.
    ///
    /// # Errors
    ///
    /// It has no length that could be asked for.
    pub fn file(file: impl Into<Arc<File>>) -> io::Result<Self> {
        let file = file.into();
        let len = file.metadata()?.len();
        Ok(Self {
            kind: Kind::File {
                file,
                offset: 0,
                whole: true,
            },
            len,
        })
    }

    /// Bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            len: bytes.len() as u64,
            kind: Kind::Bytes(bytes),
        }
    }

    /// `len` bytes from a reader, which must end there. Where more is behind them, give
    /// `reader.take(len)`.
    pub fn reader(reader: impl AsyncRead + Send + 'static, len: u64) -> Self {
        Self {
            kind: Kind::Reader(Box::pin(reader)),
            len,
        }
    }

    /// A part of it, for a file or bytes. What lies behind the part may then grow.
    ///
    /// # Errors
    ///
    /// [`Error::SourceTooShort`] when the part does not lie within it, and for a reader, of which
    /// no part can be sent.
    pub fn range(self, part: Range<u64>) -> Result<Self, Error> {
        let short = Error::SourceTooShort {
            len: part.end,
            sent: self.len,
        };
        if part.start > part.end || part.end > self.len {
            return Err(short);
        }
        let kind = match self.kind {
            // Both ends are within the length of something in memory.
            Kind::Bytes(b) => Kind::Bytes(b.slice(part.start as usize..part.end as usize)),
            Kind::File { file, offset, .. } => Kind::File {
                file,
                offset: offset + part.start,
                whole: false,
            },
            Kind::Reader(_) => return Err(short),
        };
        Ok(Self {
            kind,
            len: part.end - part.start,
        })
    }

    /// Whether it can be sent from any offset: a file or bytes can, a reader cannot.
    pub fn is_seekable(&self) -> bool {
        !matches!(self.kind, Kind::Reader(_))
    }

    /// The length in bytes, as it is announced.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Bytes(_) => "bytes",
            Kind::File { .. } => "file",
            Kind::Reader(_) => "reader",
        };
        f.debug_struct("Source")
            .field("kind", &kind)
            .field("len", &self.len)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_part_of_a_source_is_empty() {
        let source = || Source::bytes("hello");
        assert!(!source().is_empty());
        let part = source().range(3..3).expect("within it");
        assert!(part.is_empty());
        let part = source().range(3..4).expect("within it");
        assert!(!part.is_empty());
    }
}
