//! A fixed struct before every message.

use crate::error::Error;

/// The struct that stands before every message and states its length.
///
/// Implement it for the header of your own device or game protocol. A value is both one header
/// and the pattern for others: a decoder and an encoder are made with a value, read each header
/// through it and fill in a copy of it. So what is fixed for a connection (a magic number, a
/// version, how wide a length is) can live in the value, and most implementations of
/// [`read`](Self::read) ignore `self`.
///
/// The length of an attachment may stand in the header as well. Where it does not, the
/// application finds it in the message.
///
/// ```
/// use byteorder::{BigEndian, ByteOrder};
/// use packetboat_framing::{Error, Header};
///
/// /// A sensor's report: magic, device, kind, then how long the text and the picture are.
/// #[derive(Debug, Clone, Copy, Default, PartialEq)]
/// struct Report {
///     device: u32,
///     kind: u8,
///     text: u16,
///     picture: u32,
/// }
///
/// const MAGIC: u16 = 0xB0A7;
///
/// impl Header for Report {
///     fn size(&self) -> usize {
///         13
///     }
///
///     fn read(&self, bytes: &[u8]) -> Result<Self, Error> {
///         if BigEndian::read_u16(&bytes[0..2]) != MAGIC {
///             return Err(Error::InvalidHeader { reason: "no magic number", hint: None });
///         }
///         Ok(Self {
///             device: BigEndian::read_u32(&bytes[2..6]),
///             kind: bytes[6],
///             text: BigEndian::read_u16(&bytes[7..9]),
///             picture: BigEndian::read_u32(&bytes[9..13]),
///         })
///     }
///
///     fn write(&self, bytes: &mut [u8]) {
///         BigEndian::write_u16(&mut bytes[0..2], MAGIC);
///         BigEndian::write_u32(&mut bytes[2..6], self.device);
///         bytes[6] = self.kind;
///         BigEndian::write_u16(&mut bytes[7..9], self.text);
///         BigEndian::write_u32(&mut bytes[9..13], self.picture);
///     }
///
///     fn message_len(&self) -> u64 {
///         self.text.into()
///     }
///
///     fn attachment_len(&self) -> Option<u64> {
///         Some(self.picture.into())
///     }
///
///     fn set_lengths(&mut self, message: u64, attachment: u64) -> Result<(), Error> {
///         let overflow = |len, max| Error::LengthOverflow { len, max };
///         self.text = message.try_into().map_err(|_| overflow(message, u16::MAX.into()))?;
///         self.picture = attachment.try_into().map_err(|_| overflow(attachment, u32::MAX.into()))?;
///         Ok(())
///     }
/// }
///
/// use packetboat_framing::{Decoder, Encoder, Event, Limits};
/// let report = Report { device: 7, kind: 2, ..Report::default() };
/// let mut encoder = Encoder::new(report, &Limits::default());
/// encoder.encode(b"21.5 C", 0)?;
/// assert_eq!(encoder.pending().len(), 13 + 6);
///
/// let mut decoder = Decoder::new(Report::default(), &Limits::default());
/// decoder.feed(encoder.pending());
/// let Some(Event::Message { header, message }) = decoder.decode()? else { unreachable!() };
/// assert_eq!((header.device, message), (7, &b"21.5 C"[..]));
/// # Ok::<(), Error>(())
/// ```
pub trait Header: Clone + Send + 'static {
    /// How many bytes every header has on the wire. It must not change during a connection.
    fn size(&self) -> usize;

    /// Reads a header.
    ///
    /// `bytes` has exactly [`size`](Self::size) bytes and comes from a peer: nothing in it may
    /// make this panic.
    ///
    /// # Errors
    ///
    /// Whatever the format forbids, as [`Error::InvalidHeader`] or [`Error::BadLength`]. The
    /// decoder adds the hint. Limits need no check here.
    fn read(&self, bytes: &[u8]) -> Result<Self, Error>;

    /// Writes this header over `bytes`, which has exactly [`size`](Self::size) bytes.
    fn write(&self, bytes: &mut [u8]);

    /// Bytes of the message that follows.
    fn message_len(&self) -> u64;

    /// Bytes of the attachment behind the message, or `None` (the default) where the format has
    /// no field for it and the application finds it in the message.
    fn attachment_len(&self) -> Option<u64> {
        None
    }

    /// States the lengths of a frame that is being sent. A format without a field for the
    /// attachment ignores that one.
    ///
    /// # Errors
    ///
    /// [`Error::LengthOverflow`] when a field is too narrow.
    fn set_lengths(&mut self, message: u64, attachment: u64) -> Result<(), Error>;

    /// What the message's length would be if the peer had written it in the other byte order;
    /// `None` (the default) where that says nothing. It serves a [`Hint`](crate::Hint) only.
    fn swapped_len(&self) -> Option<u64> {
        None
    }
}
