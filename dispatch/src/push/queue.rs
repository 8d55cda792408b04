//! The pushes that wait for one reader, and which of them go when it is slow. Knows no lock, no
//! clock and no task.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::push::frame::{Frame, Gap};
use crate::push::slow::SlowReader;

/// What waits.
#[derive(Debug)]
pub(crate) enum Entry {
    Push(Arc<Frame>),
    /// In the place of what was lost.
    Gap(Gap),
}

/// What became of a push that was offered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Offered {
    pub(crate) outcome: Outcome,
    /// Pushes that were dropped for it, itself perhaps.
    pub(crate) dropped: u64,
    /// Pushes that it has replaced.
    pub(crate) replaced: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It waits, or was dropped as it has declared.
    #[default]
    Done,
    /// There is no room, and it declares to wait.
    Full,
    /// There is no room, and it declares that the reader is to be disconnected.
    Cut,
}

/// ```text
///   oldest                                                    newest
///   | push | push | gap 17-20 | latest "a" | push | latest "b" |
///   usual: 3 pushes, bounded          latest: 2 pushes, bounded apart
/// ```
#[derive(Debug)]
pub(crate) struct Queue {
    entries: VecDeque<Entry>,
    usual: Load,
    latest: Load,
    max: Load,
}

/// So many pushes, and bytes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) pushes: usize,
    pub(crate) bytes: usize,
}

impl Load {
    fn add(&mut self, frame: &Frame) {
        self.pushes += 1;
        self.bytes += frame.len();
    }

    fn sub(&mut self, frame: &Frame) {
        self.pushes -= 1;
        self.bytes -= frame.len();
    }

    /// Whether there is room for one more. One alone may be larger than all that is allowed.
    fn admits(&self, frame: &Frame, max: Self) -> bool {
        self.pushes == 0 || (self.pushes < max.pushes && self.bytes + frame.len() <= max.bytes)
    }
}

impl Queue {
    pub(crate) fn new(max: Load) -> Self {
        Self {
            entries: VecDeque::new(),
            usual: Load::default(),
            latest: Load::default(),
            max,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is room for a good part of what may wait.
    pub(crate) fn is_roomy(&self) -> bool {
        let half =
            |load: &Load| load.pushes <= self.max.pushes / 2 && load.bytes <= self.max.bytes / 2;
        half(&self.usual) && half(&self.latest)
    }

    /// Whether a push could wait now without another one being lost.
    pub(crate) fn admits(&self, frame: &Frame) -> bool {
        self.usual.admits(frame, self.max)
    }

    pub(crate) fn offer(&mut self, frame: &Arc<Frame>) -> Offered {
        let mut offered = Offered::default();
        match &frame.slow {
            SlowReader::Wait | SlowReader::Disconnect => {
                if !self.admits(frame) {
                    offered.outcome = match frame.slow {
                        SlowReader::Wait => Outcome::Full,
                        _ => Outcome::Cut,
                    };
                    return offered;
                }
            }
            SlowReader::DropOldest => {
                while !self.admits(frame) {
                    offered.dropped += 1;
                    if !self.lose_oldest(|other| other.slow == SlowReader::DropOldest) {
                        // Nothing here may go, so it is this one.
                        if let Some(gap) = frame.lost() {
                            self.entries.push_back(Entry::Gap(gap));
                            self.merge(self.entries.len() - 1);
                        }
                        return offered;
                    }
                }
            }
            SlowReader::KeepLatest(key) => {
                let same =
                    |other: &Frame| other.slow.key() == Some(key) && other.room == frame.room;
                if self.latest.pushes > 0 && self.lose_oldest(same) {
                    offered.replaced += 1;
                }
                while !self.latest.admits(frame, self.max) {
                    self.lose_oldest(|other| other.slow.key().is_some());
                    offered.dropped += 1;
                }
            }
        }
        self.load(frame).add(frame);
        self.entries.push_back(Entry::Push(Arc::clone(frame)));
        offered
    }

    /// Adds a push if nothing is lost by it, whatever it declares.
    pub(crate) fn append(&mut self, frame: &Arc<Frame>) -> bool {
        let max = self.max;
        let load = self.load(frame);
        let fits = load.admits(frame, max);
        if fits {
            load.add(frame);
            self.entries.push_back(Entry::Push(Arc::clone(frame)));
        }
        fits
    }

    /// Adds a notice. It takes no room: there are no more of them than pushes between them, times
    /// the rooms of a connection.
    pub(crate) fn notice(&mut self, gap: Gap) {
        self.entries.push_back(Entry::Gap(gap));
        self.merge(self.entries.len() - 1);
    }

    /// Takes the next one.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        if let Entry::Push(frame) = &entry {
            self.load(frame).sub(frame);
        }
        if self.entries.is_empty() {
            // An idle connection holds nothing.
            self.entries = VecDeque::new();
        }
        Some(entry)
    }

