//! Where each number is made. Keys are made once, so that recording allocates nothing.

use std::sync::Arc;
use std::time::Duration;

use ::metrics::{Key, Label, Level, Metadata, counter, with_recorder};

use super::{
    ATTACHMENT_BYTES_RECEIVED, ATTACHMENT_BYTES_SENT, CONNECTIONS_ACCEPTED, CONNECTIONS_CLOSED,
    CONNECTIONS_OPEN, CONNECTIONS_REFUSED, MESSAGE_BYTES_RECEIVED, MESSAGE_BYTES_SENT, PUSH_GAPS,
    PUSHES_LOST, PUSHES_SENT, REQUEST_SECONDS, REQUESTS, REQUESTS_IN_FLIGHT, REQUESTS_WAITING,
    SESSION_LOGINS, SLOW_READERS,
};
use crate::error::Disconnect;
use crate::outcome::Outcome;
use crate::wire::{Speaks, Wire};

static METADATA: Metadata<'static> =
    Metadata::new("packetboat_dispatch", Level::INFO, Some(module_path!()));

static IN_FLIGHT: ByWire = by_wire(REQUESTS_IN_FLIGHT);
static RECEIVED: ByWire = by_wire(MESSAGE_BYTES_RECEIVED);
static SENT: ByWire = by_wire(MESSAGE_BYTES_SENT);
static WAITING: Key = Key::from_static_name(REQUESTS_WAITING);

const UNDECIDED: &str = "undecided";

/// One name for each wire.
type ByWire = [Key; 2];

const fn by_wire(name: &'static str) -> ByWire {
    static CLASSIC: [Label; 1] = [Label::from_static_parts("wire", Wire::Classic.as_str())];
    static NATIVE: [Label; 1] = [Label::from_static_parts("wire", Wire::Native.as_str())];
    [
        Key::from_static_parts(name, &CLASSIC),
        Key::from_static_parts(name, &NATIVE),
    ]
}

fn of(keys: &ByWire, wire: Wire) -> &Key {
    match wire {
        Wire::Classic => &keys[0],
        Wire::Native => &keys[1],
    }
}

/// Connections that are open and speak this, or have not shown what.
fn open(speaks: Option<Speaks>) -> &'static Key {
    const fn key(label: &'static [Label; 1]) -> Key {
        Key::from_static_parts(CONNECTIONS_OPEN, label)
    }
    static UNDECIDED_LABEL: [Label; 1] = [Label::from_static_parts("wire", UNDECIDED)];
    static NONE: Key = key(&UNDECIDED_LABEL);
    static WIRES: ByWire = by_wire(CONNECTIONS_OPEN);
    match speaks {
        None => &NONE,
        Some(Speaks::Wire(wire)) => of(&WIRES, wire),
        #[cfg(feature = "web")]
        Some(Speaks::Http) => {
            static LABEL: [Label; 1] = [Label::from_static_parts("wire", Speaks::Http.as_str())];
            static HTTP: Key = key(&LABEL);
            &HTTP
        }
        #[cfg(feature = "web")]
        Some(Speaks::WebSocket) => {
            static LABEL: [Label; 1] =
                [Label::from_static_parts("wire", Speaks::WebSocket.as_str())];
            static WEBSOCKET: Key = key(&LABEL);
            &WEBSOCKET
        }
    }
}

fn add(key: &Key, by: u64) {
    with_recorder(|recorder| recorder.register_counter(key, &METADATA).increment(by));
}

fn up(key: &Key) {
    with_recorder(|recorder| recorder.register_gauge(key, &METADATA).increment(1.0));
}

fn down(key: &Key) {
    with_recorder(|recorder| recorder.register_gauge(key, &METADATA).decrement(1.0));
}

/// A connection was not taken.
pub(crate) fn refused(reason: &'static str) {
    counter!(CONNECTIONS_REFUSED, "reason" => reason).increment(1);
}

/// A session was made.
pub(crate) fn logged_in(kept: bool) {
    let kept = if kept { "true" } else { "false" };
    counter!(SESSION_LOGINS, "kept" => kept).increment(1);
}

/// A handler is done with its upload.
pub(crate) fn attachment_received(bytes: u64) {
    if bytes > 0 {
        counter!(ATTACHMENT_BYTES_RECEIVED).increment(bytes);
    }
}

/// Sending a file has ended.
pub(crate) fn attachment_sent(bytes: u64) {
    if bytes > 0 {
        counter!(ATTACHMENT_BYTES_SENT).increment(bytes);
    }
}

/// Pushes and gap notices were handed to the network.
pub(crate) fn pushes_sent(pushes: u64, gaps: u64) {
    if pushes > 0 {
        counter!(PUSHES_SENT).increment(pushes);
    }
    if gaps > 0 {
        counter!(PUSH_GAPS).increment(gaps);
    }
}

