//! The server as the client sees it: a connection whose failures are the user's.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use packetboat_dispatch::client::{Client, NativeClient, TlsClient};
use packetboat_dispatch::tls::{ClientTls, TlsError};
use packetboat_dispatch::{ClientError, Flagged, Message, SessionId, Wire};
use packetboat_framing::Source;
use packetboat_framing::native::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::args::Options;
use crate::client::download::Download;
use crate::client::failure::Failure;
use crate::client::native::Native;
use crate::messages::{Login, LoginReply, Logout, Register, Secret, UserType};
use crate::refusals::BAD_PASSWORD;
use crate::sampled;

/// What may stand before a server's address: the wire, and whether it is encrypted. Without any of
/// them it is the wire of new programs, in plain.
const SCHEMES: [(&str, Wire, bool); 4] = [
    ("native://", Wire::Native, false),
    ("tls://", Wire::Native, true),
    // The wire of the servers before this one.
    ("classic://", Wire::Classic, false),
    ("classic+tls://", Wire::Classic, true),
];

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
    ClassicTls(Box<TlsClient<Flagged>>),
    Native(Native),
}

impl Wired {
    fn classic(client: Client<Flagged>) -> Self {
        Self::Classic(Box::new(client))
    }

    fn classic_tls(client: TlsClient<Flagged>) -> Self {
        Self::ClassicTls(Box::new(client))
    }
}

impl Remote {
    /// Connects to the server that the options name.
    ///
    /// # Errors
    /// [`Failure::Connection`]; [`Failure::Local`] for the file of trusted certificates, which is
    /// also refused where nothing would be encrypted.
    pub async fn open(options: &Options) -> Result<Self, Failure> {
        Self::connect_trusting(&options.server, options.tls_ca.as_deref()).await
    }

    /// Connects to `HOST:PORT`, on the native wire, or by what stands before it:
    /// `classic://HOST:PORT`, `native://HOST:PORT`, and encrypted `tls://HOST:PORT`,
    /// `classic+tls://HOST:PORT`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn connect(server: &str) -> Result<Self, Failure> {
        Self::connect_trusting(server, None).await
    }

    async fn connect_trusting(server: &str, roots: Option<&Path>) -> Result<Self, Failure> {
        let schemes = SCHEMES.iter();
        let mut named = schemes.filter_map(|(scheme, wire, encrypted)| {
            let addr = server.strip_prefix(scheme)?;
            Some((addr, *wire, *encrypted))
        });
        let (addr, wire, encrypted) = named.next().unwrap_or((server, Wire::Native, false));
        let client = if encrypted {
            let trust = trust(addr, roots)?;
            match wire {
                Wire::Classic => {
                    let builder = Client::builder().tls(trust);
                    builder.connect(addr).await.map(Wired::classic_tls)
                }
                _ => {
                    let addr = addr.to_owned();
                    let connect = move || {
                        let (builder, addr) = (Client::builder().tls(trust.clone()), addr.clone());
                        async move { builder.connect_native(&*addr).await }
                    };
                    Native::connect(connect).await.map(Wired::Native)
                }
            }
        } else if let Some(roots) = roots {
            let plain = "nothing is encrypted unless the server's address begins with tls://";
            let plain = io::Error::new(io::ErrorKind::InvalidInput, plain);
            return Err(Failure::local(roots, plain));
        } else {
            match wire {
                Wire::Classic => Client::connect(addr).await.map(Wired::classic),
                _ => {
                    let addr = addr.to_owned();
                    let connect = move || {
                        let addr = addr.clone();
                        async move { NativeClient::connect(&*addr).await }
                    };
                    Native::connect(connect).await.map(Wired::Native)
                }
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
        self.set_session(None).await;
        Ok(())
    }

    /// Goes on with a session that was kept.
    pub async fn resume(&mut self, session: &Secret) {
        // What does not parse is no session; the server then says that one has to log in.
        self.set_session(session.0.parse::<SessionId>().ok()).await;
    }

    async fn set_session(&mut self, session: Option<SessionId>) {
        match &mut self.client {
            Wired::Classic(client) => client.set_session(session),
            Wired::ClassicTls(client) => client.set_session(session),
            Wired::Native(client) => client.set_session(session).await,
        }
    }

    /// Sends a message and gives its reply. On the native wire a connection that was lost is made
    /// again, and what only reads is asked again.
    ///
    /// # Errors
    /// Those of the connection; a refusal.
    pub async fn call<M>(&mut self, message: M) -> Result<M::Reply, Failure>
    where
        M: Message + Serialize + Sync,
        M::Reply: DeserializeOwned,
    {
        let reply = match &mut self.client {
            Wired::Classic(client) => client.call(message).await,
            Wired::ClassicTls(client) => client.call(message).await,
            Wired::Native(client) => client.call(message).await,
        };
        reply.map_err(|source| failure(&self.server, source))
    }

    /// The same for what must happen once. On the native wire, which has keys for that, it is asked
    /// again if its answer was lost.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_once<M>(&mut self, message: M) -> Result<M::Reply, Failure>
    where
        M: Message + Serialize + Sync,
        M::Reply: DeserializeOwned,
    {
        let Wired::Native(client) = &self.client else {
            return self.call(message).await;
        };
        let reply = client.call_once(message).await;
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
            Wired::ClassicTls(client) => client.call_with_file(message, file, progress).await,
            Wired::Native(client) => client.call_with_file(message, file, progress).await,
        };
        reply.map_err(|source| failure(&self.server, source))
    }

    /// As [`call_with_file`](Self::call_with_file), for a file whose digest is known: what the
    /// server has of it from an earlier try is not sent again, and if the connection is lost it goes
    /// on, once.
    ///
    /// # Errors
    /// As there.
    pub async fn upload<M>(
        &mut self,
        message: M,
        file: &Arc<File>,
        digest: Digest,
        progress: impl FnMut(u64) + Send,
    ) -> Result<M::Reply, Failure>
    where
        M: Message + Clone + Serialize,
        M::Reply: DeserializeOwned,
    {
        let Wired::Native(client) = &self.client else {
            let file = Source::file(Arc::clone(file));
            let file = file.map_err(|error| ClientError::Source(error.into()));
            let file = file.map_err(|source| failure(&self.server, source))?;
            return self.call_with_file(message, file, progress).await;
        };
        let reply = client.upload(message, file, digest, progress).await;
        reply.map_err(|source| failure(&self.server, source))
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
            Wired::ClassicTls(client) => {
                let reply = client.call_for_file(message).await;
                reply.map(|(reply, body)| (reply, Download::ClassicTls(body)))
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

    /// Whether the connection can still be used; on the native wire it is made again.
    pub fn is_usable(&self) -> bool {
        match &self.client {
            Wired::Classic(client) => client.is_usable(),
            Wired::ClassicTls(client) => client.is_usable(),
            Wired::Native(_) => true,
        }
    }
}

/// Whom to trust, and the host that is expected at `HOST:PORT`.
fn trust(addr: &str, roots: Option<&Path>) -> Result<ClientTls, Failure> {
    let host = addr.rsplit_once(':').map_or(addr, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let tls = match roots {
        Some(roots) => ClientTls::with_pem_file(roots, host),
        None => ClientTls::with_system_roots(host),
    };
    tls.map_err(|error| match error {
        TlsError::Certificate { path, source } => Failure::local(path, io::Error::other(source)),
        error => Failure::local(addr, io::Error::other(error)),
    })
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
