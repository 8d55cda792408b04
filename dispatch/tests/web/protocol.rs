//! The rules of RFC 6455, after the groups of Autobahn's suite.

use crate::raw::{
    BINARY, CLOSE, CONTINUE, Frame, PING, PONG, Said, TEXT, all, close, closed_with, echo_of,
    frame, pieces, talk,
};
use crate::world::{Plan, Running};

/// One octet at a time is the hardest cut, and a whole segment none.
const CUTS: [usize; 2] = [1, usize::MAX];

/// What is said before a good end, in which the server repeats the code.
async fn fine(server: &Running, name: &str, frames: &[Frame], cut: usize, answers: &[(u8, &[u8])]) {
    let mut bytes = all(frames);
    bytes.extend(close(1000, b"bye").bytes());
    let said = talk(server, &bytes, cut).await;
    let mut want: Said = Vec::new();
    want.extend(
        answers
            .iter()
            .map(|(opcode, payload)| (*opcode, payload.to_vec())),
    );
    // A close overtakes what its peer still waits for, and is repeated with what it said.
    let (last, before) = said
        .split_last()
        .unwrap_or_else(|| panic!("{name}: nothing"));
    assert_eq!(last, &(CLOSE, b"\x03\xe8bye".to_vec()), "{name}");
    assert_eq!(before, want, "{name}");
}

/// What is ended with this code.
async fn broken(server: &Running, name: &str, bytes: &[u8], cut: usize, code: u16) {
    let said = talk(server, bytes, cut).await;
    assert_eq!(closed_with(&said), Some(code), "{name}: {said:?}");
}

/// Sends a request and waits for its answer, which a close would overtake.
async fn echoes(server: &Running, name: &str, frames: &[Frame], cut: usize, answer: &str) {
    use tokio::io::AsyncWriteExt;
    let mut stream = crate::raw::open(server).await;
    for piece in all(frames).chunks(cut) {
        stream.write_all(piece).await.expect("the server reads");
    }
    let mut said = Vec::new();
    while said.last().is_none_or(|(opcode, _)| *opcode != TEXT) {
        let next = crate::raw::read(&mut stream).await;
        said.push(next.unwrap_or_else(|| panic!("{name}: closed after {said:?}")));
    }
    let text = said.last().map(|(_, text)| text.clone());
    assert!(text.as_deref() == Some(answer.as_bytes()), "{name}");
    stream
        .write_all(&close(1000, b"").bytes())
        .await
        .expect("sent");
    let end = crate::raw::read(&mut stream).await;
    assert_eq!(end, Some((CLOSE, vec![3, 232])), "{name}");
    assert_eq!(crate::raw::read(&mut stream).await, None, "{name}");
}

#[tokio::test]
async fn group_1_messages_of_every_length_of_length() {
    let server = Plan::default().serve().await;
    for len in [26, 125, 126, 127, 128, 65_535, 65_536] {
        let (ask, answer) = echo_of(len);
        for cut in [997, usize::MAX] {
            let name = format!("{len} in {cut}");
            echoes(&server, &name, &[frame(TEXT, &ask)], cut, &answer).await;
        }
    }
    let (ask, answer) = echo_of(126);
    echoes(&server, "octets", &[frame(TEXT, ask)], 1, &answer).await;
    // An empty one carries nothing of the native wire.
    fine(&server, "empty", &[frame(BINARY, "")], usize::MAX, &[]).await;
}

#[tokio::test]
async fn group_2_pings_and_pongs() {
    let server = Plan::default().serve().await;
    let longest = vec![0xfe; 125];
    for cut in CUTS {
        for payload in [
            &b""[..],
            b"hello",
            b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff",
            &longest,
        ] {
            let name = format!("{} in {cut}", payload.len());
            fine(
                &server,
                &name,
                &[frame(PING, payload)],
                cut,
                &[(PONG, payload)],
            )
            .await;
            fine(&server, &name, &[frame(PONG, payload)], cut, &[]).await;
        }
        let both = [frame(PONG, "a"), frame(PING, "b")];
        fine(&server, "a pong before a ping", &both, cut, &[(PONG, b"b")]).await;
        let too_long = frame(PING, [0xfe; 126]).bytes();
        broken(&server, "a ping of 126", &too_long, cut, 1002).await;
        let too_long = frame(PONG, [0xfe; 126]).bytes();
        broken(&server, "a pong of 126", &too_long, cut, 1002).await;
    }
}

