//! The slot between a connection's task and a handler that reads its upload.

use std::io;

use loom::thread;
use packetboat_framing::{Body, BodyExt, Chunk, Error};

use crate::bell::Bell;
use crate::sync::Arc;
use crate::task::{block_on, every_order, glance};
use crate::upload::{Feed, Upload, upload, upload_with_bell};

/// A chunk at a time passes from the connection to the handler, whole and in order, and then the
/// end of it all.
pub fn chunks_pass_one_at_a_time() {
    every_order(Some(4), || {
        let (mut upload, feed) = upload(3);
        let feeding = thread::spawn(move || {
            block_on(async {
                assert!(feed.ready().await && give(&feed, b"ab"));
                assert!(feed.ready().await && give(&feed, b"c"));
            });
        });
        assert_eq!(block_on(read(&mut upload)).expect("whole"), b"abc");
        feeding.join().expect("all was taken");
    });
}

/// The handler goes at any moment: the connection hears of it, also one that only waits for that,
/// and never waits for room that nobody makes.
pub fn a_handler_that_goes_is_noticed() {
    for takes in [false, true] {
        every_order(Some(4), move || {
            let (mut upload, feed) = upload(9);
            let feeding = thread::spawn(move || {
                block_on(async {
                    let mut given = 0;
                    while given < 2 && feed.ready().await {
                        given += usize::from(give(&feed, b"ab"));
                    }
                    feed.dropped().await;
                    assert!(!feed.ready().await, "it is gone");
                });
            });
            block_on(async {
                if takes {
                    let chunk = upload.chunk().await.expect("not cut");
                    assert_eq!(chunk.as_deref(), Some(&b"ab"[..]));
                }
            });
            drop(upload);
            feeding.join().expect("it ends");
        });
    }
}

/// Both drop what they wait with, in the middle of being told perhaps, and wait anew.
pub fn dropped_futures_lose_nothing() {
    every_order(Some(4), || {
        let (mut upload, feed) = upload(3);
        let feeding = thread::spawn(move || {
            block_on(async {
                give(&feed, b"ab");
                glance(feed.ready()).await;
                assert!(feed.ready().await && give(&feed, b"c"));
            });
        });
        let bytes = block_on(async {
            if glance(upload.gather()).await.is_none() {
                glance(upload.gather()).await;
            }
            read(&mut upload).await
        });
        assert_eq!(bytes.expect("whole"), b"abc");
        feeding.join().expect("all was taken");
    });
}

/// Under credit: the connection hears that the handler wants its upload, and of every byte that it
/// is done with, once, however the handler goes about it.
pub fn credit_is_given_back_exactly_once() {
    for reads in [Reads::Nothing, Reads::OnePiece, Reads::All] {
        every_order(Some(4), move || {
            let bell = Arc::<Bell>::default();
            let (mut upload, feed) = upload_with_bell(3, None, false, bell.ringer(7));
            let handling = thread::spawn(move || {
                block_on(async {
                    match reads {
                        Reads::Nothing => {}
                        Reads::OnePiece => assert!(read_one(&mut upload).await > 0),
                        Reads::All => {
                            assert_eq!(read(&mut upload).await.expect("whole"), b"abc");
                        }
                    }
                });
                // All that is read is given back without the upload having to go.
                matches!(reads, Reads::All).then_some(upload)
            });
            let mut looks = Looks::default();
            block_on(async {
                // As on the native wire: not before it is wanted, and then as it comes.
                while !looks.wanted && !looks.dropped {
                    looks.listen(&bell, &feed).await;
                }
                feed.append(b"ab");
                feed.append(b"c");
                feed.end(None);
                while !looks.dropped && looks.returned < 3 {
                    looks.listen(&bell, &feed).await;
                }
            });
            let upload = handling.join().expect("it ends");
            if upload.is_some() {
                assert!(looks.wanted && !looks.dropped && looks.returned == 3);
                drop(upload);
                block_on(looks.listen(&bell, &feed));
            }
            // What was fed to one that was gone is given back, too.
            looks.add(&feed);
            assert!(looks.dropped);
            assert_eq!(looks.returned, 3);
        });
    }
}

/// What came before an upload was cut, or failed, is read; then the reason, and no wait for ever.
pub fn the_end_comes_behind_the_last_byte() {
    for ends in [Ends::Dropped, Ends::Failed, Ends::Said] {
        every_order(Some(4), move || {
            let bell = Arc::<Bell>::default();
            let (mut upload, feed) = upload_with_bell(3, None, false, bell.ringer(7));
            let feeding = thread::spawn(move || {
                feed.append(b"a");
                feed.append(b"b");
                let reset = io::Error::from(io::ErrorKind::ConnectionReset).into();
                match ends {
                    Ends::Dropped => drop(feed),
                    Ends::Failed => feed.fail(reset),
                    // The connection lives on, and so does its end of the upload.
                    Ends::Said => {
                        feed.end(Some(reset));
                        return Some(feed);
                    }
                }
                None
            });
            let (came, error) = block_on(read_to_error(&mut upload));
            assert_eq!(came, b"ab");
            match ends {
                Ends::Dropped => assert!(matches!(error, Error::Truncated { received: 2, .. })),
                _ => assert!(error.is_disconnect(), "{error}"),
            }
            feeding.join().expect("it ends");
        });
    }
}

#[derive(Clone, Copy)]
enum Ends {
    Dropped,
    Failed,
    Said,
}

#[derive(Clone, Copy)]
enum Reads {
    Nothing,
    OnePiece,
    All,
}

/// What a connection has seen of an upload in all.
#[derive(Default)]
struct Looks {
    wanted: bool,
    dropped: bool,
    returned: usize,
}

impl Looks {
    /// Waits for the bell, and looks.
    async fn listen(&mut self, bell: &Bell, feed: &Feed) {
        let mut rung = Vec::new();
        bell.rung().await;
        bell.swap(&mut rung);
        assert_eq!(rung, [7], "once until it is looked at");
        self.add(feed);
    }

    fn add(&mut self, feed: &Feed) {
        let looked = feed.look();
        self.wanted |= looked.wanted;
        self.dropped |= looked.dropped;
        self.returned += looked.returned;
        assert!(self.returned <= 3, "given back twice");
    }
}

fn give(feed: &Feed, bytes: &[u8]) -> bool {
    feed.give(Chunk::from(bytes.to_vec()));
    true
}

async fn read(upload: &mut Upload) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = upload.chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// What comes of one that is cut, and why.
async fn read_to_error(upload: &mut Upload) -> (Vec<u8>, Error) {
    let mut bytes = Vec::new();
    loop {
        match upload.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => panic!("a byte is missing, and it says it is whole"),
            Err(error) => return (bytes, error),
        }
    }
}

/// The length of the next piece.
async fn read_one(upload: &mut Upload) -> usize {
    let chunk = upload.chunk().await.expect("not cut");
    chunk.map_or(0, |chunk| chunk.len())
}