    /// Forgets all that waits of a room.
    pub(crate) fn purge(&mut self, room: &str) {
        let (usual, latest) = (&mut self.usual, &mut self.latest);
        self.entries.retain(|entry| match entry {
            Entry::Gap(gap) => *gap.room != *room,
            Entry::Push(frame) if frame.room.as_deref() == Some(room) => {
                match frame.slow.key() {
                    Some(_) => latest.sub(frame),
                    None => usual.sub(frame),
                }
                false
            }
            Entry::Push(_) => true,
        });
        let mut at = 0;
        while at < self.entries.len() {
            self.merge(at);
            at += 1;
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.max);
    }

    fn load(&mut self, frame: &Frame) -> &mut Load {
        match frame.slow.key() {
            Some(_) => &mut self.latest,
            None => &mut self.usual,
        }
    }

    /// Drops the oldest push that may go, and notes the gap where it leaves one.
    fn lose_oldest(&mut self, may_go: impl Fn(&Frame) -> bool) -> bool {
        let found = self.entries.iter().position(|entry| match entry {
            Entry::Push(frame) => may_go(frame),
            Entry::Gap(_) => false,
        });
        let Some(at) = found else { return false };
        let Entry::Push(frame) = &self.entries[at] else {
            unreachable!("only pushes are looked for")
        };
        let frame = Arc::clone(frame);
        self.load(&frame).sub(&frame);
        match frame.lost() {
            Some(gap) => {
                self.entries[at] = Entry::Gap(gap);
                self.merge(at);
            }
            None => {
                self.entries.remove(at);
                if at > 0 {
                    self.merge(at - 1);
                }
            }
        }
        true
    }

    /// Makes one notice of all of a room that stand around here with nothing but notices between
    /// them. So there are no more than rooms between two pushes.
    fn merge(&mut self, at: usize) {
        let is_gap = |entry: Option<&Entry>| matches!(entry, Some(Entry::Gap(_)));
        let mut first = at;
        while first > 0 && is_gap(self.entries.get(first - 1)) {
            first -= 1;
        }
        let mut next = first + 1;
        while is_gap(self.entries.get(next)) {
            let same = (first..next).find(|earlier| self.is_same_room(*earlier, next));
            match same {
                Some(earlier) => self.join(earlier, next),
                None => next += 1,
            }
        }
    }

    fn is_same_room(&self, one: usize, other: usize) -> bool {
        match (&self.entries[one], &self.entries[other]) {
            (Entry::Gap(one), Entry::Gap(other)) => one.room == other.room,
            _ => false,
        }
    }

    /// Makes one notice of two.
    fn join(&mut self, first: usize, second: usize) {
        if let Some(Entry::Gap(later)) = self.entries.remove(second)
            && let Some(Entry::Gap(earlier)) = self.entries.get_mut(first)
        {
            earlier.take_in(&later);
        }
    }
}

#[cfg(test)]
mod tests;
