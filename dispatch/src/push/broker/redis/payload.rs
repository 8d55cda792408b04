//! A publication as bytes, in a stream and in a channel.
//!
//! ```text
//!  in a stream                 {"t":"said","s":"wait"} LF data
//!  in a channel, kept          EPOCH SP SEQ LF payload
//!  in a channel, not kept      - LF payload
//!  in a channel, left out      EPOCH SP SEQ LF
//! ```

use ::redis::Value;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::delivery;
use crate::push::broker::{Delivery, MemberId, Publication};
use crate::push::slow::SlowReader;

/// What stands before what is not kept.
pub(super) const PASSING: &[u8] = b"-\n";

/// What is known of a message besides its data.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    t: std::borrow::Cow<'a, str>,
    s: SlowReader,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<(u64, u64)>,
}

pub(super) fn encode(publication: &Publication) -> Vec<u8> {
    let head = Head {
        t: (&*publication.message_type).into(),
        s: publication.slow.clone(),
        x: publication.except.map(|m| (m.node, m.connection)),
    };
    let mut bytes = serde_json::to_vec(&head).expect("strings and numbers always serialise");
    // JSON has no line feed of its own.
    bytes.push(b'\n');
    bytes.extend_from_slice(&publication.data);
    bytes
}

fn decode(payload: &Bytes) -> Option<Publication> {
    let (head, data) = split(payload)?;
    let Head { t, s, x } = serde_json::from_slice(&head).ok()?;
    Some(Publication {
        except: x.map(|(node, connection)| MemberId { node, connection }),
        ..Publication::new(&*t, data, s)
    })
}

/// What came in a channel. What cannot be read counts as lost.
pub(super) fn delivered(message: Vec<u8>) -> Delivery {
    let message = Bytes::from(message);
    let Some((head, payload)) = split(&message) else {
        return Delivery::Lost;
    };
    let Some(publication) = decode(&payload) else {
        return Delivery::Lost;
    };
    if &*head == b"-" {
        return Delivery::Passing(publication);
    }
    let at = std::str::from_utf8(&head).ok();
    let at = at.and_then(|at| at.split_once(' '));
    match at.and_then(|(epoch, seq)| Some((epoch, seq.parse().ok()?))) {
        Some((epoch, seq)) => delivery(&epoch.into(), seq, publication),
        None => Delivery::Lost,
    }
}

/// An entry of a stream. One that cannot be read is a hole.
pub(super) fn kept((id, fields): (String, Vec<Value>)) -> Option<(u64, Publication)> {
    let (seq, _) = id.split_once('-')?;
    let Some(Value::BulkString(payload)) = fields.into_iter().nth(5) else {
        return None;
    };
    Some((seq.parse().ok()?, decode(&payload.into())?))
}

/// What stands before the first line feed, and after it.
fn split(bytes: &Bytes) -> Option<(Bytes, Bytes)> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((bytes.slice(..at), bytes.slice(at + 1..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_comes_out_as_it_went_in() {
        let publication = Publication {
            except: Some(MemberId {
                node: u64::MAX,
                connection: 7,
            }),
            ..Publication::new(
                "said \"名字\"",
                Bytes::from("{\n}"),
                SlowReader::KeepLatest("a\nb".to_owned()),
            )
        };
        let payload = encode(&publication);
        let message = [b"7f3a 41\n", &*payload].concat();
        let expected = delivery(&"7f3a".into(), 41, publication.clone());
        assert_eq!(delivered(message), expected);
        let message = [PASSING, &*payload].concat();
        assert_eq!(delivered(message), Delivery::Passing(publication));
    }

    #[test]
    fn what_cannot_be_read_is_lost_and_not_silent() {
        for junk in [
            &b""[..],
            b"7f3a 41\n",
            b"7f3a x\n{}\n",
            b"-\n{\"t\":1}\n",
            b"\xff\n\n",
        ] {
            assert_eq!(delivered(junk.to_vec()), Delivery::Lost, "{junk:?}");
        }
    }
}
