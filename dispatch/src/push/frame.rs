//! A push as it goes out: written once, shared by all who get it.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use packetboat_framing::native::type_hash;
use serde::Serialize;

use crate::push::broker::Publication;
use crate::push::position::Position;
use crate::push::slow::SlowReader;

/// A push to be shared.
///
/// ```text
/// {"type":"said","room":"lobby","epoch":"7f3a","seq":41,"data": | {"text":"hello"} | }
///                          head, per node                         data, once
/// ```
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) message_type: u32,
    head: Vec<u8>,
    data: Bytes,
    pub(crate) slow: SlowReader,
    pub(crate) room: Option<Arc<str>>,
    /// Where it stands in its room's stream, if the room keeps it.
    pub(crate) position: Option<Position>,
}

/// What a reader has lost of a room's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) room: Arc<str>,
    /// Where the stream goes on: the next message has the number behind it.
    pub(crate) position: Position,
    /// How many messages, where that is known.
    pub(crate) missed: Option<u64>,
}

impl Frame {
    /// To one connection.
    pub(crate) fn direct(name: &str, data: Bytes, slow: SlowReader) -> Self {
        Self::new(name, data, slow, None, None)
    }

    /// To the members of a room.
    pub(crate) fn in_room(
        room: &Arc<str>,
        publication: Publication,
        position: Option<Position>,
    ) -> Self {
        let Publication {
            message_type,
            data,
            slow,
            ..
        } = publication;
        Self::new(&message_type, data, slow, Some(Arc::clone(room)), position)
    }

    fn new(
        name: &str,
        data: Bytes,
        slow: SlowReader,
        room: Option<Arc<str>>,
        position: Option<Position>,
    ) -> Self {
        #[derive(Serialize)]
        struct Head<'a> {
            r#type: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            room: Option<&'a str>,
            #[serde(flatten)]
            position: Option<&'a Position>,
        }
        let head = Head {
            r#type: name,
            room: room.as_deref(),
            position: position.as_ref(),
        };
        let mut head = to_json(&head);
        head.pop();
        head.extend_from_slice(br#","data":"#);
        Self {
            message_type: type_hash(name),
            head,
            data,
            slow,
            room,
            position,
        }
    }

    /// Its bytes on the wire, the frame's header not counted.
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.data.len() + 1
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.head)?;
        out.write_all(&self.data)?;
        out.write_all(b"}")
    }

    /// What its reader has to be told if it does not get it.
    pub(crate) fn lost(&self) -> Option<Gap> {
        Some(Gap {
            room: self.room.clone()?,
            position: self.position.clone()?,
            missed: Some(1),
        })
    }
}

impl Gap {
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Notice<'a> {
            room: &'a str,
            #[serde(flatten)]
            position: &'a Position,
            gap: Missed,
        }
        #[derive(Serialize)]
        struct Missed {
            missed: Option<u64>,
        }
        let notice = Notice {
            room: &self.room,
            position: &self.position,
            gap: Missed {
                missed: self.missed,
            },
        };
        out.write_all(&to_json(&notice))
    }

    /// Takes in one that follows it, with nothing between the two.
    pub(crate) fn take_in(&mut self, later: &Self) {
        let same = self.position.epoch == later.position.epoch;
        self.missed = match (self.missed, later.missed) {
            (Some(a), Some(b)) if same => Some(a + b),
            _ => None,
        };
        self.position = later.position.clone();
    }
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and numbers always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).expect("a vector takes every byte");
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn a_push_is_its_message_with_its_place_around_it() {
        let data = Bytes::from_static(br#"{"text":"hi"}"#);
        let frame = Frame::direct("said \"it\"", data.clone(), SlowReader::Wait);
        let out = text(|out| frame.write(out));
        assert_eq!(out, r#"{"type":"said \"it\"","data":{"text":"hi"}}"#);
        assert_eq!(frame.len(), out.len());
        let publication = Publication::new("said", data, SlowReader::Wait);
        let position = Position {
            epoch: "7f".into(),
            seq: 41,
        };
        let frame = Frame::in_room(&"lobby".into(), publication, Some(position));
        assert_eq!(
            text(|out| frame.write(out)),
            r#"{"type":"said","room":"lobby","epoch":"7f","seq":41,"data":{"text":"hi"}}"#
        );
        let gap = frame.lost().expect("it has a place");
        assert_eq!(
            text(|out| gap.write(out)),
            r#"{"room":"lobby","epoch":"7f","seq":41,"gap":{"missed":1}}"#
        );
    }
}
