//! A peer that speaks the native wire, and says what came in place of what was due.

use std::time::Duration;

use serde_json::Value;

use crate::hostile::line::Line;
use crate::hostile::native::frame::{
    ABORTED, ANSWER, ATTACHMENT, CANCEL, CREDIT, END, ERROR, Frame, GOING_AWAY, PING, REPLY, SIZE,
};
use crate::hostile::native::{MAGIC, PREFACE, UNKNOWN, code, shown};
use crate::hostile::script::{Played, wrong};
use crate::hostile::target::{Need, Target, fill};

/// The longest frame that is read.
const MAX_FRAME: usize = 16 << 20;

/// One connection.
pub(super) struct Peer<'a> {
    pub(super) target: &'a Target,
    pub(super) line: Line,
    /// How many requests the server lets be in flight.
    pub(super) requests: u16,
    pub(super) last: u32,
    pub(super) session: Option<Value>,
}

impl<'a> Peer<'a> {
    pub(super) fn greet(target: &'a Target) -> Played<Self> {
        Self::greet_over(target, Line::connect(target)?)
    }

    pub(super) fn greet_over(target: &'a Target, mut line: Line) -> Played<Self> {
        line.send(&PREFACE);
        let mut peer = Self {
            target,
            line,
            requests: 0,
            last: 0,
            session: None,
        };
        peer.preface()?;
        Ok(peer)
    }

    /// Hears the server's preface.
    pub(super) fn preface(&mut self) -> Played {
        let mut answer = [0; 8];
        self.line.read(&mut answer)?;
        self.requests = u16::from_be_bytes([answer[6], answer[7]]);
        if answer[..4] != MAGIC || answer[4] != 1 || answer[5] < 1 || self.requests < 1 {
            return wrong(format!("{answer:02x?} where a preface was due"));
        }
        Ok(())
    }

    pub(super) fn send(&mut self, frame: &Frame) {
        self.line.send(&frame.bytes());
    }

