//! Front door: a server and a client.
#![doc = include_str!("../README.md")]

mod app;
mod bell;
mod carried;
#[cfg(any(feature = "tls", feature = "web"))]
mod carrier;
pub mod client;
pub mod connection;
mod deadline;
mod dispatcher;
mod driver;
mod envelope;
mod error;
pub mod extensions;
mod extract;
mod file;
mod guard;
mod handler;
pub mod health;
mod hex;
mod idempotency;
mod limits;
pub mod message;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "metrics/absent.rs"]
mod metrics;
mod middleware;
mod outcome;
#[cfg(feature = "proxies")]
pub mod proxies;
pub mod push;
#[cfg(feature = "redis")]
pub mod redis;
pub mod rejection;
mod reply;
pub mod request;
mod route;
#[cfg(feature = "schema")]
pub mod schema;
mod scratch;
mod server;
pub mod session;
pub mod shape;
mod sync;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "tower")]
mod tower;
mod upload;
#[cfg(feature = "web")]
pub mod web;
mod wire;

pub use app::{Answer, App, Local};
pub use async_trait::async_trait;
pub use client::{Client, ClientError, NativeClient};
pub use connection::{ConnectionId, Peer};
pub use deadline::{Deadline, Stoppable};
pub use dispatcher::{Dispatcher, Group};
pub use error::{Disconnect, Error};
pub use extensions::Extensions;
pub use extract::{FromCall, FromRef, Identity, Metadata, State};
pub use file::{File, Outcome};
pub use guard::{Anyone, Guard, LoggedIn};
pub use handler::Handler;
pub use health::{GetHealth, Health, HealthChecks, HealthStatus};
pub use idempotency::{Idempotency, IdempotencyKey, InvalidIdempotencyKey};
pub use limits::Limits;
pub use message::Message;
pub use middleware::{FromFn, Middleware, Next, Response, from_fn};
pub use packetboat_dispatch_derive::Message;
pub use packetboat_framing::{Body, BodyExt, Chunk, Parts, PartsPolicy, TempFile};
#[cfg(feature = "proxies")]
pub use proxies::TrustedProxies;
pub use push::{Hub, Pusher};
pub use rejection::Rejection;
pub use reply::{IntoReply, Reply};
pub use request::Call;
pub use route::Route;
pub use server::{Server, ShutdownHandle, serve_stream};
pub use session::{Session, SessionId, SessionManager, SessionPolicy, SessionStore, Sessions};
pub use shape::{Flagged, Plain, Shape};
#[cfg(feature = "tower")]
pub use tower::{BoxError, Forward, Handle, Refused, TowerLayer, tower_layer};
pub use upload::Upload;
pub use wire::Wire;
