//! A request on its way in: what is known of it before its message is looked at.

use std::fmt;
use std::time::Instant;

use crate::carried::Carried;
use crate::connection::Peer;
use crate::extensions::Extensions;
use crate::idempotency::IdempotencyKey;
use crate::rejection::Rejection;
use crate::session::{ConnectionSessions, Session, SessionId};
use crate::upload::Upload;
use crate::wire::Wire;

/// One request as guards, middleware and extractors see it: everything but the message.
///
/// Nothing in here comes from the message's own fields except the type and the token of the
/// session, so a guard cannot be talked into an identity.
pub struct Call {
    message_type: &'static str,
    peer: Peer,
    token: Option<Token>,
    attachment_len: Option<u64>,
    received: Instant,
    deadline: Option<Instant>,
    idempotency_key: Option<IdempotencyKey>,
    wire: Wire,
    sessions: Option<ConnectionSessions>,
    upload: Option<Upload>,
    carried: Carried,
    /// What middleware hands on to extractors.
    pub extensions: Extensions,
}

impl Call {
    /// A request of this type, received now; for tests of guards and extractors, too.
    #[must_use]
    pub fn new(message_type: &'static str, peer: Peer) -> Self {
        Self::received_at(message_type, peer, Instant::now())
    }

    /// A request that was received at this instant.
    pub(crate) fn received_at(message_type: &'static str, peer: Peer, received: Instant) -> Self {
        Self {
            message_type,
            peer,
            token: None,
            attachment_len: None,
            received,
            deadline: None,
            idempotency_key: None,
            wire: Wire::Classic,
            sessions: None,
            upload: None,
            carried: Carried::default(),
            extensions: Extensions::new(),
        }
    }

    /// With the token of a session as the peer sent it; longer than 64 bytes is none.
    #[must_use]
    pub fn with_session_token(mut self, token: &str) -> Self {
        self.token = Token::new(token);
        self
    }

    /// With an attachment of this many bytes.
    #[must_use]
    pub fn with_attachment_len(mut self, len: u64) -> Self {
        self.attachment_len = Some(len);
        self
    }

    /// On a connection with these sessions.
    #[must_use]
    pub fn with_sessions(mut self, sessions: ConnectionSessions) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// With an instant until which the client waits.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// With the key that its client has given it.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<IdempotencyKey>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// On another wire than the classic one.
    #[must_use]
    pub fn with_wire(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    /// On a connection that was opened by a request with these values.
    pub(crate) fn with_carried(mut self, carried: Carried) -> Self {
        self.carried = carried;
        self
    }

    /// With what follows the message.
    pub(crate) fn with_upload(mut self, upload: Upload) -> Self {
        self.attachment_len = Some(upload.len());
        self.upload = Some(upload);
        self
    }

    /// The session that the peer has shown, if it is alive and valid on this connection.
    ///
    /// # Errors
    ///
    /// `internal` when the store could not tell.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves all sessions as they were.
    pub async fn session(&self) -> Result<Option<Session>, Rejection> {
        let (Some(sessions), Some(id)) = (&self.sessions, self.session_id()) else {
            return Ok(None);
        };
        let session = sessions.verify(&id).await?;
        if session.is_some() {
            self.peer.set_logged_in(true);
        }
        Ok(session)
    }

    /// The sessions of this connection, where the dispatcher keeps any.
    #[must_use]
    pub fn sessions(&self) -> Option<&ConnectionSessions> {
        self.sessions.as_ref()
    }

    /// The id that the peer's token spells, if it spells one.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        self.session_token()?.parse().ok()
    }

    /// Takes what follows the message; once.
    pub(crate) fn take_upload(&mut self) -> Option<Upload> {
        self.upload.take()
    }

    /// The message's own type, whichever of its names the peer used.
    #[must_use]
    pub fn message_type(&self) -> &'static str {
        self.message_type
    }

    /// The other end of the connection.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The token of a session as the peer sent it: a claim, not yet a session.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.token.as_ref().map(Token::as_str)
    }

    /// How many bytes follow the message, where its type has an attachment.
    #[must_use]
    pub fn attachment_len(&self) -> Option<u64> {
        self.attachment_len
    }

    /// The value of this type that the request which opened this WebSocket had, where
    /// [`SocketOptions::carry`](crate::web::SocketOptions::carry) has taken it along.
    #[cfg(feature = "web")]
    #[must_use]
    pub fn upgraded<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.carried.get()
    }

    /// Until when the client waits for the reply, where it has said so.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The key that its client has given it, where it has.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<IdempotencyKey> {
        self.idempotency_key
    }

    /// The wire that it came on.
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// When the last byte of the message had arrived.
    #[must_use]
    pub fn received(&self) -> Instant {
        self.received
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("message_type", &self.message_type)
            .field("peer", &self.peer)
            .field("attachment_len", &self.attachment_len)
            .finish_non_exhaustive()
    }
}

/// A token in place: most are 32 characters, and each request carries one.
struct Token {
    len: u8,
    bytes: [u8; Self::MAX],
}

impl Token {
    const MAX: usize = 64;

    fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(Self {
            len: text.len() as u8,
            bytes,
        })
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)])
            .expect("the bytes were copied from a str, whole")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_and_not_shown() {
        let call = Call::new("login", Peer::new(None)).with_session_token("c0ffee");
        assert_eq!(call.session_token(), Some("c0ffee"));
        assert!(!format!("{call:?}").contains("c0ffee"));
        let longest = "x".repeat(64);
        let call = call.with_session_token(&longest);
        assert_eq!(call.session_token(), Some(&*longest));
        assert_eq!(
            call.with_session_token(&"x".repeat(65)).session_token(),
            None
        );
    }
}
