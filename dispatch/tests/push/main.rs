//! The server speaks first: rooms, slow readers, those who come again, who is here, and the end.

mod away;
#[cfg(feature = "metrics")]
mod counted;
mod ending;
mod lossy;
mod many;
mod nodes;
mod presence;
mod property;
mod resume;
mod rooms;
mod slow;
mod timers;
mod world;