#[tokio::test]
async fn group_3_bits_that_mean_nothing() {
    let server = Plan::default().serve().await;
    for rsv in 1..8 {
        for (opcode, payload) in [
            (TEXT, &b"{}"[..]),
            (BINARY, b"\xb0"),
            (PING, b"x"),
            (PONG, b"x"),
            (CLOSE, b"\x03\xe8"),
        ] {
            let name = format!("{rsv} on {opcode}");
            let bytes = frame(opcode, payload).rsv(rsv).bytes();
            broken(&server, &name, &bytes, usize::MAX, 1002).await;
        }
        let pieces = [frame(TEXT, "{").more(), frame(CONTINUE, "}").rsv(rsv)];
        let name = format!("{rsv} on a fragment");
        broken(&server, &name, &all(&pieces), 1, 1002).await;
    }
}

#[tokio::test]
async fn group_4_opcodes_that_there_are_not() {
    let server = Plan::default().serve().await;
    for opcode in (3..8).chain(11..16) {
        for payload in ["", "x"] {
            let name = format!("{opcode} with {payload:?}");
            broken(&server, &name, &frame(opcode, payload).bytes(), 1, 1002).await;
        }
        let within = [frame(TEXT, "{").more(), frame(opcode, "")];
        let name = format!("{opcode} within a message");
        broken(&server, &name, &all(&within), usize::MAX, 1002).await;
    }
}

#[tokio::test]
async fn group_5_fragments() {
    let server = Plan::default().serve().await;
    let (ask, answer) = echo_of(100);
    for size in [1, 2, 7, 99] {
        for cut in CUTS {
            let frames = pieces(TEXT, ask.as_bytes(), size);
            echoes(&server, &format!("pieces of {size}"), &frames, cut, &answer).await;
            let mut pinged = Vec::new();
            for piece in frames {
                pinged.extend([frame(PING, "p"), piece]);
            }
            echoes(
                &server,
                &format!("pings between {size}"),
                &pinged,
                cut,
                &answer,
            )
            .await;
        }
    }
    let empty = [
        frame(TEXT, "").more(),
        frame(CONTINUE, "").more(),
        frame(CONTINUE, &ask),
    ];
    echoes(&server, "empty fragments", &empty, 1, &answer).await;
    for (name, frames) in [
        (
            "a ping in two",
            vec![frame(PING, "a").more(), frame(CONTINUE, "b")],
        ),
        (
            "a pong in two",
            vec![frame(PONG, "a").more(), frame(CONTINUE, "b")],
        ),
        (
            "a close in two",
            vec![frame(CLOSE, "").more(), frame(CONTINUE, "")],
        ),
        ("a first continuation", vec![frame(CONTINUE, "a")]),
        (
            "a first continuation of more",
            vec![frame(CONTINUE, "a").more()],
        ),
        (
            "a continuation of nothing after a message",
            vec![frame(TEXT, &ask), frame(CONTINUE, "a")],
        ),
        (
            "a message within a message",
            vec![frame(TEXT, "{").more(), frame(TEXT, "}")],
        ),
        (
            "another kind within a message",
            vec![frame(TEXT, "{").more(), frame(BINARY, "}")],
        ),
        (
            "a fragment of another message",
            vec![frame(TEXT, "{").more(), frame(TEXT, "}").more()],
        ),
    ] {
        for cut in CUTS {
            broken(&server, name, &all(&frames), cut, 1002).await;
        }
    }
}

