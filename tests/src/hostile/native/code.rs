//! The codes of WIRE.md.

pub(super) const NONE: u32 = 0;
pub(super) const UNKNOWN_KIND: u32 = 2;
pub(super) const BAD_FLAGS: u32 = 3;
pub(super) const BAD_FIELD: u32 = 4;
pub(super) const BAD_LENGTH: u32 = 5;
pub(super) const BAD_EXTENSION: u32 = 6;
pub(super) const BAD_ID: u32 = 7;
pub(super) const UNEXPECTED_FRAME: u32 = 8;
pub(super) const TOO_MANY_REQUESTS: u32 = 9;
pub(super) const CREDIT_EXCEEDED: u32 = 10;
pub(super) const CREDIT_OVERFLOW: u32 = 11;
pub(super) const WRONG_SIZE: u32 = 12;
pub(super) const FRAME_TOO_LARGE: u32 = 13;
pub(super) const FLOOD: u32 = 14;
pub(super) const TIMEOUT: u32 = 15;
pub(super) const CONNECTION_INTERNAL: u32 = 16;

pub(super) const CANCELLED: u32 = 65;
pub(super) const DEADLINE_EXCEEDED: u32 = 66;
pub(super) const UNSUPPORTED_CODEC: u32 = 68;
pub(super) const MESSAGE_TOO_LARGE: u32 = 69;
pub(super) const ATTACHMENT_TOO_LARGE: u32 = 70;
pub(super) const UNKNOWN_TYPE: u32 = 71;
pub(super) const BAD_MESSAGE: u32 = 72;
pub(super) const DIGEST_MISMATCH: u32 = 73;
pub(super) const SOURCE_FAILED: u32 = 74;
