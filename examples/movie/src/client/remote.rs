//! The server as the client sees it: a connection whose failures are the user's.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use packetboat_dispatch::client::{Client, NativeBody, NativeClient, ReplyBody};
use packetboat_dispatch::{
    Body, BodyExt, Chunk, ClientError, Flagged, Message, Parts, SessionId, TempFile,
};
use packetboat_framing::native::{Digest, Verifier};
use packetboat_framing::{Error, Source};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::tcp::OwnedReadHalf;

use crate::client::failure::Failure;
use crate::messages::{Login, LoginReply, Logout, Register, Secret, UserType};
use crate::refusals::BAD_PASSWORD;
use crate::sampled;

/// What a server is reached by when its address does not say: the wire of new programs.
const NATIVE: &str = "native://";
/// The wire of the servers before this one.
const CLASSIC: &str = "classic://";

/// A connection to a movie server.
#[derive(Debug)]
pub struct Remote {
    server: String,
    client: Wired,
}

/// The wire that the server's address asks for.
#[derive(Debug)]
enum Wired {
    Classic(Box<Client<Flagged>>),
    Native(NativeClient),
}

/// The file that follows a reply, on either wire.
#[derive(Debug)]
pub enum Download<'a> {
    /// On the classic wire it is the next thing that comes.
    Classic(ReplyBody<'a, OwnedReadHalf>),
    /// On the native one it comes between others.
    Native(NativeBody),
}

impl Download<'_> {
    /// Another limit for the first byte, where the reply says how long it is held back.
    pub fn set_first_byte(&mut self, limit: Option<Duration>) {
        match self {
            Self::Classic(body) => body.set_first_byte(limit),
            Self::Native(body) => body.set_first_byte(limit),
        }
    }
}

impl Download<'_> {
    /// Receives it under a temporary name in the folder of `path`, and gives the file and its
    /// digest. On the native wire it goes on where an earlier download of the same file, with this
    /// key, was cut. `progress` hears how much is here.
    ///
    /// # Errors
    /// The connection's, the disk's, and [`Error::DigestMismatch`].
    pub async fn receive_resumable(
        &mut self,
        parts: &Parts,
        key: &str,
        path: &Path,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<(TempFile, Digest), Error> {
        match self {
            Self::Native(body) => body.receive_resumable(parts, key, path, progress).await,
            Self::Classic(body) => {
                let tee = Tee {
                    verifier: Verifier::new(),
                    progress,
                };
                let (file, tee) = body.receive(path, tee).await?;
                let digest = tee.verifier.digest();
                Ok((file, digest.expect("it has seen the whole")))
            }
        }
    }
}

/// Hashes what passes on its way to the disk, and tells how much that was.
struct Tee<P> {
    verifier: Verifier,
    progress: P,
}

impl<P: FnMut(u64)> Write for Tee<P> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.verifier.update(bytes);
        (self.progress)(self.verifier.position());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Body for Download<'_> {
    fn remaining(&self) -> u64 {
        match self {
            Self::Classic(body) => body.remaining(),
            Self::Native(body) => body.remaining(),
        }
    }

    async fn gather(&mut self) -> Result<bool, Error> {
        match self {
            Self::Classic(body) => body.gather().await,
            Self::Native(body) => body.gather().await,
        }
    }

    fn take(&mut self) -> Option<Chunk> {
        match self {
            Self::Classic(body) => body.take(),
            Self::Native(body) => body.take(),
        }
    }
}

impl Remote {
    /// Connects to `HOST:PORT`, on the native wire, or on the one that stands before it:
    /// `classic://HOST:PORT`, `native://HOST:PORT`.
    ///
    /// # Errors
    /// [`Failure::Connection`].
    pub async fn connect(server: &str) -> Result<Self, Failure> {
        let client = match server.strip_prefix(CLASSIC) {
            Some(addr) => {
                let client = Client::connect(addr).await;
                client.map(|client| Wired::Classic(Box::new(client)))
            }
            None => {
                let addr = server.strip_prefix(NATIVE).unwrap_or(server);
                NativeClient::connect(addr).await.map(Wired::Native)
            }
        };
        let client = client.map_err(|source| failure(server, source))?;
        let server = server.to_owned();
        Ok(Self { server, client })
    }

