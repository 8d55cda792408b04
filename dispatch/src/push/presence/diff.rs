//! Somebody has come or gone, as a push.

use serde::{Deserialize, Serialize};

use super::Present;
use crate::message::Message;

/// The push that the members of a room get when somebody joins or leaves. Of each key a slow reader
/// gets the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PresenceDiff {
    /// Who is here that was not before.
    #[serde(default)]
    pub joins: Vec<Present>,
    /// Who is not here any more.
    #[serde(default)]
    pub leaves: Vec<Present>,
}

impl Message for PresenceDiff {
    const TYPE: &'static str = "packetboat.presence_diff";
    type Reply = ();
}

impl PresenceDiff {
    pub(crate) fn joined(present: Present) -> Self {
        Self {
            joins: vec![present],
            leaves: Vec::new(),
        }
    }

    pub(crate) fn left(present: Present) -> Self {
        Self {
            joins: Vec::new(),
            leaves: vec![present],
        }
    }
}
