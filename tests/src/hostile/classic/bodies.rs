//! Files that follow a message, or do not.

use serde_json::{Value, json};

use crate::hostile::classic::{Peer, frame, script};
use crate::hostile::line::End;
use crate::hostile::script::{Played, Script, wrong};
use crate::hostile::target::{Need, body};

/// What it is, and the size that is stated, or `None` for none: refused, and closed.
const BAD_SIZES: [(&str, Option<&str>); 11] = [
    ("sizes.missing", None),
    ("sizes.minus-one", Some("-1")),
    ("sizes.fraction", Some("1.5")),
    ("sizes.whole-fraction", Some("5.0")),
    ("sizes.exponent", Some("1e1")),
    ("sizes.text", Some("\"5\"")),
    ("sizes.null", Some("null")),
    ("sizes.nan", Some("NaN")),
    ("sizes.2-to-the-63rd", Some("9223372036854775808")),
    ("sizes.2-to-the-64th", Some("18446744073709551616")),
    ("sizes.array", Some("[5]")),
];

pub(super) fn scripts() -> Vec<Script> {
    let bad_sizes = BAD_SIZES.iter().map(|(name, size)| {
        script(name, move |peer| {
            let message = peer.message(Need::Upload, 0)?;
            let message = sized(peer, &message, *size)?;
            peer.say(message);
            peer.refused("bad_attachment_size")?;
            peer.closed()
        })
    });
    let others = [
        script("sizes.over-the-limit", over_the_limit),
        script("sizes.twice", twice),
        script("bodies.whole", whole),
        script("bodies.empty", empty),
        script("bodies.reply-comes-before-a-pipelined-one", pipelined),
        script("bodies.cut", cut),
        script("bodies.reset", reset),
    ];
    bad_sizes
        .chain(others)
        .map(|script| script.needs(Need::Upload))
        .chain([
            script(
                "bodies.frame-smuggled-behind-an-unknown-type",
                smuggled_behind_no_type,
            ),
            script(
                "bodies.frame-smuggled-behind-a-refusal",
                smuggled_behind_a_refusal,
            )
            .needs(Need::Upload),
        ])
        .collect()
}

/// The message with this text as its size.
fn sized(peer: &Peer<'_>, message: &Value, size: Option<&str>) -> Played<String> {
    const HOLE: u64 = 1_234_567_890_123;
    let key = size_key(peer)?;
    let mut message = message.clone();
    let Some(size) = size else {
        message.as_object_mut().map(|members| members.remove(&key));
        return Ok(message.to_string());
    };
    message[&key] = json!(HOLE);
    Ok(message.to_string().replace(&HOLE.to_string(), size))
}

fn size_key(peer: &Peer<'_>) -> Played<String> {
    let ask = peer.target.ask(Need::Upload);
    match ask.and_then(|ask| ask.size_key()) {
        Some(key) => Ok(key.to_owned()),
        None => wrong("--upload has no \"$size\""),
    }
}

fn over_the_limit(peer: &mut Peer<'_>) -> Played {
    let message = peer.message(Need::Upload, i64::MAX as u64)?;
    peer.say(message.to_string());
    peer.refused("attachment_too_large")?;
    peer.closed()
}

/// Two sizes would let two readers disagree on where the next message begins.
fn twice(peer: &mut Peer<'_>) -> Played {
    let message = peer.message(Need::Upload, 0)?.to_string();
    let open = message.strip_suffix('}').unwrap_or(&message);
    let key = size_key(peer)?;
    peer.say(format!("{open},\"{key}\":90}}"));
    peer.refused("repeated_key")?;
    peer.closed()
}

fn whole(peer: &mut Peer<'_>) -> Played {
    let message = peer.message(Need::Upload, 10)?;
    peer.say(message.to_string());
    peer.line.send(&body());
    peer.reply()?;
    peer.lives()
}

fn empty(peer: &mut Peer<'_>) -> Played {
    let message = peer.message(Need::Upload, 0)?;
    peer.say(message.to_string());
    peer.reply()?;
    peer.lives()
}

fn pipelined(peer: &mut Peer<'_>) -> Played {
    let message = peer.message(Need::Upload, 10)?;
    let upload = frame(message.to_string().as_bytes());
    let good = peer.good();
    peer.line
        .send(&[&upload[..], &body(), &good, &good].concat());
    peer.reply()?;
    peer.answered()?;
    peer.answered()?;
    peer.lives()
}

/// Half of a file and then the end: an answer may come, a frame made of what is missing may not.
fn cut(peer: &mut Peer<'_>) -> Played {
    let message = peer.message(Need::Upload, 10)?;
    peer.say(message.to_string());
    peer.line.send(&body()[..5]);
    peer.line.shut();
    match peer.line.drained()? {
        End::Fin => Ok(()),
        End::Reset => wrong("a reset"),
    }
}

fn reset(peer: &mut Peer<'_>) -> Played {
    let message = peer.message(Need::Upload, 10)?;
    peer.say(message.to_string());
    peer.line.send(&body()[..5]);
    let fresh = Peer::connect(peer.target)?;
    std::mem::replace(peer, fresh).line.reset();
    Ok(())
}

/// A whole message within what follows another: it must not be answered.
fn smuggled_behind_no_type(peer: &mut Peer<'_>) -> Played {
    let good = peer.good();
    // Where nothing is known of uploads, any type that states a size will do.
    let ask = peer.target.ask(Need::Upload);
    let key = ask.and_then(|ask| ask.size_key()).unwrap_or("file_size");
    let message = json!({"type": "no such type", key: good.len()});
    peer.say(message.to_string());
    peer.line.send(&good);
    peer.refused("unknown_type")?;
    peer.closed()
}

/// The same behind an upload that is refused: its bytes are thrown away, or the connection is closed.
fn smuggled_behind_a_refusal(peer: &mut Peer<'_>) -> Played {
    let good = peer.good();
    let mut message = peer.message(Need::Upload, good.len() as u64)?;
    // No handler takes an array where a string or a number was due.
    let key = size_key(peer)?;
    for (_, value) in message
        .as_object_mut()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !["type", "session"].contains(&name.as_str()) && **name != key)
    {
        *value = json!([[]]);
    }
    let upload = frame(message.to_string().as_bytes());
    peer.line.send(&[&upload[..], &good, &good].concat());
    let reply = peer.reply()?;
    if Some(&reply) == peer.target.answers.classic.as_ref() {
        return wrong("the file was taken for a message");
    }
    // The one behind the file, which a close would keep from being answered.
    peer.answered()?;
    peer.line.shut();
    peer.closed()
}
