//! Lists that a classic client can read.
//!
//! Such a client reads a reply with one `recv`, which gets at most 65,000 bytes in one piece. A
//! list therefore carries the newest rows that fit, and says when there are more.

use std::io::{self, Write};

use packetboat_orm::{Executor, Model, Result, Select};
use serde::Serialize;

/// Bytes of a reply at most, its length prefix included.
pub const MAX_REPLY: usize = 65_000;

/// Bytes set aside for what is not a row: prefix, `flag`, `msg`, `session`, keys and brackets.
const FRAME: usize = 600;

/// Rows read at most: the shortest row there is takes 32 bytes in its two spellings.
const MAX_ROWS: u64 = (MAX_REPLY / 32) as u64;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    /// How many of the newest to leave out.
    pub offset: u32,
    /// How many rows at most.
    pub limit: Option<u32>,
}

/// Reads the rows of `select` that fit into one reply, and says whether there are more.
///
/// `cost` is what a row takes on the wire, in all its spellings, without the commas between them.
///
/// # Errors
///
/// The database's.
pub async fn rows<M: Model, T>(
    select: Select<M>,
    page: Page,
    db: impl Executor,
    mut row: impl FnMut(M) -> T,
    cost: impl Fn(&T) -> usize,
) -> Result<(Vec<T>, bool)> {
    let asked = page.limit.map_or(MAX_ROWS, u64::from).min(MAX_ROWS);
    // One more than asked, to know whether there are more.
    let mut stream = select
        .offset(page.offset.into())
        .limit(asked + 1)
        .stream(db);
    let mut left = MAX_REPLY - FRAME;
    let mut rows = Vec::new();
    while let Some(model) = stream.next().await {
        let next = row(model?);
        let full = rows.len() as u64 == asked;
        match left.checked_sub(cost(&next)) {
            Some(rest) if !full => left = rest,
            // A limit that was asked for and reached is no cut.
            _ => return Ok((rows, page.limit.is_none() || !full)),
        }
        rows.push(next);
    }
    Ok((rows, false))
}

/// Bytes of a value as JSON, and of the comma after it.
pub fn json_len(value: &impl Serialize) -> usize {
    struct Count(usize);

    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(1);
    serde_json::to_writer(&mut count, value).expect("rows are strings and numbers");
    count.0
}
