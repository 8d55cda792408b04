//! Files on a socket that begin where their receiver says.

use packetboat_framing::{
    Budget, Error, Limits, Source,
    native::{Attached, Code, Digest, Event, Moved, Outgoing, Role, Transport},
};
use tokio::net::{
    UnixStream,
    unix::{OwnedReadHalf, OwnedWriteHalf},
};

type Side = Transport<OwnedReadHalf, OwnedWriteHalf>;

/// Two sides on a socket that takes files from the kernel.
fn pair() -> (Side, Side) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let (limits, budget) = (Limits::default(), Budget::default());
    let side = |io: UnixStream, role| {
        let (read, write) = io.into_split();
        Transport::new(read, write, role, &limits, &budget)
    };
    (side(ours, Role::Client), side(theirs, Role::Server))
}

/// What a server answers with, and when a client says from where it wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Before the source is given.
    Before,
    /// Once the server waits for credit.
    Behind,
}

/// Asks for a file from an offset on: what came, and how it ended at either side.
async fn fetch(
    source: Source,
    from: u64,
    when: When,
) -> (Vec<u8>, Result<Option<Digest>, Code>, Option<Error>) {
    let (mut client, mut server) = pair();
    let size = source.len();
    let mut source = Some(source);
    let (mut came, mut outcome, mut unsent, mut left) = (Vec::new(), None, None, None);
    let digest = Digest([7; 32]);
    let asked = client
        .connection()
        .request(&Outgoing::json(), |out| serde_json::to_writer(out, "film"))
        .expect("there is room for it");
    loop {
        while let Some(event) = server.next_event().expect("no rule is broken") {
            let request = match event {
                Event::Message(message) => {
                    let request = message.request;
                    let reply = Outgoing {
                        attachment: Some(Attached::whole(size)),
                        ..Outgoing::json()
                    };
                    server
                        .connection()
                        .reply(request, &reply, |out| serde_json::to_writer(out, "here"))
                        .expect("it is in flight");
                    (when == When::Behind).then_some(request)
                }
                Event::Credit { request, .. } => Some(request),
                _ => None,
            };
            if let Some(request) = request
                && let Some(source) = source.take()
            {
                let sent = server.send(request, source, Some(digest));
                sent.expect("it is as long as announced");
            }
        }
        while let Some(event) = client.next_event().expect("no rule is broken") {
            match event {
                Event::Reply(_) => client
                    .receive(asked, Some(from))
                    .expect("it can begin there"),
                Event::Data { bytes, .. } => {
                    came.extend_from_slice(bytes);
                    let n = bytes.len();
                    client.consumed(asked, n);
                }
                Event::End { outcome: end, .. } => outcome = Some(end),
                _ => {}
            }
        }
        if let Some(outcome) = outcome {
            assert!(unsent.is_some() || left == Some(0), "the server knows");
            return (came, outcome, unsent);
        }
        tokio::select! {
            moved = client.drive(true) => drop(moved.expect("both live")),
            moved = server.drive(true) => match moved.expect("both live") {
                Moved::Sent { left: now, .. } => left = Some(now),
                Moved::Unsent { error, .. } => unsent = Some(error),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_file_is_sent_from_where_its_receiver_says() {
    let film: Vec<u8> = (0..3_000_000_u32).map(|i| (i / 3 % 251) as u8).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("film");
    std::fs::write(&path, &film).expect("writable");
    for when in [When::Before, When::Behind] {
        for from in [0, 1, 1_048_576, 2_999_999, 3_000_000] {
            for is_file in [true, false] {
                let source = match is_file {
                    true => Source::open(&path).await.expect("it is there"),
                    false => Source::bytes(film.clone()),
                };
                let (came, outcome, unsent) = fetch(source, from, when).await;
                assert!(came == film[from as usize..], "{when:?} {from} {is_file}");
                assert_eq!(outcome, Ok(Some(Digest([7; 32]))));
                assert!(unsent.is_none());
            }
        }
    }
}

#[tokio::test]
async fn a_reader_that_cannot_begin_there_is_broken_off() {
    for when in [When::Before, When::Behind] {
        let source = Source::reader(&b"0123456789"[..], 10);
        let (came, outcome, unsent) = fetch(source, 3, when).await;
        assert_eq!((came.len(), outcome), (0, Err(Code::SOURCE_FAILED)));
        assert!(matches!(unsent, Some(Error::NotResumable { offset: 3 })));
    }
}
