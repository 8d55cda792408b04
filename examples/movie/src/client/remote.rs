//! The server as the client sees it: a connection whose failures are the user's.

use packetboat_dispatch::client::{Client, ReplyBody};
use packetboat_dispatch::{ClientError, Flagged, Message, SessionId};
use packetboat_framing::Source;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::tcp::OwnedReadHalf;

use crate::client::failure::Failure;
use crate::messages::{Login, LoginReply, Logout, Register, Secret, UserType};
use crate::refusals::BAD_PASSWORD;
use crate::sampled;

/// A connection to a movie server.
#[derive(Debug)]
pub struct Remote {
    server: String,
    client: Client<Flagged>,
}

impl Remote {
    /// Connects.
    ///
    /// # Errors
    /// [`Failure::Connection`].
    pub async fn connect(server: &str) -> Result<Self, Failure> {
        let client = Client::connect(server).await;
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
        self.client.set_session(None);
        Ok(())
    }

    /// Goes on with a session that was kept.
    pub fn resume(&mut self, session: &Secret) {
        // What does not parse is no session; the server then says that one has to log in.
        self.client.set_session(session.0.parse::<SessionId>().ok());
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
        let reply = self.client.call(message).await;
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
        let reply = self.client.call_with_file(message, file, progress).await;
        reply.map_err(|source| failure(&self.server, source))
    }

    /// Sends a message whose reply has a file.
    ///
    /// # Errors
    /// Those of the connection; a refusal.
    pub async fn call_for_file<M>(
        &mut self,
        message: M,
    ) -> Result<(M::Reply, ReplyBody<'_, OwnedReadHalf>), Failure>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        let reply = self.client.call_for_file(message).await;
        reply.map_err(|source| failure(&self.server, source))
    }

    /// The server's address, as the user gave it.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether the connection can still be used.
    pub fn is_usable(&self) -> bool {
        self.client.is_usable()
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
