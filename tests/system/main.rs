//! The movie server as a process of its own: networks, disks and systems that fail.

mod crowds;
mod disk_errors;
mod flipped_bits;
mod house;
mod kills;
mod limits;
mod load;
mod network;
mod power_loss;
mod soak;
mod weather;