#[tokio::test]
async fn group_6_utf_8() {
    let server = Plan::default().serve().await;
    for good in [
        "κόσμε",
        "Hello-µ@ßöäüàá-UTF-8!!",
        "\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
        "\u{d7ff}\u{e000}\u{fffd}\u{fffe}",
        "\u{fdd0}\u{1fffe}",
    ] {
        let ask = format!(r#"{{"type":"echo","text":"{good}"}}"#);
        let answer = format!(r#"{{"reply":{{"text":"{good}"}}}}"#);
        // Every character is cut somewhere.
        for size in [1, 3, 1000] {
            let frames = pieces(TEXT, ask.as_bytes(), size);
            echoes(&server, good, &frames, usize::MAX, &answer).await;
        }
    }
    let bad: [&[u8]; 28] = [
        b"\x80",
        b"\xbf",
        b"\x80\xbf\x80\xbf",
        b"\xc0 \xc1 ",
        b"\xc3",
        b"\xe0\x80",
        b"\xef\xbf",
        b"\xf0\x80\x80",
        b"\xf7\xbf\xbf",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xfe",
        b"\xff",
        b"\xfe\xfe\xff\xff",
        // Longer than they have to be.
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xf8\x80\x80\x80\xaf",
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xf0\x8f\xbf\xbf",
        // Halves of surrogate pairs.
        b"\xed\xa0\x80",
        b"\xed\xad\xbf",
        b"\xed\xbf\xbf",
        b"\xed\xa0\x80\xed\xb0\x80",
        // Beyond the last one.
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    ];
    for bad in bad {
        let name = format!("{bad:02x?}");
        let ask = [&b"{\"type\":\""[..], bad, b"\"}"].concat();
        broken(&server, &name, &frame(TEXT, &ask).bytes(), 1, 1007).await;
        broken(&server, &name, &frame(TEXT, bad).bytes(), usize::MAX, 1007).await;
        let cut = all(&pieces(TEXT, &ask, 1));
        broken(&server, &name, &cut, usize::MAX, 1007).await;
    }
    // A character that the last fragment leaves in half.
    let half = [frame(TEXT, b"{\xc3").more(), frame(CONTINUE, b"")];
    broken(&server, "half", &all(&half), 1, 1007).await;
}

#[tokio::test]
async fn group_7_closes() {
    let server = Plan::default().serve().await;
    let good = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ];
    for code in good {
        for reason in [&b""[..], b"bye", &[b'x'; 123]] {
            let said = talk(&server, &close(code, reason).bytes(), 1).await;
            let want = [&code.to_be_bytes()[..], reason].concat();
            assert_eq!(said, [(CLOSE, want)], "{code}");
        }
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        let name = format!("code {code}");
        broken(&server, &name, &close(code, b"").bytes(), usize::MAX, 1002).await;
        broken(&server, &name, &close(code, b"bye").bytes(), 1, 1002).await;
    }
    let said = talk(&server, &frame(CLOSE, b"").bytes(), 1).await;
    assert_eq!(said, [(CLOSE, Vec::new())], "without a code");
    broken(
        &server,
        "half a code",
        &frame(CLOSE, b"\x03").bytes(),
        1,
        1002,
    )
    .await;
    let long = close(1000, &[b'x'; 124]).bytes();
    broken(&server, "a reason of 124", &long, usize::MAX, 1002).await;
    let bad = close(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80").bytes();
    broken(&server, "a reason that is no text", &bad, 1, 1007).await;
    // Nothing is heard behind a close.
    for after in [
        frame(PING, "x"),
        frame(TEXT, echo_of(50).0),
        close(1001, b""),
    ] {
        let bytes = all(&[close(1000, b""), after]);
        let said = talk(&server, &bytes, usize::MAX).await;
        assert_eq!(said, [(CLOSE, vec![3, 232])]);
    }
}

#[tokio::test]
async fn groups_9_and_10_long_messages() {
    let server = Plan::default().serve().await;
    let (ask, answer) = echo_of(65_536);
    for size in [64, 256, 1_000, 1_300, 4_096, 16_384, 65_535] {
        let frames = pieces(TEXT, ask.as_bytes(), size);
        echoes(&server, &format!("in {size}"), &frames, usize::MAX, &answer).await;
    }
    // Before a login a message has 64 KiB.
    let (long, _) = echo_of(65_537);
    for size in [64, 1_300, 65_536, usize::MAX] {
        let bytes = all(&pieces(TEXT, long.as_bytes(), size.min(long.len())));
        broken(
            &server,
            &format!("too long in {size}"),
            &bytes,
            usize::MAX,
            1009,
        )
        .await;
        let binary = all(&pieces(BINARY, &vec![0xb0; 65_537], size.min(65_537)));
        broken(
            &server,
            &format!("too long in {size}"),
            &binary,
            usize::MAX,
            1009,
        )
        .await;
    }
    // The length alone is enough.
    for len in [65_537_u64, 1 << 32, 1 << 63, u64::MAX] {
        let mut header = vec![0x81, 0xff];
        header.extend(len.to_be_bytes());
        header.extend([0; 4]);
        broken(&server, &format!("{len} announced"), &header, 1, 1009).await;
    }
}

#[tokio::test]
async fn frames_without_a_mask_are_refused() {
    let server = Plan::default().serve().await;
    for (opcode, payload) in [
        (TEXT, "{}"),
        (BINARY, "x"),
        (PING, ""),
        (PONG, ""),
        (CLOSE, "\u{3}\u{e8}"),
    ] {
        for cut in CUTS {
            let bytes = frame(opcode, payload).unmasked().bytes();
            broken(&server, &format!("{opcode}"), &bytes, cut, 1002).await;
        }
    }
    let second = [frame(TEXT, "{").more(), frame(CONTINUE, "}").unmasked()];
    broken(&server, "a fragment", &all(&second), usize::MAX, 1002).await;
}
