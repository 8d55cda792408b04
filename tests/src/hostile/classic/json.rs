//! Messages that are no JSON, too much of it, or not what was asked for.

use serde_json::Value;

use crate::hostile::classic::{Peer, script};
use crate::hostile::script::{Played, Script, wrong};

/// What it is, and the message: refused as `bad_json`, and closed, since what follows it is not known.
const NO_JSON: [(&str, &[u8]); 14] = [
    ("json.array", b"[]"),
    ("json.null", b"null"),
    ("json.string", b"\"x\""),
    ("json.word", b"nope"),
    ("json.unfinished", b"{\"type\": \"a\""),
    ("json.two-objects", b"{\"type\": \"a\"}{}"),
    ("json.trailing-comma", b"{\"type\": \"a\",}"),
    ("json.comment", b"{\"type\": \"a\" /* b */}"),
    ("json.single-quotes", b"{'type': 'a'}"),
    ("json.byte-order-mark", b"\xef\xbb\xbf{\"type\": \"a\"}"),
    ("json.latin-1", b"{\"type\": \"caf\xe9\"}"),
    ("json.utf-16", b"{\0\"\0t\0\"\0:\x001\0}\0"),
    ("json.overlong-utf-8", b"{\"type\": \"\xc0\xaf\"}"),
    ("json.line-end-in-a-string", b"{\"type\": \"a\nb\"}"),
];

/// What it is, the message and its refusal: the connection lives.
const REFUSED: [(&str, &str, &str); 9] = [
    ("types.missing", "{}", "missing_type"),
    ("types.number", "{\"type\": 7}", "missing_type"),
    ("types.null", "{\"type\": null}", "missing_type"),
    ("types.nan", "{\"type\": NaN}", "missing_type"),
    (
        "types.lone-surrogate",
        r#"{"type": "\ud800"}"#,
        "missing_type",
    ),
    (
        "types.unknown",
        "{\"type\": \"no such type\"}",
        "unknown_type",
    ),
    ("types.empty", "{\"type\": \"\"}", "unknown_type"),
    ("types.nul", r#"{"type": "\u0000"}"#, "unknown_type"),
    (
        "types.path",
        "{\"type\": \"../../etc/passwd\"}",
        "unknown_type",
    ),
];

/// What it is, and what stands beside the good message's own keys: it changes nothing.
const BESIDE: [(&str, &str); 4] = [
    ("json.nan-beside", "NaN"),
    ("json.infinity-beside", "[-Infinity, Infinity]"),
    ("json.lone-surrogate-beside", r#""\udc00""#),
    ("json.huge-number-beside", "1e999999999"),
];

/// A key of the envelope that stands twice: refused, and closed.
const TWICE: [(&str, &str); 3] = [
    ("json.type-twice", r#"{"type": "a", "type": "b"}"#),
    (
        "json.type-twice-escaped",
        r#"{"type": "a", "\u0074ype": "b"}"#,
    ),
    (
        "json.session-twice",
        r#"{"type": "a", "session": "b", "session": "c"}"#,
    ),
];

pub(super) fn scripts() -> Vec<Script> {
    let no_json = NO_JSON.iter().map(|(name, message)| {
        script(name, move |peer| {
            peer.say(message);
            peer.refused("bad_json")?;
            peer.closed()
        })
    });
    let refused = REFUSED.iter().map(|(name, message, code)| {
        script(name, move |peer| {
            peer.say(message);
            peer.refused(code)?;
            peer.lives()
        })
    });
    let beside = BESIDE.iter().map(|(name, value)| {
        script(name, move |peer| {
            let message = with(&peer.target.good, value);
            peer.say(message);
            peer.answered()?;
            peer.lives()
        })
    });
    let twice = TWICE.iter().map(|(name, message)| {
        script(name, move |peer| {
            peer.say(message);
            peer.refused("repeated_key")?;
            peer.closed()
        })
    });
    let others = [
        script("json.deep", deep),
        script("json.elements", elements),
        script("json.keys", keys),
    ];
    no_json
        .chain(refused)
        .chain(beside)
        .chain(twice)
        .chain(others)
        .collect()
}

/// A message with one key more, whose value is this text.
fn with(message: &Value, value: &str) -> String {
    let text = message.to_string();
    let open = text.strip_suffix('}').unwrap_or(&text);
    format!("{open},\"beside\":{value}}}")
}

fn deep(peer: &mut Peer<'_>) -> Played {
    let depth = peer.target.max_message / 3;
    let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let message = with(&peer.target.good, &value);
    peer.say(message);
    peer.refused("too_deep")?;
    peer.closed()
}

/// As many values as a message holds, none of them asked for.
fn elements(peer: &mut Peer<'_>) -> Played {
    let value = format!("[{}[]]", "[],".repeat(peer.target.max_message / 4));
    bomb(peer, &value)
}

/// The same with keys.
fn keys(peer: &mut Peer<'_>) -> Played {
    let count = peer.target.max_message / 16;
    let members: Vec<String> = (0..count).map(|n| format!("\"{n:06}\":0")).collect();
    bomb(peer, &format!("{{{}}}", members.join(",")))
}

fn bomb(peer: &mut Peer<'_>, value: &str) -> Played {
    let message = with(&peer.target.good, value);
    if message.len() > peer.target.max_message {
        return wrong("the good message is too long for this script");
    }
    peer.say(message);
    peer.answered()?;
    peer.lives()
}