    /// The next id.
    pub(super) fn id(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// Sends a request that nothing follows.
    pub(super) fn ask(&mut self, text: impl Into<Vec<u8>>) -> u32 {
        let id = self.id();
        self.send(&Frame::message(id, text));
        id
    }

    /// The next frame; pings of the server are passed over.
    pub(super) fn next(&mut self) -> Played<Frame> {
        loop {
            let mut header = [0; Frame::HEADER];
            self.line.read(&mut header)?;
            let (mut frame, length) = Frame::of_header(header);
            if length > MAX_FRAME {
                return wrong(format!("{frame:?} of {length} bytes"));
            }
            frame.payload = vec![0; length];
            self.line.read(&mut frame.payload)?;
            if frame.kind != PING || frame.flags & ANSWER != 0 {
                return Ok(frame);
            }
        }
    }

    /// The next frame, which is of this kind and this request.
    pub(super) fn expect(&mut self, kind: u8, id: u32) -> Played<Frame> {
        let frame = self.next()?;
        if (frame.kind, frame.id) != (kind, id) {
            return wrong(format!("{}, kind {kind} of {id} was due", shown(&frame)));
        }
        Ok(frame)
    }

    /// The next frame refuses this request with this code.
    pub(super) fn refused(&mut self, id: u32, code: u32) -> Played {
        let frame = self.expect(ERROR, id)?;
        if frame.value != code {
            return wrong(format!("{}, code {code} was due", shown(&frame)));
        }
        Ok(())
    }

    /// The next frame cancels the attachment of this request.
    pub(super) fn cancelled(&mut self, id: u32) -> Played {
        let frame = self.expect(CANCEL, id)?;
        if frame.value < 64 {
            return wrong(format!("{}, a code of 64 or more was due", shown(&frame)));
        }
        Ok(())
    }

    /// The next frame answers this request, be it by a refusal.
    pub(super) fn any_answer(&mut self, id: u32) -> Played<Frame> {
        let frame = self.next()?;
        if !matches!(frame.kind, REPLY | ERROR) || frame.id != id {
            return wrong(format!("{}, an answer to {id} was due", shown(&frame)));
        }
        Ok(frame)
    }

    /// The next frame is the answer to the good message with this id.
    pub(super) fn answered(&mut self, id: u32) -> Played {
        let frame = self.next()?;
        self.is_answer(&frame, id)
    }

    /// A frame is the answer to the good message with this id.
    pub(super) fn is_answer(&self, frame: &Frame, id: u32) -> Played {
        if !matches!(frame.kind, REPLY | ERROR) || frame.id != id {
            return wrong(format!("{}, an answer to {id} was due", shown(frame)));
        }
        let came = (frame.kind, frame.value, frame.body().to_vec());
        match &self.target.answers.native {
            Some(answer) if came != *answer => wrong(format!(
                "{}, the good message was answered otherwise before",
                shown(frame)
            )),
            _ => Ok(()),
        }
    }

    /// Sends the good message; its id.
    pub(super) fn ask_good(&mut self) -> u32 {
        let good = self.target.good.to_string();
        self.ask(good)
    }

    /// The connection goes on: a good message is answered, and nothing comes before that.
    pub(super) fn lives(&mut self) -> Played {
        let id = self.ask_good();
        self.answered(id)
    }

    /// Everything sent before has been looked at, and nothing came of it.
    pub(super) fn nothing_came(&mut self) -> Played {
        self.send(&Frame::bare(PING, 0, 4711));
        let frame = self.next()?;
        if (frame.kind, frame.flags, frame.value) != (PING, ANSWER, 4711) {
            return wrong(format!("{}, a ping's answer was due", shown(&frame)));
        }
        Ok(())
    }

    /// The next frame ends the connection with this code, and it is closed so that the frame arrives.
    pub(super) fn goodbye(&mut self, code: u32) -> Played {
        let frame = self.next()?;
        self.is_goodbye(&frame, code)
    }

    /// The same behind answers and credit that may or may not have gone out before.
    pub(super) fn goodbye_at_last(&mut self, code: u32) -> Played {
        loop {
            let frame = self.next()?;
            if frame.kind == GOING_AWAY {
                return self.is_goodbye(&frame, code);
            }
        }
    }

    pub(super) fn is_goodbye(&mut self, frame: &Frame, code: u32) -> Played {
        if (frame.kind, frame.value) != (GOING_AWAY, code) {
            return wrong(format!("{}, a goodbye with {code} was due", shown(frame)));
        }
        self.line.fin()
    }

    /// The connection is closed without a word.
    pub(super) fn gone(&mut self) -> Played {
        self.line.gone(Duration::from_secs(3))
    }

    /// Sends a request with an attachment that nobody wants, and hears that. It is in flight until the END.
    pub(super) fn hold(&mut self) -> Played<u32> {
        let id = self.id();
        let size = 10u64.to_be_bytes();
        let message = Frame::message(id, UNKNOWN).with_flags(ATTACHMENT);
        self.send(&message.with_fields(&[(SIZE, &size)]));
        self.refused(id, code::UNKNOWN_TYPE)?;
        self.cancelled(id)?;
        Ok(id)
    }

    /// Says what comes before a message, and gives that message with a file of this size behind it.
    pub(super) fn message(&mut self, need: Need, size: u64) -> Played<String> {
        let Some(ask) = self.target.ask(need) else {
            return wrong(format!("without {need} nothing can be asked"));
        };
        for message in &ask.before {
            let message = fill(message, 0, self.session.as_ref());
            let id = self.ask(message.to_string());
            let answer = self.any_answer(id)?;
            let answer: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            if answer["session"].is_string() {
                self.session = Some(answer["session"].clone());
            }
        }
        Ok(fill(&ask.message, size, self.session.as_ref()).to_string())
    }

    /// Sends a request of which an upload of this size is a part, with more fields; its id.
    pub(super) fn offer(&mut self, size: u64, flags: u8, fields: &[(u8, &[u8])]) -> Played<u32> {
        let message = self.message(Need::Upload, size)?;
        let id = self.id();
        let stated = size.to_be_bytes();
        let fields = [&[(SIZE, &stated[..])][..], fields].concat();
        let message = Frame::message(id, message).with_flags(ATTACHMENT | flags);
        self.send(&message.with_fields(&fields));
        Ok(id)
    }

    /// The same, up to the first credit; the id and the credit.
    pub(super) fn upload(
        &mut self,
        size: u64,
        flags: u8,
        fields: &[(u8, &[u8])],
    ) -> Played<(u32, u32)> {
        let id = self.offer(size, flags, fields)?;
        let credit = self.expect(CREDIT, id)?;
        Ok((id, credit.value))
    }

    /// Ends an attachment that was begun.
    pub(super) fn end(&mut self, id: u32) {
        self.send(&Frame::bare(END, id, 0));
    }

    /// Breaks it off.
    pub(super) fn abort(&mut self, id: u32) {
        let end = Frame::bare(END, id, code::SOURCE_FAILED);
        self.send(&end.with_flags(ABORTED));
    }
}
