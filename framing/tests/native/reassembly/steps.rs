//! What may happen, out of a number.

use crate::world::Dice;

use super::{
    films::Films,
    sender::{End, Sent},
    tear::Tear,
};

/// One step of senders, of the receiver, or of what befalls its disk.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Upload(Upload),
    /// Somebody has the part, and another comes.
    Held {
        key: usize,
        film: usize,
    },
    /// Nothing may stay.
    Expire,
    /// The disk after a crash, or after somebody's hand.
    Tear {
        key: usize,
        tear: Tear,
        at: u64,
    },
}

/// A film is claimed, and what `sent` says is sent, until `end`.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) key: usize,
    pub(super) film: usize,
    pub(super) sent: Sent,
    pub(super) end: End,
    /// The size that is announced is off by this.
    pub(super) off: i64,
    pub(super) persist: bool,
}

impl Step {
    pub(super) fn of(mut dice: Dice, films: &Films) -> Self {
        let dice = &mut dice;
        let what = dice.below(16);
        let key = dice.below(8) / 7;
        let (key, film) = (key as usize, films.pick(dice));
        match what {
            0..8 => Self::Upload(Upload {
                key,
                film,
                sent: Sent::pick(dice, film, films),
                off: [0, 0, 0, 0, 0, 0, 1, -1][dice.below(8) as usize],
                persist: dice.below(4) > 0,
                end: End::pick(dice, films.all[film].size),
            }),
            8 => Self::Held { key, film },
            9 if dice.below(4) == 0 => Self::Expire,
            _ => {
                let tear = [
                    Tear::DataGrows,
                    Tear::DataIsGone,
                    Tear::DataIsShort,
                    Tear::ListGrows,
                    Tear::ListHasJunk,
                    Tear::ListIsChanged,
                    Tear::ListIsGone,
                    Tear::ListIsShort,
                ][dice.below(8) as usize];
                let at = dice.below(1 << 32);
                Self::Tear { key, tear, at }
            }
        }
    }
}
