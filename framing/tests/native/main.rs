//! The native wire, without a socket and on one.

mod corpus;
mod credit;
mod offsets;
mod pair;
mod properties;
mod reassembly;
mod resume;
mod rules;
mod story;
mod transport;
mod vectors;
mod world;