    /// Makes an account.
    ///
    /// # Errors
    /// Those of the connection; a refusal, which for an empty password is our own: the server sees
    /// only its md5.
    pub async fn register(
        &mut self,
        name: &str,
        password: &str,
        user_type: UserType,
    ) -> Result<(), Failure> {
        if password.is_empty() {
            return Err(Failure::Refused {
                code: BAD_PASSWORD.code.to_owned(),
                text: BAD_PASSWORD.text.to_owned(),
            });
        }
        let register = Register {
            name: name.to_owned(),
            password: Secret(sampled::password(password)),
            user_type,
        };
        self.call(register).await.map(drop)
    }

    /// Logs in. The session goes with every later call; with `keep` it outlives the connection.
    ///
    /// # Errors
    /// Those of the connection; a refusal.
    pub async fn login(
        &mut self,
        name: &str,
        password: &str,
        user_type: UserType,
        keep: bool,
    ) -> Result<LoginReply, Failure> {
        let login = Login {
            name: name.to_owned(),
            password: Secret(sampled::password(password)),
            user_type,
            keep,
        };
        self.call(login).await
    }

    /// Ends the session.
    ///
    /// # Errors
    /// Those of the connection; a refusal.
    pub async fn logout(&mut self) -> Result<(), Failure> {
        self.call(Logout {}).await?;
        self.set_session(None);
        Ok(())
    }

    /// Goes on with a session that was kept.
    pub fn resume(&mut self, session: &Secret) {
        // What does not parse is no session; the server then says that one has to log in.
        self.set_session(session.0.parse::<SessionId>().ok());
    }

    fn set_session(&mut self, session: Option<SessionId>) {
        match &mut self.client {
            Wired::Classic(client) => client.set_session(session),
            Wired::Native(client) => client.set_session(session),
        }
    }

    /// Sends a message and gives its reply.
    ///
    /// # Errors
    /// Those of the connection; a refusal.
    pub async fn call<M>(&mut self, message: M) -> Result<M::Reply, Failure>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        let reply = match &mut self.client {
            Wired::Classic(client) => client.call(message).await,
            Wired::Native(client) => client.call(message).await,
        };
        reply.map_err(|source| failure(&self.server, source))
    }

    /// Sends a message with a file.
    ///
    /// # Errors
    /// Those of the connection and of the file; a refusal.
    pub async fn call_with_file<M>(
        &mut self,
        message: M,
        file: Source,
        progress: impl FnMut(u64) + Send,
    ) -> Result<M::Reply, Failure>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        let reply = match &mut self.client {
            Wired::Classic(client) => client.call_with_file(message, file, progress).await,
            Wired::Native(client) => client.call_with_file(message, file, progress).await,
        };
        reply.map_err(|source| failure(&self.server, source))
    }

    /// As [`call_with_file`](Self::call_with_file), for a file whose digest is known: what the
    /// server has of it from an earlier try is not sent again.
    ///
    /// # Errors
    /// As there.
    pub async fn upload<M>(
        &mut self,
        message: M,
        file: Source,
        digest: Digest,
        progress: impl FnMut(u64) + Send,
    ) -> Result<M::Reply, Failure>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        match &self.client {
            Wired::Classic(_) => self.call_with_file(message, file, progress).await,
            Wired::Native(client) => {
                let reply = client.upload(message, file, digest, progress).await;
                reply.map_err(|source| failure(&self.server, source))
            }
        }
    }

    /// Whether the wire has a place for a file's digest.
    pub fn takes_digests(&self) -> bool {
        matches!(self.client, Wired::Native(_))
    }

    /// Sends a message whose reply has a file.
    ///
    /// # Errors
    /// Those of the connection; a refusal.
    pub async fn call_for_file<M>(
        &mut self,
        message: M,
    ) -> Result<(M::Reply, Download<'_>), Failure>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        let reply = match &mut self.client {
            Wired::Classic(client) => {
                let reply = client.call_for_file(message).await;
                reply.map(|(reply, body)| (reply, Download::Classic(body)))
            }
            Wired::Native(client) => {
                let reply = client.call_for_file(message).await;
                reply.map(|(reply, body)| (reply, Download::Native(body)))
            }
        };
        reply.map_err(|source| failure(&self.server, source))
    }

    /// The server's address, as the user gave it.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether the connection can still be used.
    pub fn is_usable(&self) -> bool {
        match &self.client {
            Wired::Classic(client) => client.is_usable(),
            Wired::Native(client) => client.is_usable(),
        }
    }
}

fn failure(server: &str, error: ClientError) -> Failure {
    match error {
        ClientError::Rejected { code, text } => Failure::Refused { code, text },
        source => Failure::Connection {
            server: server.to_owned(),
            source,
        },
    }
}
