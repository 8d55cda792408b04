//! How a request ended, in one word: for its span and for what is counted.

use crate::middleware::Response;
use crate::rejection::code;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its client wanted it no more.
    Cancelled,
    /// Its client's time was over.
    DeadlineExceeded,
    /// It went with its server, and was not answered.
    #[cfg(feature = "metrics")]
    Dropped,
    /// An error that only the log knows.
    Internal,
    /// A value.
    Ok,
    /// Its handler panicked.
    Panicked,
    /// A rejection.
    Refused,
    /// The server's time for it was over.
    Timeout,
}

impl Outcome {
    /// All of them, in the order of their numbers.
    #[cfg(feature = "metrics")]
    pub(crate) const ALL: [Self; 8] = [
        Self::Cancelled,
        Self::DeadlineExceeded,
        Self::Dropped,
        Self::Internal,
        Self::Ok,
        Self::Panicked,
        Self::Refused,
        Self::Timeout,
    ];

    /// What a handler's answer is.
    pub(crate) fn of(response: &Response) -> Self {
        match response.refused.as_deref() {
            None => Self::Ok,
            Some(code::INTERNAL) => Self::Internal,
            Some(_) => Self::Refused,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline_exceeded",
            #[cfg(feature = "metrics")]
            Self::Dropped => "dropped",
            Self::Internal => "internal",
            Self::Ok => "ok",
            Self::Panicked => "panicked",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
        }
    }
}
