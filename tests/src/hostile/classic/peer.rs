//! A peer that speaks the classic wire.

use std::time::Duration;

use serde_json::Value;

use crate::hostile::classic::frame;
use crate::hostile::line::Line;
use crate::hostile::script::{Played, wrong};
use crate::hostile::target::{Need, Target, fill};

/// The longest reply that is read.
const MAX_REPLY: usize = 16 << 20;

/// One connection.
pub(super) struct Peer<'a> {
    pub(super) target: &'a Target,
    pub(super) line: Line,
    pub(super) session: Option<Value>,
}

impl<'a> Peer<'a> {
    pub(super) fn connect(target: &'a Target) -> Played<Self> {
        Ok(Self {
            target,
            line: Line::connect(target)?,
            session: None,
        })
    }

    pub(super) fn say(&mut self, message: impl AsRef<[u8]>) {
        self.line.send(&frame(message.as_ref()));
    }

    pub(super) fn good(&self) -> Vec<u8> {
        frame(self.target.good.to_string().as_bytes())
    }

    pub(super) fn reply(&mut self) -> Played<Value> {
        let mut length = [0; 4];
        self.line.read(&mut length)?;
        let length = i32::from_le_bytes(length);
        let Some(length) = usize::try_from(length)
            .ok()
            .filter(|n| (1..=MAX_REPLY).contains(n))
        else {
            return wrong(format!("a reply of {length} bytes"));
        };
        let mut message = vec![0; length];
        self.line.read(&mut message)?;
        serde_json::from_slice(&message)
            .or_else(|error| wrong(format!("a reply in no JSON: {error}")))
    }

    /// The next reply is a refusal with this code.
    pub(super) fn refused(&mut self, code: &str) -> Played {
        let reply = self.reply()?;
        let stated = [&reply["code"], &reply["error"]["code"]];
        if !stated.iter().any(|stated| *stated == code) {
            return wrong(format!("{reply}, `{code}` was due"));
        }
        Ok(())
    }

    /// The next reply is that to the good message.
    pub(super) fn answered(&mut self) -> Played {
        let reply = self.reply()?;
        match &self.target.answers.classic {
            Some(answer) if reply != *answer => wrong(format!("{reply}, {answer} was due")),
            _ => Ok(()),
        }
    }

    /// The connection goes on: a good message is answered, once.
    pub(super) fn lives(&mut self) -> Played {
        let good = self.good();
        self.line.send(&good);
        self.answered()
    }

    /// No answer comes, and the connection is closed.
    pub(super) fn gone(&mut self) -> Played {
        self.line.gone(Duration::from_secs(3))
    }

    /// The answer was the last: the connection is closed so that it arrives.
    pub(super) fn closed(&mut self) -> Played {
        self.line.fin()
    }

    /// Says what comes before a message, and gives that message with a file of this size behind it.
    pub(super) fn message(&mut self, need: Need, size: u64) -> Played<Value> {
        let Some(ask) = self.target.ask(need) else {
            return wrong(format!("without {need} nothing can be asked"));
        };
        self.say_all(&ask.before)?;
        Ok(fill(&ask.message, size, self.session.as_ref()))
    }

    pub(super) fn say_all(&mut self, messages: &[Value]) -> Played {
        for message in messages {
            let message = fill(message, 0, self.session.as_ref());
            self.say(message.to_string());
            let reply = self.reply()?;
            if reply["session"].is_string() {
                self.session = Some(reply["session"].clone());
            }
        }
        Ok(())
    }
}
