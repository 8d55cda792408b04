//! One connection's life: one task reads, dispatches, writes and says goodbye.

mod handling;
mod ordered;
mod outbox;
mod sending;
mod starting;
mod tasks;
mod unordered;

pub(crate) use ordered::Ordered;
pub(crate) use tasks::Tasks;
pub(crate) use unordered::Unordered;

use std::sync::Arc;

use packetboat_framing::Budget;
use tokio::sync::watch;

use crate::app::App;
use crate::limits::Limits;
use crate::wire::Wire;

/// What a connection holds for as long as it is open or a handler of it is at work: its place on
/// the server. Else a peer that asks, resets and comes again could have any number of them running.
pub(crate) type Held = Option<Arc<dyn Send + Sync>>;

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) app: App,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
    /// The one wire that is served; `None` for each.
    pub(crate) only: Option<Wire>,
    /// What a connection that begins with TLS is served by.
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::Port>,
    /// What answers requests of HTTP.
    #[cfg(feature = "web")]
    pub(crate) web: Option<crate::web::Site>,
    /// Handlers that outlive their connection, and the ends of files.
    pub(crate) tasks: Arc<Tasks>,
    /// True once the server is to stop.
    pub(crate) stopping: watch::Receiver<bool>,
}
