//! What a server counts, for whatever recorder of the `metrics` crate the program installs.
//!
//! | name | kind | labels | |
//! | --- | --- | --- | --- |
//! | `packetboat_connections_accepted_total` | counter | | connections that got a place |
//! | `packetboat_connections_refused_total` | counter | `reason` | connections that got none: `server_full`, `address_full`; `not_accepted`: the system had none to give |
//! | `packetboat_connections_open` | gauge | `wire` | connections that are open |
//! | `packetboat_connections_closed_total` | counter | `wire`, `reason` | connections that have ended: `answered`, `closed`, `dropped`, `handshake`, `io`, `panicked`, `protocol`, `slow_reader`, `stopped`, `timeout`, `upload_cut` |
//! | `packetboat_requests_total` | counter | `type`, `wire`, `outcome` | requests that were begun and have ended |
//! | `packetboat_requests_in_flight` | gauge | `wire` | requests whose handler did not answer at once and is at work, also for a peer that has gone |
//! | `packetboat_requests_waiting` | gauge | | requests of the native wire that wait until answers have left |
//! | `packetboat_request_seconds` | histogram | `type` | a handler's own time, without waiting for its upload |
//! | `packetboat_message_bytes_received_total` | counter | `wire` | bytes of the messages of requests |
//! | `packetboat_message_bytes_sent_total` | counter | `wire` | bytes of the messages of answers, when they are ready |
//! | `packetboat_attachment_bytes_received_total` | counter | | bytes of uploads that handlers have taken, when they are done with them |
//! | `packetboat_attachment_bytes_sent_total` | counter | | bytes of files that were handed to the network, when sending has ended |
//! | `packetboat_pushes_sent_total` | counter | | pushes that were handed to the network |
//! | `packetboat_push_gaps_total` | counter | | gap notices that were handed to the network |
//! | `packetboat_pushes_lost_total` | counter | `reason` | pushes that a slow reader does not get: `dropped`, `replaced` by a later one |
//! | `packetboat_slow_readers_total` | counter | `outcome` | how often a reader had no room for a push that must not be lost: `waited`, `disconnected` |
//! | `packetboat_session_logins_total` | counter | `kept` | sessions that were made |
//!
//! - `type` is a type that the dispatcher knows, under its own name, or `unknown`: what a peer sends
//!   is never a label.
//! - `wire` is `classic` or `native`; of a connection also `http` or `websocket`, and `undecided` as
//!   long as it has not shown which. Requests on a WebSocket are counted as `native`.
//! - `outcome` is `ok`; `refused` by a rejection; `internal`: that rejection; `panicked`; `timeout`
//!   and `deadline_exceeded`: the server's and the client's; `cancelled` by the client; `dropped`
//!   with the server. Which code a rejection has is not told: the application may make any number.
//!
//! A recorder is to be installed before serving, else gauges miss what they count down. Nothing is
//! recorded for each byte or chunk; where a request, a body or a connection ends, it is.

mod recording;

pub(crate) use recording::{
    Connection, Measure, Meter, Queued, attachment_received, attachment_sent, logged_in,
    pushes_lost, pushes_sent, refused, slow_reader,
};

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Connections that got a place.
pub const CONNECTIONS_ACCEPTED: &str = "packetboat_connections_accepted_total";
/// Connections that got none, by `reason`.
pub const CONNECTIONS_REFUSED: &str = "packetboat_connections_refused_total";
/// Connections that are open, by `wire`.
pub const CONNECTIONS_OPEN: &str = "packetboat_connections_open";
/// Connections that have ended, by `wire` and `reason`.
pub const CONNECTIONS_CLOSED: &str = "packetboat_connections_closed_total";
/// Requests that have ended, by `type`, `wire` and `outcome`.
pub const REQUESTS: &str = "packetboat_requests_total";
/// Requests whose handler is at work, by `wire`.
pub const REQUESTS_IN_FLIGHT: &str = "packetboat_requests_in_flight";
/// Requests that wait until answers have left.
pub const REQUESTS_WAITING: &str = "packetboat_requests_waiting";
/// A handler's own time in seconds, by `type`.
pub const REQUEST_SECONDS: &str = "packetboat_request_seconds";
/// Bytes of the messages of requests, by `wire`.
pub const MESSAGE_BYTES_RECEIVED: &str = "packetboat_message_bytes_received_total";
/// Bytes of the messages of answers, by `wire`.
pub const MESSAGE_BYTES_SENT: &str = "packetboat_message_bytes_sent_total";
/// Bytes of uploads that handlers have taken.
pub const ATTACHMENT_BYTES_RECEIVED: &str = "packetboat_attachment_bytes_received_total";
/// Bytes of files that were handed to the network.
pub const ATTACHMENT_BYTES_SENT: &str = "packetboat_attachment_bytes_sent_total";
/// Pushes that were handed to the network.
pub const PUSHES_SENT: &str = "packetboat_pushes_sent_total";
/// Gap notices that were handed to the network.
pub const PUSH_GAPS: &str = "packetboat_push_gaps_total";
/// Pushes that a slow reader does not get, by `reason`.
pub const PUSHES_LOST: &str = "packetboat_pushes_lost_total";
/// How often a reader had no room for a push that must not be lost, by `outcome`.
pub const SLOW_READERS: &str = "packetboat_slow_readers_total";
/// Sessions that were made, by whether they are `kept`.
pub const SESSION_LOGINS: &str = "packetboat_session_logins_total";

/// Tells the recorder that is installed what each of them is and in which unit. A
/// [`Server`](crate::Server) does so when it begins to serve.
pub fn describe() {
    use Unit::{Bytes, Count, Seconds};
    describe_counter!(CONNECTIONS_ACCEPTED, Count, "Connections that got a place");
    describe_counter!(CONNECTIONS_REFUSED, Count, "Connections that got no place");
    describe_gauge!(CONNECTIONS_OPEN, Count, "Connections that are open");
    describe_counter!(CONNECTIONS_CLOSED, Count, "Connections that have ended");
    describe_counter!(REQUESTS, Count, "Requests that have ended");
    describe_gauge!(
        REQUESTS_IN_FLIGHT,
        Count,
        "Requests whose handler is at work"
    );
    describe_gauge!(
        REQUESTS_WAITING,
        Count,
        "Requests that wait until answers have left"
    );
    describe_histogram!(REQUEST_SECONDS, Seconds, "A handler's own time");
    describe_counter!(MESSAGE_BYTES_RECEIVED, Bytes, "Messages of requests");
    describe_counter!(MESSAGE_BYTES_SENT, Bytes, "Messages of answers");
    describe_counter!(
        ATTACHMENT_BYTES_RECEIVED,
        Bytes,
        "Uploads that handlers have taken"
    );
    describe_counter!(
        ATTACHMENT_BYTES_SENT,
        Bytes,
        "Files that were handed to the network"
    );
    describe_counter!(PUSHES_SENT, Count, "Pushes that were sent");
    describe_counter!(PUSH_GAPS, Count, "Gap notices that were sent");
    describe_counter!(PUSHES_LOST, Count, "Pushes that a slow reader does not get");
    describe_counter!(SLOW_READERS, Count, "Readers without room for a push");
    describe_counter!(SESSION_LOGINS, Count, "Sessions that were made");
}
