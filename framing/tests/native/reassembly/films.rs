//! What is sent: a few films, alike in all but a byte or their length.

use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    ops::Range,
    path::Path,
    sync::{LazyLock, Mutex, PoisonError},
};

use packetboat_framing::native::{Digest, Groups};

use crate::world::Dice;

pub(crate) const GROUP: u64 = Groups::BYTES;

/// The beginning of a table that has no two stretches alike, with perhaps one byte changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Film {
    pub(crate) size: u64,
    pub(crate) changed: Option<u64>,
    pub(crate) digest: Digest,
}

#[derive(Debug)]
pub(crate) struct Films {
    pub(crate) all: [Film; 4],
}

impl Film {
    fn new(size: u64, changed: Option<u64>) -> Self {
        // There are a few hundred, and hashing them is most of the work.
        type Named = HashMap<(u64, Option<u64>), Digest>;
        static DIGESTS: Mutex<Option<Named>> = Mutex::new(None);
        let changed = changed.filter(|at| *at < size);
        let mut digests = DIGESTS.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = digests
            .get_or_insert_default()
            .entry((size, changed))
            .or_insert_with(|| Digest::of(&bytes(changed, 0..size)));
        Self {
            size,
            changed,
            digest: *digest,
        }
    }

    /// Whether the file is the whole of it.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let mut file = File::open(path).expect("it is there");
        let mut buffer = [0; 64 * 1024];
        let mut at = 0;
        loop {
            let n = file.read(&mut buffer).expect("it is readable") as u64;
            if n == 0 || at + n > self.size {
                return at + n == self.size;
            }
            if bytes(self.changed, at..at + n) != buffer[..n as usize] {
                return false;
            }
            at += n;
        }
    }
}

impl Films {
    pub(crate) fn pick_all(dice: &mut Dice) -> Self {
        let mut size = || {
            let groups = [0, 0, 1, 1, 1, 2, 2, 3][dice.below(8) as usize];
            let more = [0, 1, -1, 1000, 1025, -1024, 70_000, 300_000][dice.below(8) as usize];
            (groups * GROUP).saturating_add_signed(more)
        };
        let sizes = [size(), size()];
        let mut changed = |size: u64| {
            let last = size.saturating_sub(1);
            let at = [0, size / 2, last, GROUP - 1, GROUP, 2 * GROUP + 7];
            Some(at[dice.below(6) as usize])
        };
        let [first, second] = sizes;
        Self {
            all: [
                Film::new(first, None),
                Film::new(first, changed(first)),
                Film::new(second, None),
                Film::new(second, changed(second)),
            ],
        }
    }

    pub(crate) fn pick(&self, dice: &mut Dice) -> usize {
        [0, 0, 0, 0, 0, 1, 2, 3][dice.below(8) as usize]
    }
}

/// Bytes of the table, one of them changed.
pub(crate) fn bytes(changed: Option<u64>, range: Range<u64>) -> Vec<u8> {
    let mut bytes = TABLE[range.start as usize..range.end as usize].to_vec();
    if let Some(at) = changed.filter(|at| range.contains(at)) {
        let byte = &mut bytes[(at - range.start) as usize];
        *byte = !*byte;
    }
    bytes
}

static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 1_u64;
    let mut table = Vec::with_capacity(4 << 20);
    while table.len() < 4 << 20 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        table.extend_from_slice(&(state >> 32).to_le_bytes()[..4]);
    }
    table
});