/// Pushes that a slow reader does not get.
pub(crate) fn pushes_lost(reason: &'static str, pushes: u64) {
    counter!(PUSHES_LOST, "reason" => reason).increment(pushes);
}

/// A reader was slow.
pub(crate) fn slow_reader(outcome: &'static str) {
    counter!(SLOW_READERS, "outcome" => outcome).increment(1);
}

/// A connection that is open.
pub(crate) struct Connection {
    speaks: Option<Speaks>,
    reason: &'static str,
}

impl Connection {
    pub(crate) fn accepted() -> Self {
        counter!(CONNECTIONS_ACCEPTED).increment(1);
        up(open(None));
        Self {
            speaks: None,
            reason: "dropped",
        }
    }

    /// It has shown what it speaks.
    pub(crate) fn speaks(&mut self, speaks: Speaks) {
        down(open(self.speaks));
        self.speaks = Some(speaks);
        up(open(self.speaks));
    }

    pub(crate) fn closed(mut self, disconnect: &Disconnect) {
        self.reason = match disconnect {
            Disconnect::Answered { .. } => "answered",
            Disconnect::Closed => "closed",
            Disconnect::Failed(error) if error.is_timeout() => "timeout",
            Disconnect::Failed(error) if error.is_io() => "io",
            Disconnect::Failed(_) => "protocol",
            Disconnect::Handshake(_) => "handshake",
            Disconnect::HandshakeTimeout { .. } => "timeout",
            Disconnect::Panicked => "panicked",
            Disconnect::Plain { .. } => "protocol",
            Disconnect::SlowReader => "slow_reader",
            Disconnect::Stopped => "stopped",
            Disconnect::UploadCut { .. } => "upload_cut",
            #[cfg(feature = "web")]
            Disconnect::WebSocket { .. } => "protocol",
        };
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        down(open(self.speaks));
        let reason = match std::thread::panicking() {
            true => "panicked",
            false => self.reason,
        };
        let wire = self.speaks.map_or(UNDECIDED, Speaks::as_str);
        counter!(CONNECTIONS_CLOSED, "wire" => wire, "reason" => reason).increment(1);
    }
}

/// What is recorded of one type of message.
#[derive(Clone)]
pub(crate) struct Meter(Arc<Keys>);

struct Keys {
    requests: [[Key; Outcome::ALL.len()]; 2],
    seconds: Key,
}

impl Meter {
    pub(crate) fn of(message_type: &'static str) -> Self {
        let label = Label::from_static_parts("type", message_type);
        let requests = [Wire::Classic, Wire::Native].map(|wire| {
            Outcome::ALL.map(|outcome| {
                let labels = vec![
                    label.clone(),
                    Label::from_static_parts("wire", wire.as_str()),
                    Label::from_static_parts("outcome", outcome.as_str()),
                ];
                Key::from_parts(REQUESTS, labels)
            })
        });
        let seconds = Key::from_parts(REQUEST_SECONDS, vec![label]);
        Self(Arc::new(Keys { requests, seconds }))
    }
}

/// A request that was begun. It is counted once, however it ends.
pub(crate) struct Measure {
    meter: Meter,
    wire: Wire,
    waits: bool,
    outcome: Outcome,
}

impl Measure {
    pub(crate) fn begin(meter: Meter, wire: Wire, received: usize) -> Self {
        add(of(&RECEIVED, wire), received as u64);
        Self {
            meter,
            wire,
            waits: false,
            outcome: Outcome::Dropped,
        }
    }

    /// Its handler did not answer at once.
    pub(crate) fn waits(&mut self) {
        self.waits = true;
        up(of(&IN_FLIGHT, self.wire));
    }

    /// It is answered, after so much time of its handler.
    pub(crate) fn end(mut self, outcome: Outcome, own: impl FnOnce() -> Duration, sent: usize) {
        self.outcome = outcome;
        let (seconds, key) = (own().as_secs_f64(), &self.meter.0.seconds);
        with_recorder(|recorder| recorder.register_histogram(key, &METADATA).record(seconds));
        add(of(&SENT, self.wire), sent as u64);
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        if self.waits {
            down(of(&IN_FLIGHT, self.wire));
        }
        let wire = match self.wire {
            Wire::Classic => 0,
            Wire::Native => 1,
        };
        add(&self.meter.0.requests[wire][self.outcome as usize], 1);
    }
}

/// A request that waits until answers have left.
pub(crate) struct Queued(());

impl Queued {
    pub(crate) fn new() -> Self {
        up(&WAITING);
        Self(())
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        down(&WAITING);
    }
}
