//! Sending to a room.

use bytes::Bytes;
use serde::Serialize;

use crate::connection::ConnectionId;
use crate::message::Message;
use crate::push::broker::{BrokerError, MemberId, Publication};
use crate::push::error::PushError;
use crate::push::hub::Hub;
use crate::push::position::Position;
use crate::push::presence::Present;
use crate::push::room::Command;
use crate::push::slow::SlowReader;

/// A room to send to. Those who are in it get it, on every node.
#[derive(Debug)]
#[must_use = "nothing is sent yet"]
pub struct Room<'a> {
    pub(super) hub: &'a Hub,
    pub(super) name: &'a str,
    pub(super) except: Option<MemberId>,
}

/// Where a message has gone.
#[derive(Debug)]
pub enum Sent {
    /// To the room, which keeps it: it stands here.
    Kept(Position),
    /// To the members on this node alone, since the broker was away. Those of other nodes, and all
    /// who come again, are told of a gap once it is back.
    Local {
        /// How many there are.
        members: usize,
        /// Why the broker was away.
        cause: BrokerError,
    },
}

impl Room<'_> {
    /// Sends to all but this connection of this node. It gets the message all the same when it
    /// comes again later and reads the history.
    pub fn except(mut self, connection: ConnectionId) -> Self {
        self.except = Some(self.hub.core.member(connection));
        self
    }

    /// Sends to those who are in the room, and keeps it for those who come again. Gives where it
    /// stands in the room's stream. It waits for no reader.
    ///
    /// # Errors
    ///
    /// [`PushError::Broker`], [`PushError::BadRoom`], [`PushError::Stopped`] and those of the
    /// message.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, it may have been sent or not.
    pub async fn send<M>(self, message: &M, slow: SlowReader) -> Result<Position, PushError>
    where
        M: Message + Serialize,
    {
        let (core, publication) = (&self.hub.core, self.publication(message, slow)?);
        let keep = &core.limits.keep;
        Ok(core.broker.publish(self.name, publication, keep).await?)
    }

    /// Sends as [`send`](Self::send) does; and while the broker
    /// [is away](BrokerError::is_away), to the members on this node. They get it as a message that
    /// is not kept, without a position, and one that would wait for a slow reader is the first to
    /// make room for others. When the broker is back, the readers of the room, on every node, are
    /// told by a gap notice how many such messages there were.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send): also when the broker has failed while it had the message,
    /// which then may have been sent or not, and when it is away and there is nobody here.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_or_local<M>(self, message: &M, slow: SlowReader) -> Result<Sent, PushError>
    where
        M: Message + Serialize,
    {
        let (core, publication) = (&self.hub.core, self.publication(message, slow)?);
        let keep = &core.limits.keep;
        let sent = core.broker.publish(self.name, publication.clone(), keep);
        match sent.await {
            Err(cause) if cause.is_away() => match self.local(publication, true).await {
                0 => Err(cause.into()),
                members => Ok(Sent::Local { members, cause }),
            },
            position => Ok(Sent::Kept(position?)),
        }
    }

    /// To the members on this node, what the room would have kept or not.
    async fn local(&self, publication: Publication, is_kept: bool) -> usize {
        let local = |handed| Command::Local {
            publication,
            is_kept,
            handed,
        };
        let members = self.hub.core.ask(self.name, local).await;
        members.unwrap_or_default()
    }

    /// Sends to those who are in the room now, and keeps nothing: that somebody is typing, say. It
    /// has no place in the stream, and who misses it is not told. While the broker
    /// [is away](BrokerError::is_away) it goes to the members on this node.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`PushError::CannotWait`] with [`SlowReader::Wait`].
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn signal<M>(self, message: &M, slow: SlowReader) -> Result<(), PushError>
    where
        M: Message + Serialize,
    {
        if slow == SlowReader::Wait {
            return Err(PushError::CannotWait);
        }
        let publication = self.publication(message, slow)?;
        let core = &self.hub.core;
        match core.broker.signal(self.name, publication.clone()).await {
            Err(error) if error.is_away() => {
                self.local(publication, false).await;
                Ok(())
            }
            sent => Ok(sent?),
        }
    }

    /// Who is here: each key once, in the order in which they came. While the presence store
    /// [is away](crate::push::presence::PresenceError::is_away), those of this node.
    ///
    /// # Errors
    ///
    /// [`PushError::Presence`].
    pub async fn present(&self) -> Result<Vec<Present>, PushError> {
        let core = &self.hub.core;
        match core.presence.list(self.name).await {
            Err(error) if error.is_away() => {
                core.counters.presence_local();
                let here = core.ask(self.name, Command::Present).await;
                Ok(here.unwrap_or_default())
            }
            list => Ok(list?),
        }
    }

    /// Where its stream is.
    ///
    /// # Errors
    ///
    /// [`PushError::Broker`].
    pub async fn position(&self) -> Result<Position, PushError> {
        Ok(self.hub.core.broker.position(self.name).await?)
    }

    fn publication<M>(&self, message: &M, slow: SlowReader) -> Result<Publication, PushError>
    where
        M: Message + Serialize,
    {
        check_room(self.name)?;
        if self.hub.core.is_stopping() {
            return Err(PushError::Stopped);
        }
        let data = encode(message, self.hub.core.limits.message_bytes)?;
        Ok(Publication {
            except: self.except,
            ..Publication::new(M::TYPE, data, slow)
        })
    }
}

/// Writes a message, once for all who get it.
pub(super) fn encode<M: Message + Serialize>(message: &M, max: usize) -> Result<Bytes, PushError> {
    const {
        assert!(M::ATTACHMENT.is_none(), "a push has no file");
    }
    let data = serde_json::to_vec(message).map_err(PushError::Message)?;
    match data.len() {
        len if len > max => Err(PushError::TooLarge { len, max }),
        _ => Ok(data.into()),
    }
}

pub(super) fn check_room(name: &str) -> Result<(), PushError> {
    match name.len() {
        1..=255 => Ok(()),
        len => Err(PushError::BadRoom { len }),
    }
}
