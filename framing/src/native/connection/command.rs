//! What the owner asks of a connection: requests, answers, pushes and goodbyes.

use std::error;

use crate::{
    encoder::MessageWriter,
    error::Error,
    native::{
        Attached, Code, Codec, Extensions, FrameHeader,
        exchange::Exchange,
        flow::{InState, Outflow},
        kind::{Flags, Kind},
    },
};

use super::{Connection, Role};

/// What goes out with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outgoing<'a> {
    /// The hash of its type's name, or zero.
    pub message_type: u32,
    /// What the message is written in.
    pub codec: Codec,
    /// Its extension fields. Those for size and offset are filled in from the attachment.
    pub extensions: Extensions<'a>,
    /// The attachment that will follow, if one will.
    pub attachment: Option<Attached>,
}

impl Outgoing<'_> {
    /// A JSON message with nothing else.
    pub fn json() -> Self {
        Self {
            codec: Codec::JSON,
            ..Self::default()
        }
    }
}

/// What a message is written by.
type Written<E> = Result<(), E>;

impl Connection {
    /// Sends a request, at a client, and gives its id.
    ///
    /// # Errors
    ///
    /// [`Error::GoingAway`], [`Error::TooManyRequests`], [`Error::AttachmentTooLarge`], and those
    /// of a message that is too large, empty or cannot be serialised. Nothing is sent then.
    ///
    /// # Panics
    ///
    /// At a server, and if an extension field does not belong in a request.
    pub fn request<E>(
        &mut self,
        outgoing: &Outgoing<'_>,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Written<E>,
    ) -> Result<u32, Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        assert_eq!(self.role, Role::Client, "a server sends no requests");
        let leaving = self.leaving || self.leaving_early.is_some();
        if leaving || self.peer_leaving || self.failed.is_some() {
            return Err(Error::GoingAway);
        }
        if self.in_flight >= usize::from(self.max_requests) {
            return Err(Error::TooManyRequests {
                max: self.max_requests,
            });
        }
        // Zero is the connection's own; after four billion an old one may still be in flight.
        let mut id = self.last.wrapping_add(1).max(1);
        while self.exchanges.contains_key(&id) {
            id = id.wrapping_add(1).max(1);
        }
        self.message(Kind::Message, id, outgoing, write)?;
        self.last = id;
        let outflow = outgoing.attachment.map(|a| Box::new(Outflow::announced(a)));
        let exchange = Exchange {
            outflow,
            ..Exchange::default()
        };
        self.open(id, exchange);
        Ok(id)
    }

    /// Answers a request, at a server. What it had attached and was not read is cancelled.
    ///
    /// If the client has cancelled the request, the reply goes out all the same, and an
    /// attachment is broken off at once.
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] if the request has been answered, and as [`request`](Self::request).
    /// Nothing is sent then.
    ///
    /// # Panics
    ///
    /// As [`request`](Self::request).
    pub fn reply<E>(
        &mut self,
        request: u32,
        outgoing: &Outgoing<'_>,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Written<E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        self.unanswered(request)?;
        self.message(Kind::Reply, request, outgoing, write)?;
        self.answered(request, outgoing.attachment);
        Ok(())
    }

    /// Refuses a request, at a server. `write` may write nothing; the codec must then be
    /// [`Codec::NONE`].
    ///
    /// # Errors
    ///
    /// As [`reply`](Self::reply).
    ///
    /// # Panics
    ///
    /// If the code is one that ends connections, or text and codec do not come together.
    pub fn error<E>(
        &mut self,
        request: u32,
        code: Code,
        codec: Codec,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Written<E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        assert!(!code.is_connection(), "{code} ends the connection");
        self.unanswered(request)?;
        let before = self.encoder.queued();
        let outgoing = Outgoing {
            message_type: code.0,
            codec,
            ..Outgoing::default()
        };
        self.message(Kind::Error, request, &outgoing, write)?;
        let empty = self.encoder.queued() == before + FrameHeader::BYTES;
        assert_eq!(empty, codec == Codec::NONE, "text and codec come together");
        self.answered(request, None);
        Ok(())
    }

    /// Sends what nobody asked for, at a server.
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] before [`Event::Ready`](crate::native::Event::Ready),
    /// [`Error::GoingAway`] after a failure, and those of the message.
    ///
    /// # Panics
    ///
    /// At a client, with an attachment, or with an extension field that needs one.
    pub fn push<E>(
        &mut self,
        outgoing: &Outgoing<'_>,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Written<E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        assert_eq!(self.role, Role::Server, "a client sends no pushes");
        assert!(outgoing.attachment.is_none(), "a push has no attachment");
        if self.failed.is_some() {
            return Err(Error::GoingAway);
        }
        if !self.ready {
            return Err(Error::NotInFlight { request: 0 });
        }
        self.message(Kind::Push, 0, outgoing, write)
    }

    /// Wants nothing more of a request. At a client: neither its reply nor the rest of the
    /// attachment that the reply brings, and what the client was sending for it is broken off.
    /// The request is in flight until the server has answered it. At a server: not the rest of
    /// the attachment that the request brings; if only its end is missing, nothing is said.
    ///
    /// What is still on its way is thrown away.
    ///
    /// # Errors
    ///
    /// [`Error::NotInFlight`] if there is nothing to cancel.
    ///
    /// # Panics
    ///
    /// If the code is one that ends connections.
    pub fn cancel(&mut self, request: u32, code: Code) -> Result<(), Error> {
        assert!(!code.is_connection(), "{code} ends the connection");
        let gone = Error::NotInFlight { request };
        let role = self.role;
        let exchange = self.exchanges.get_mut(&request).ok_or(gone)?;
        let incoming = exchange
            .inflow
            .as_mut()
            .filter(|flow| matches!(flow.state, InState::Offered | InState::Open));
        let wanted = incoming.is_some() || (role == Role::Client && !exchange.answered);
        if !wanted || exchange.cancelled && role == Role::Client {
            return Err(Error::NotInFlight { request });
        }
        let mut only_the_end_is_missing = false;
        if let Some(inflow) = incoming {
            only_the_end_is_missing = inflow.has_come();
            inflow.discard();
        }
        if role == Role::Server && only_the_end_is_missing {
            // There is nothing left that the client could keep back.
            self.settle(request);
            return Ok(());
        }
        if role == Role::Client {
            exchange.cancelled = true;
            // Credit that was given stays given: data may be on its way, behind the reply.
            if let Some(expected) = &mut exchange.inflow {
                expected.window.close();
            }
            if exchange.outflow.is_some() {
                self.abort(request, code)?;
            }
        }
        self.control(FrameHeader::control(Kind::Cancel, request, code.0));
        self.settle(request);
        Ok(())
    }

    /// Asks whether the other side is there. Its answer brings the same number back. Does nothing
    /// before [`Event::Ready`](crate::native::Event::Ready), which is an answer as good.
    pub fn ping(&mut self, argument: u32) {
        if !self.ready {
            return;
        }
        self.control(FrameHeader::control(Kind::Ping, 0, argument));
    }

    /// Says that the connection is about to end. With [`Code::NONE`] what is in flight goes on,
    /// and new requests are refused in a way that makes it safe to send them elsewhere.
    ///
    /// # Panics
    ///
    /// If the code is one that ends a single request.
    pub fn go_away(&mut self, code: Code) {
        assert!(code.is_connection(), "{code} ends a request");
        if self.leaving {
            return;
        }
        if self.ready {
            self.say_goodbye(code);
        } else {
            // There is no frame before the prefaces; it is said right behind them.
            self.leaving_early = Some(code);
        }
    }

    /// Adds a frame with a message.
    fn message<E>(
        &mut self,
        kind: Kind,
        request: u32,
        outgoing: &Outgoing<'_>,
        write: impl FnOnce(&mut MessageWriter<'_>) -> Written<E>,
    ) -> Result<(), Error>
    where
        E: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let mut extensions = outgoing.extensions;
        let mut flags = Flags::NONE;
        if let Some(attached) = outgoing.attachment {
            if let Some(len) = attached.size.filter(|size| *size > self.max_attachment) {
                let max = self.max_attachment;
                return Err(Error::AttachmentTooLarge { len, max });
            }
            extensions.size = attached.size;
            extensions.offset = Some(attached.offset).filter(|offset| *offset > 0);
            flags = Flags::ATTACHMENT.with(Flags::RESUMABLE, attached.resumable);
        }
        assert!(
            extensions.is_empty() || extensions.belong(kind, flags),
            "an extension field does not belong in a {kind:?} frame"
        );
        let header = FrameHeader {
            flags,
            codec: outgoing.codec,
            ..FrameHeader::control(kind, request, outgoing.message_type)
        };
        self.encoder.message(header, &extensions, write)
    }

    fn unanswered(&self, request: u32) -> Result<(), Error> {
        assert_eq!(self.role, Role::Server, "a client answers nothing");
        match self.exchanges.get(&request) {
            Some(exchange) if !exchange.answered && self.failed.is_none() => Ok(()),
            _ => Err(Error::NotInFlight { request }),
        }
    }

    /// The answer has gone out; what it leaves open is settled.
    fn answered(&mut self, request: u32, attachment: Option<Attached>) {
        let Some(exchange) = self.exchanges.get_mut(&request) else {
            return;
        };
        exchange.answered = true;
        let cancelled = exchange.cancelled;
        let unread = exchange
            .inflow
            .as_ref()
            .is_some_and(|flow| matches!(flow.state, InState::Offered | InState::Open));
        match attachment {
            Some(_) if cancelled => {
                exchange.outflow = None;
                self.control(FrameHeader {
                    flags: Flags::ABORTED,
                    ..FrameHeader::control(Kind::End, request, Code::CANCELLED.0)
                });
            }
            Some(attached) => {
                exchange.outflow.get_or_insert_default().announce(attached);
                self.senders.push_back(request);
            }
            // Credit for an attachment that does not come.
            None => exchange.outflow = None,
        }
        if unread {
            // It was just found to be there.
            let _ = self.cancel(request, Code::NOT_WANTED);
        }
        self.settle(request);
    }
}
