//! A WebSocket as the stream of bytes that a native driver reads and writes.

use std::io;
use std::mem;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use packetboat_framing::Limits;
use tokio::io::{AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{
    CloseFrame, Role, WebSocketConfig, WebSocketContext,
};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use crate::app::App;
use crate::carrier::Carrier;
use crate::connection::Peer;
use crate::web::socket::clock::{Clock, Due};
use crate::web::socket::over::{Over, code};
use crate::web::socket::pipe::{Pipe, Turn};
use crate::web::socket::text::Texts;

/// The codec's first buffer, and how much it moves at a time.
const BUFFER: usize = 128;
/// A message of more bytes leaves buffers behind that an idle connection does not keep.
const STRETCHED: usize = 1024;
/// Bytes of one message to the peer, and of what is written before the socket has to take some.
const PIECE: usize = 16 * 1024;
/// After so many messages in one turn it is somebody else's, or a flood of pings would be served and
/// nobody else.
const TURN: u32 = 32;

/// What a server asks of a WebSocket, beyond carrying bytes.
pub(super) struct Service {
    pub(super) app: App,
    pub(super) peer: Peer,
    pub(super) limits: Arc<Limits>,
    pub(super) id_key: &'static str,
}

/// One side of a WebSocket.
///
/// ```text
///              binary: as it is
///   messages ◀──────────────────▶ bytes of the native wire ◀──▶ driver
///              text: a request of the native wire each, and back
/// ```
pub(super) struct Socket {
    context: WebSocketContext,
    role: Role,
    pipe: Pipe,
    mode: Mode,
    /// None at a client.
    service: Option<Box<Service>>,
    clock: Clock,
    max_message: usize,
    max_written: usize,
    /// Written, and not known to have left.
    queued: usize,
    /// An answer that is not the driver's has been written.
    owes: bool,
    is_stretched: bool,
    over: Option<Over>,
    /// The driver has said all that it has to say.
    shut: bool,
}

/// What the peer sends. The first message decides.
enum Mode {
    Undecided,
    /// And what of a message has not been read yet.
    Binary(Bytes),
    Text(Box<Texts>),
}

impl Socket {
    /// The server's side.
    pub(super) fn server(carrier: Box<dyn Carrier>, read: Vec<u8>, service: Service) -> Self {
        let limits = &service.limits;
        let max_message = limits.max_message_bytes_before_login;
        // The longest answer as text, and what may come in one piece with it.
        let max_written = limits
            .max_message_bytes
            .saturating_mul(2)
            .saturating_add(16 * PIECE);
        let pipe = Pipe::new(carrier, read, limits.write_time);
        Self {
            service: Some(Box::new(service)),
            ..Self::new(
                Role::Server,
                pipe,
                Mode::Undecided,
                max_message,
                max_written,
            )
        }
    }

    /// A client's side, which is binary.
    pub(super) fn client(carrier: Box<dyn Carrier>, read: Vec<u8>, max_message: usize) -> Self {
        let mode = Mode::Binary(Bytes::new());
        // Its transport has limits of time.
        let pipe = Pipe::new(carrier, read, Duration::MAX);
        Self::new(Role::Client, pipe, mode, max_message, 4 * PIECE)
    }

    fn new(role: Role, pipe: Pipe, mode: Mode, max_message: usize, max_written: usize) -> Self {
        Self {
            context: context(role, max_message, max_written),
            role,
            pipe,
            mode,
            service: None,
            clock: Clock::default(),
            max_message,
            max_written,
            queued: 0,
            owes: false,
            is_stretched: false,
            over: None,
            shut: false,
        }
    }

    /// Why it is over, if it is this that has ended it.
    pub(super) fn take_over(&mut self) -> Option<Over> {
        self.over.take()
    }

    /// Queues the closing frame, and writes what there is.
    pub(super) fn poll_farewell(
        &mut self,
        cx: &mut Context<'_>,
        frame: &mut Option<CloseFrame>,
    ) -> Poll<()> {
        let mut turn = Turn {
            pipe: &mut self.pipe,
            cx,
        };
        let written = match frame.take() {
            Some(frame) => self.context.close(&mut turn, Some(frame)),
            None => self.context.flush(&mut turn),
        };
        match written {
            Err(error) if would_block(&error) => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// The connection, once nothing more of a WebSocket is to be read or written.
    pub(super) fn take_carrier(&mut self) -> Box<dyn Carrier> {
        mem::replace(self.pipe.carrier(), Box::new(tokio::io::empty()))
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        for _ in 0..TURN {
            if self.shut || self.give(out) {
                return Poll::Ready(Ok(()));
            }
            match &self.over {
                // The server has closed in good order.
                Some(Over::Closed) if self.role == Role::Client => return Poll::Ready(Ok(())),
                Some(over) => return Poll::Ready(Err(over.as_io())),
                None => {}
            }
            if self.owes && self.flush(cx).is_pending() {
                // Who does not read what it is answered here is not read from either: the codec
                // would queue an answer to each ping.
                self.clock.excuse();
                return Poll::Pending;
            }
            if let Mode::Text(texts) = &mut self.mode
                && texts.is_full(cx)
            {
                self.clock.excuse();
                return Poll::Pending;
            }
            match self.receive(cx) {
                Poll::Ready(Ok(message)) => self.took(message, cx),
                Poll::Ready(Err(over)) => self.over = Some(over),
                Poll::Pending => {
                    self.relax(cx);
                    if self.tick(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(over) = &self.over {
            return Poll::Ready(Err(over.as_io()));
        }
        if self.queued >= PIECE && self.flush(cx).is_pending() {
            return Poll::Pending;
        }
        let piece = &bytes[..bytes.len().min(PIECE)];
        match &mut self.mode {
            Mode::Binary(_) => {
                let message = Message::Binary(Bytes::copy_from_slice(piece));
                self.send(cx, message);
            }
            Mode::Text(texts) => match texts.answers(piece) {
                Ok(answers) => {
                    for answer in answers {
                        self.send(cx, Message::Text(answer));
                    }
                }
                Err(error) => return Poll::Ready(Err(io::Error::other(error))),
            },
            // The native wire's server answers, and is never first.
            Mode::Undecided => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
        match &self.over {
            Some(over) => Poll::Ready(Err(over.as_io())),
            None => Poll::Ready(Ok(piece.len())),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match (self.flush(cx), &self.over) {
            (_, Some(over)) => Poll::Ready(Err(over.as_io())),
            (Poll::Ready(()), None) => Poll::Ready(Ok(())),
            (Poll::Pending, None) => Poll::Pending,
        }
    }

    /// The driver is done. What the peer is told at the end is up to the connection's task; a client
    /// has none, and says goodbye here.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.role == Role::Client {
            let mut goodbye = self.context.can_write().then(|| CloseFrame {
                code: CloseCode::Normal,
                reason: Utf8Bytes::default(),
            });
            ready!(self.poll_farewell(cx, &mut goodbye));
            return Pin::new(self.pipe.carrier()).poll_shutdown(cx);
        }
        let flushed = self.poll_flush(cx);
        self.shut |= flushed.is_ready();
        flushed
    }

    /// Hands on what has come; `false` if there is nothing.
    fn give(&mut self, out: &mut ReadBuf<'_>) -> bool {
        let n = match &mut self.mode {
            Mode::Undecided => 0,
            Mode::Binary(bytes) => {
                let n = bytes.len().min(out.remaining());
                out.put_slice(&bytes.split_to(n));
                if bytes.is_empty() {
                    // It holds on to the codec's buffer.
                    *bytes = Bytes::new();
                }
                n
            }
            Mode::Text(texts) => texts.give(out),
        };
        n > 0
    }

    fn receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Over>> {
        if let Some(service) = &self.service {
            let wire = &service.limits;
            let max = match service.peer.is_logged_in() {
                true => wire.max_message_bytes,
                false => wire.max_message_bytes_before_login,
            };
            if max != self.max_message {
                self.max_message = max;
                self.context.set_config(|config| limit(config, max));
            }
        }
        let mut turn = Turn {
            pipe: &mut self.pipe,
            cx,
        };
        match self.context.read(&mut turn) {
            Ok(message) => Poll::Ready(Ok(message)),
            Err(error) if would_block(&error) => Poll::Pending,
            Err(error) => Poll::Ready(Err(Over::of(&error))),
        }
    }

    fn took(&mut self, message: Message, cx: &mut Context<'_>) {
        if message.len() > STRETCHED {
            self.is_stretched = true;
        }
        match (message, &mut self.mode) {
            (Message::Binary(bytes), Mode::Binary(unread)) => *unread = bytes,
            (Message::Binary(bytes), mode @ Mode::Undecided) => *mode = Mode::Binary(bytes),
            (Message::Text(text), Mode::Text(_)) => self.took_text(&text, cx),
            (Message::Text(text), mode @ Mode::Undecided) => {
                let Some(service) = &self.service else { return };
                *mode = Mode::Text(Box::new(Texts::new(&service.limits)));
                self.took_text(&text, cx);
            }
            (Message::Binary(_) | Message::Text(_), _) => {
                let reason = "text and binary messages on one connection";
                self.over = Some(Over::broken(code::UNSUPPORTED, reason));
            }
            (Message::Close(_), _) => {
                // The answer is queued, and nothing else may be sent.
                let _ = self.flush(cx);
                self.over = Some(Over::Closed);
            }
            (Message::Ping(_), _) => self.owes = true,
            (Message::Pong(_) | Message::Frame(_), _) => {}
        }
    }

    fn took_text(&mut self, text: &str, cx: &mut Context<'_>) {
        let (Some(service), Mode::Text(texts)) = (&self.service, &mut self.mode) else {
            return;
        };
        if let Some(refusal) = texts.request(text, service) {
            self.owes = true;
            self.send(cx, Message::Text(refusal));
        }
    }

    /// Writes a message, or queues it.
    fn send(&mut self, cx: &mut Context<'_>, message: Message) {
        if message.len() > STRETCHED {
            self.is_stretched = true;
        }
        self.queued += message.len() + 16;
        let mut turn = Turn {
            pipe: &mut self.pipe,
            cx,
        };
        match self.context.write(&mut turn, message) {
            Ok(()) => {}
            Err(error) if would_block(&error) => {}
            Err(error) => self.over = Some(Over::of(&error)),
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut turn = Turn {
            pipe: &mut self.pipe,
            cx,
        };
        match self.context.flush(&mut turn) {
            Ok(()) => {}
            Err(error) if would_block(&error) => return Poll::Pending,
            Err(error) => {
                self.over.get_or_insert_with(|| Over::of(&error));
            }
        }
        (self.queued, self.owes) = (0, false);
        Poll::Ready(())
    }

    /// An idle connection holds no buffers: the codec, which never gives one back, is exchanged
    /// between two messages, when nothing stands in it either way.
    fn relax(&mut self, cx: &mut Context<'_>) {
        if let Mode::Text(texts) = &mut self.mode {
            texts.relax();
        }
        if self.is_stretched
            && self.pipe.is_between()
            && self.context.can_write()
            && self.flush(cx).is_ready()
            && self.over.is_none()
        {
            self.context = context(self.role, self.max_message, self.max_written);
            self.is_stretched = false;
        }
    }

    /// Waits for the clock. Ready when it has ended the connection.
    fn tick(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(service) = &self.service else {
            return Poll::Pending;
        };
        loop {
            match self.clock.poll(cx, &mut self.pipe, &service.limits) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Due::Over(error)) => {
                    self.over = Some(Over::Late(error));
                    return Poll::Ready(());
                }
                Poll::Ready(Due::Ping) => {}
            }
            let mut turn = Turn {
                pipe: &mut self.pipe,
                cx,
            };
            let ping = Message::Ping(Bytes::new());
            let pinged = self.context.write(&mut turn, ping);
            match pinged.and_then(|()| self.context.flush(&mut turn)) {
                Err(error) if !would_block(&error) => {
                    self.over = Some(Over::of(&error));
                    return Poll::Ready(());
                }
                _ => {}
            }
        }
    }
}

fn context(role: Role, max_message: usize, max_written: usize) -> WebSocketContext {
    let mut config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(PIECE)
        .max_write_buffer_size(max_written);
    limit(&mut config, max_message);
    WebSocketContext::new(role, Some(config))
}

fn limit(config: &mut WebSocketConfig, max_message: usize) {
    config.max_message_size = Some(max_message);
    config.max_frame_size = Some(max_message);
}

fn would_block(error: &tungstenite::Error) -> bool {
    matches!(error, tungstenite::Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket")
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}
