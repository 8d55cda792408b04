//! What the tests share: every prefix, a device header, a decoder's story as plain values.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary takes this in and uses a part of it"
)]

use byteorder::{BigEndian, ByteOrder};
use packetboat_framing::{Decoder, Error, Event, Header, Limits, Prefix};

/// Every format of a prefix, with standard sizes and with the machine's own.
pub fn prefixes() -> Vec<Prefix> {
    let orders = ["<", ">", "!", "=", "@", ""];
    let formats = orders.iter().flat_map(|order| {
        "bBhHiIlLqQ"
            .chars()
            .map(move |code| format!("{order}{code}").parse())
    });
    formats
        .collect::<Result<_, _>>()
        .expect("all of them are in the table")
}

/// Limits that let through whatever a test likes to build, empty messages included.
pub fn roomy() -> Limits {
    Limits {
        max_message_bytes: 1 << 20,
        max_message_bytes_before_login: 1 << 20,
        min_message_bytes: 0,
        ..Limits::default()
    }
}

/// A game's packet: both lengths stand in the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Packet {
    pub player: u32,
    pub kind: u8,
    pub text: u16,
    pub screenshot: u32,
}

impl Packet {
    pub const MAGIC: u16 = 0xB0A7;
}

impl Header for Packet {
    fn size(&self) -> usize {
        13
    }

    fn read(&self, bytes: &[u8]) -> Result<Self, Error> {
        if BigEndian::read_u16(bytes) != Self::MAGIC {
            return Err(Error::InvalidHeader {
                reason: "no magic number",
                hint: None,
            });
        }
        Ok(Self {
            player: BigEndian::read_u32(&bytes[2..]),
            kind: bytes[6],
            text: BigEndian::read_u16(&bytes[7..]),
            screenshot: BigEndian::read_u32(&bytes[9..]),
        })
    }

    fn write(&self, bytes: &mut [u8]) {
        BigEndian::write_u16(bytes, Self::MAGIC);
        BigEndian::write_u32(&mut bytes[2..], self.player);
        bytes[6] = self.kind;
        BigEndian::write_u16(&mut bytes[7..], self.text);
        BigEndian::write_u32(&mut bytes[9..], self.screenshot);
    }

    fn message_len(&self) -> u64 {
        self.text.into()
    }

    fn attachment_len(&self) -> Option<u64> {
        Some(self.screenshot.into())
    }

    fn set_lengths(&mut self, message: u64, attachment: u64) -> Result<(), Error> {
        let overflow = |len, max| Error::LengthOverflow { len, max };
        self.text = message
            .try_into()
            .map_err(|_| overflow(message, u16::MAX.into()))?;
        let screenshot = attachment.try_into();
        self.screenshot = screenshot.map_err(|_| overflow(attachment, u32::MAX.into()))?;
        Ok(())
    }
}

/// What came out of a decoder. Pieces of one attachment are joined, because how it was cut is the
/// one thing that may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Message(Vec<u8>),
    Attachment(Vec<u8>),
    End,
    Error(String),
}

/// The rule of the tests: the first byte of a message is its attachment's length.
pub fn rule(message: &[u8]) -> u64 {
    message.first().map_or(0, |n| u64::from(*n) % 8)
}

/// Feeds the pieces one by one, decoding after each, and tells the whole story to the end.
pub fn story<'a, H: Header>(
    header: H,
    limits: &Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Seen> {
    let (mut decoder, mut seen) = (Decoder::new(header, limits), Vec::new());
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.decode() {
                Ok(None) => break,
                Ok(Some(Event::Message { header, message })) => {
                    let (message, stated) = (message.to_vec(), header.attachment_len());
                    if stated.is_none() {
                        decoder
                            .attachment(rule(&message))
                            .expect("within the limit");
                    }
                    seen.push(Seen::Message(message));
                }
                Ok(Some(Event::Attachment(bytes))) => match seen.last_mut() {
                    Some(Seen::Attachment(whole)) => whole.extend_from_slice(bytes),
                    _ => seen.push(Seen::Attachment(bytes.to_vec())),
                },
                Ok(Some(Event::End)) => seen.push(Seen::End),
                Err(error) => {
                    // The hint may know more when more bytes have come; the fact may not.
                    let text = error.to_string();
                    let fact = text.split(';').next().unwrap_or_default();
                    seen.push(Seen::Error(fact.to_owned()));
                    return seen;
                }
            }
        }
    }
    if let Err(error) = decoder.finish() {
        seen.push(Seen::Error(error.to_string()));
    }
    seen
}
