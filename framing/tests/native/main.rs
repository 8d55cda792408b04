//! The native wire, driven without a socket.

mod corpus;
mod credit;
mod pair;
mod properties;
mod resume;
mod rules;
mod story;
mod vectors;
mod world;
