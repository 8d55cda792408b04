//! The ten kinds of frame, and what each may carry.

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A request, from the client.
    Message = 1,
    /// The answer to a request, from the server.
    Reply = 2,
    /// The answer to a request that was refused or failed, from the server.
    Error = 3,
    /// A message that nobody asked for, from the server.
    Push = 4,
    /// Bytes of an attachment.
    Data = 5,
    /// The end of an attachment, whole or broken off.
    End = 6,
    /// Bytes that the sender of an attachment may send.
    Credit = 7,
    /// Nothing more is wanted of this request.
    Cancel = 8,
    /// Are you there? and: I am.
    Ping = 9,
    /// The connection is about to end.
    GoingAway = 10,
}

impl Kind {
    /// The kind with this number.
    #[inline]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Message,
            2 => Self::Reply,
            3 => Self::Error,
            4 => Self::Push,
            5 => Self::Data,
            6 => Self::End,
            7 => Self::Credit,
            8 => Self::Cancel,
            9 => Self::Ping,
            10 => Self::GoingAway,
            _ => return None,
        })
    }

    /// The flags that it may have.
    #[inline]
    pub const fn flags(self) -> Flags {
        Flags(match self {
            Self::Message | Self::Reply => {
                Flags::EXTENDED.0 | Flags::ATTACHMENT.0 | Flags::RESUMABLE.0
            }
            Self::Error | Self::Push | Self::Data | Self::Credit => Flags::EXTENDED.0,
            Self::End => Flags::EXTENDED.0 | Flags::ABORTED.0,
            Self::Ping => Flags::ANSWER.0,
            Self::Cancel | Self::GoingAway => 0,
        })
    }

    /// Whether it carries a message that a codec made.
    #[inline]
    pub const fn has_message(self) -> bool {
        matches!(self, Self::Message | Self::Reply | Self::Error | Self::Push)
    }
}

/// The flags of a frame, a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// A block of extension fields stands before the payload.
    pub const EXTENDED: Self = Self(1);
    /// An attachment follows in data frames with the same request id.
    pub const ATTACHMENT: Self = Self(2);
    /// The attachment may be begun at a later offset, which its receiver chooses.
    pub const RESUMABLE: Self = Self(4);
    /// The attachment was broken off: what came is not all of it.
    pub const ABORTED: Self = Self(8);
    /// This is the answer to a ping.
    pub const ANSWER: Self = Self(16);

    /// Whether all of these are among them.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and those, if `on`.
    #[inline]
    #[must_use]
    pub const fn with(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { self }
    }
}
