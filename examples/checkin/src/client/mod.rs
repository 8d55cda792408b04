//! A browser without a window: pages, forms, cookies and WebSockets, for the demo and the tests.

mod browser;
mod socket;

pub use browser::{Answer, Browser, ClientError};
pub use socket::{Push, Socket};
