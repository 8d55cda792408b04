//! The native wire, driven without a socket.

mod credit;
mod pair;
mod properties;
mod resume;
mod rules;
mod story;
mod vectors;
