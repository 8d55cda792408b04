//! What each frame of the peer does to the state.

use crate::native::{
    Attached, Code, Codec, Event, FrameHeader, Received,
    decoder::{Found, What},
    exchange::Exchange,
    flow::{InState, Inflow},
    kind::{Flags, Kind},
};

use super::{Connection, Role};

/// What a frame meant, without a borrow of its bytes.
#[derive(Clone, Copy)]
pub(super) enum Happened {
    Message(Option<Attached>),
    Reply(Option<Attached>),
    Error,
    /// The reply is of no use to this side, for a reason of its own.
    Unusable(Code),
    Push,
    Refused(Code),
    Data,
    End,
    /// The attachment is over the limit, and cancelled.
    Overlong,
    Credit(u64),
    Cancelled,
    Pong,
    GoingAway,
}

impl Connection {
    /// Changes the state by a frame. An error ends the connection.
    pub(super) fn handle(&mut self, found: &Found) -> Result<Option<Happened>, Code> {
        let header = found.header;
        let (size, offset, deadline_ms) = match header.flags.contains(Flags::EXTENDED) {
            true => {
                let fields = self.decoder.extensions(found).fields();
                (fields.size, fields.offset, fields.deadline_ms)
            }
            false => (None, None, None),
        };
        let attached = header.flags.contains(Flags::ATTACHMENT).then(|| Attached {
            size,
            offset: offset.unwrap_or(0),
            resumable: header.flags.contains(Flags::RESUMABLE),
        });
        let too_large = matches!(found.what, What::TooLarge);
        match (header.kind, self.role) {
            (Kind::Message, Role::Server) => {
                self.on_message(&header, attached, deadline_ms, too_large)
            }
            (Kind::Reply | Kind::Error, Role::Client) => {
                self.on_answer(&header, attached, too_large)
            }
            (Kind::Push, Role::Client) if too_large => {
                Ok(Some(Happened::Refused(Code::MESSAGE_TOO_LARGE)))
            }
            (Kind::Push, Role::Client) => Ok(Some(Happened::Push)),
            (Kind::Message, Role::Client) => Err(Code::UNEXPECTED_FRAME),
            (Kind::Reply | Kind::Error | Kind::Push, Role::Server) => Err(Code::UNEXPECTED_FRAME),
            (Kind::Data, _) => self.on_data(found),
            (Kind::End, _) => self.on_end(&header),
            (Kind::Credit, _) => self.on_credit(&header, offset),
            (Kind::Cancel, _) => self.on_cancel(&header),
            (Kind::Ping, _) if header.flags.contains(Flags::ANSWER) => Ok(Some(Happened::Pong)),
            (Kind::Ping, _) => {
                self.unasked()?;
                self.control(FrameHeader {
                    flags: Flags::ANSWER,
                    ..header
                });
                Ok(None)
            }
            (Kind::GoingAway, _) => {
                self.peer_leaving = true;
                Ok(Some(Happened::GoingAway))
            }
        }
    }

    /// The event for what has happened.
    pub(super) fn tell(&self, found: &Found, happened: Happened) -> Event<'_> {
        let header = found.header;
        let (request, code) = (header.request, Code(header.argument));
        let (bytes, group): (&[u8], _) = match found.what {
            What::Whole { block } => (&self.decoder.lent()[block..], None),
            What::Data { left, .. } => {
                let group = self.decoder.group().filter(|_| left == 0);
                (self.decoder.lent(), group)
            }
            What::TooLarge => (&[], None),
        };
        let received = |attachment| Received {
            request,
            message_type: header.argument,
            codec: header.codec,
            extensions: self.decoder.extensions(found),
            message: bytes,
            attachment,
        };
        match happened {
            Happened::Message(attachment) => Event::Message(received(attachment)),
            Happened::Reply(attachment) => Event::Reply(received(attachment)),
            Happened::Push => Event::Push(received(None)),
            Happened::Error => Event::Error {
                request,
                code,
                codec: header.codec,
                message: bytes,
            },
            Happened::Unusable(code) => Event::Error {
                request,
                code,
                codec: Codec::NONE,
                message: &[],
            },
            Happened::Refused(code) => Event::Refused { request, code },
            Happened::Data => Event::Data {
                request,
                bytes,
                group,
            },
            Happened::End => Event::End {
                request,
                outcome: match header.flags.contains(Flags::ABORTED) {
                    true => Err(code),
                    false => Ok(self.decoder.extensions(found).fields().digest),
                },
            },
            Happened::Overlong => Event::End {
                request,
                outcome: Err(Code::ATTACHMENT_TOO_LARGE),
            },
            Happened::Credit(from) => Event::Credit { request, from },
            Happened::Cancelled => Event::Cancelled { request, code },
            Happened::Pong => Event::Pong {
                argument: header.argument,
            },
            Happened::GoingAway => Event::GoingAway {
                code,
                last: request,
            },
        }
    }

    fn on_message(
        &mut self,
        header: &FrameHeader,
        attached: Option<Attached>,
        deadline_ms: Option<u32>,
        too_large: bool,
    ) -> Result<Option<Happened>, Code> {
        let request = header.request;
        if !self.rises(request) || self.exchanges.contains_key(&request) {
            return Err(Code::BAD_ID);
        }
        if self.in_flight >= usize::from(self.max_requests) {
            return Err(Code::TOO_MANY_REQUESTS);
        }
        let oversized = attached.is_some_and(|a| a.size.is_some_and(|n| n > self.max_attachment));
        let refusal = if self.leaving {
            Some(Code::GOING_AWAY)
        } else if too_large {
            Some(Code::MESSAGE_TOO_LARGE)
        } else if header.codec != Codec::JSON {
            Some(Code::UNSUPPORTED_CODEC)
        } else if oversized {
            Some(Code::ATTACHMENT_TOO_LARGE)
        } else if deadline_ms == Some(0) {
            Some(Code::DEADLINE_EXCEEDED)
        } else {
            None
        };
        self.last = request;
        if !self.leaving {
            self.taken = request;
        }
        let inflow = |state| {
            let attached = attached?;
            Some(Box::new(Inflow::new(state, attached, self.max_window)))
        };
        let Some(code) = refusal else {
            let inflow = inflow(InState::Offered);
            self.open(
                request,
                Exchange {
                    inflow,
                    ..Exchange::default()
                },
            );
            return Ok(Some(Happened::Message(attached)));
        };
        let inflow = inflow(InState::Discarded);
        self.unasked()?;
        self.control(FrameHeader::control(Kind::Error, request, code.0));
        if inflow.is_some() {
            self.unasked()?;
            self.control(FrameHeader::control(Kind::Cancel, request, code.0));
            self.open(
                request,
                Exchange {
                    answered: true,
                    inflow,
                    ..Exchange::default()
                },
            );
        }
        Ok(Some(Happened::Refused(code)))
    }

    fn on_answer(
        &mut self,
        header: &FrameHeader,
        attached: Option<Attached>,
        too_large: bool,
    ) -> Result<Option<Happened>, Code> {
        let (request, max_window) = (header.request, self.max_window);
        let max_attachment = self.max_attachment;
        let Some(exchange) = self.exchanges.get_mut(&request).filter(|ex| !ex.answered) else {
            return Err(self.stranger(request));
        };
        exchange.answered = true;
        let oversized = attached.is_some_and(|a| a.size.is_some_and(|n| n > max_attachment));
        let unusable = match (too_large, oversized) {
            (true, _) => Some(Code::MESSAGE_TOO_LARGE),
            (_, true) => Some(Code::ATTACHMENT_TOO_LARGE),
            _ => None,
        };
        let mut begins = None;
        if let Some(attached) = attached {
            let mut inflow = exchange
                .inflow
                .take()
                .unwrap_or_else(|| Box::new(Inflow::new(InState::Offered, attached, max_window)));
            if exchange.cancelled || unusable.is_some() {
                inflow.discard();
            } else if inflow.state == InState::Expected {
                inflow.announce(attached);
            }
            // Of one that is thrown away nothing is told.
            begins = Some(inflow.attached).filter(|_| inflow.state != InState::Discarded);
            exchange.inflow = Some(inflow);
        } else {
            // Credit for an attachment that does not come.
            exchange.inflow = None;
        }
        let stop = attached.is_some() && unusable.is_some() && !exchange.cancelled;
        if let (true, Some(code)) = (stop, unusable) {
            exchange.cancelled = true;
            self.unasked()?;
            self.control(FrameHeader::control(Kind::Cancel, request, code.0));
        }
        self.settle(request);
        Ok(Some(match (unusable, header.kind) {
            (Some(code), _) => Happened::Unusable(code),
            (None, Kind::Reply) => Happened::Reply(begins),
            (None, _) => Happened::Error,
        }))
    }

    fn on_data(&mut self, found: &Found) -> Result<Option<Happened>, Code> {
        let header = found.header;
        let What::Data { first, .. } = found.what else {
            return Err(Code::UNEXPECTED_FRAME);
        };
        let (request, max) = (header.request, self.max_attachment);
        let flow = self.exchanges.get_mut(&request);
        let Some(inflow) = flow
            .and_then(|ex| ex.inflow.as_mut())
            .filter(|flow| flow.is_open())
        else {
            return Err(self.stranger(request));
        };
        if first {
            inflow.receive(u64::from(header.length))?;
        }
        if inflow.state == InState::Discarded {
            return Ok(None);
        }
        if inflow.window.received() > max {
            inflow.discard();
            self.unasked()?;
            let code = Code::ATTACHMENT_TOO_LARGE;
            self.control(FrameHeader::control(Kind::Cancel, request, code.0));
            return Ok(Some(Happened::Overlong));
        }
        Ok((!self.decoder.lent().is_empty()).then_some(Happened::Data))
    }

    fn on_end(&mut self, header: &FrameHeader) -> Result<Option<Happened>, Code> {
        let request = header.request;
        let flow = self.exchanges.get_mut(&request);
        let Some(inflow) = flow
            .and_then(|ex| ex.inflow.as_mut())
            .filter(|flow| flow.is_open())
        else {
            return Err(self.stranger(request));
        };
        let discarded = inflow.state == InState::Discarded;
        if !header.flags.contains(Flags::ABORTED) && !discarded && !inflow.is_whole() {
            return Err(Code::WRONG_SIZE);
        }
        inflow.state = InState::Ended;
        self.settle(request);
        Ok((!discarded).then_some(Happened::End))
    }

    fn on_credit(
        &mut self,
        header: &FrameHeader,
        offset: Option<u64>,
    ) -> Result<Option<Happened>, Code> {
        let request = header.request;
        let Some(exchange) = self.exchanges.get_mut(&request) else {
            return self.late(request);
        };
        // Before the reply: a client may give credit for the attachment that the reply may bring.
        if exchange.outflow.is_none() && self.role == Role::Server && !exchange.answered {
            exchange.outflow = Some(Box::default());
        }
        let Some(outflow) = &mut exchange.outflow else {
            return Ok(None);
        };
        // A server's attachments are those of replies, and the credit may have crossed the reply.
        let may_be_a_wish = self.role == Role::Server;
        outflow.credit(header.argument, offset, may_be_a_wish)?;
        let announced = outflow.attached.is_some();
        let from = outflow.at;
        Ok(announced.then_some(Happened::Credit(from)))
    }

    fn on_cancel(&mut self, header: &FrameHeader) -> Result<Option<Happened>, Code> {
        let request = header.request;
        let Some(exchange) = self.exchanges.get_mut(&request) else {
            return self.late(request);
        };
        let sending = exchange
            .outflow
            .as_ref()
            .is_some_and(|flow| flow.attached.is_some());
        let waits = self.role == Role::Server && !exchange.answered && !exchange.cancelled;
        if self.role == Role::Server {
            exchange.cancelled = true;
        }
        if sending {
            exchange.outflow = None;
            self.unasked()?;
            self.control(FrameHeader {
                flags: Flags::ABORTED,
                ..FrameHeader::control(Kind::End, request, header.argument)
            });
            self.settle(request);
        }
        Ok((sending || waits).then_some(Happened::Cancelled))
    }

    /// A frame for a request that is over: its sender could not know.
    fn late(&self, request: u32) -> Result<Option<Happened>, Code> {
        match self.rises(request) {
            true => Err(Code::BAD_ID),
            false => Ok(None),
        }
    }

    /// Which rule a frame breaks whose request is not in a state for it.
    fn stranger(&self, request: u32) -> Code {
        match self.rises(request) {
            true => Code::BAD_ID,
            false => Code::UNEXPECTED_FRAME,
        }
    }

    /// Whether an id is one that was not given yet. Ids rise, and after the last of 32 bits
    /// begin again: of two, the later is less than half the circle ahead.
    fn rises(&self, request: u32) -> bool {
        (1..=i32::MAX as u32).contains(&request.wrapping_sub(self.last))
    }
}
