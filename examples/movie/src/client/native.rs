//! A server on the native wire: connected again where the connection was lost, and asked again where
//! that is safe.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use packetboat_dispatch::client::{Backoff, NativeBody, NativeClient, Pool};
use packetboat_dispatch::{ClientError, IdempotencyKey, Message, SessionId};
use packetboat_framing::Source;
use packetboat_framing::native::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long after a loss an upload is tried again: a server that was only restarted is back by then.
const PAUSE: Duration = Duration::from_millis(500);

/// A pool of one connection. One is enough for somebody who does one thing after another, and so a
/// session that is not kept, which belongs to its connection, is found again.
#[derive(Clone, Debug)]
pub(super) struct Native {
    pool: Pool,
    /// Shown by each new connection.
    session: Arc<Mutex<Option<SessionId>>>,
}

impl Native {
    /// Connects by this function, and does so again whenever the connection is needed and lost.
    pub(super) async fn connect<F, Fut>(connect: F) -> Result<Self, ClientError>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<NativeClient, ClientError>> + Send + 'static,
    {
        let session = Arc::<Mutex<Option<SessionId>>>::default();
        let shown = Arc::clone(&session);
        let mut backoff = Backoff::default();
        // Who sits before it rather tries again himself.
        backoff.retries = 1;
        let connect = move || {
            let (connecting, shown) = (connect(), Arc::clone(&shown));
            async move {
                let client = connecting.await?;
                client.set_session(lock(&shown).clone());
                Ok(client)
            }
        };
        let pool = Pool::with(connect, 1, backoff);
        pool.client().await?;
        Ok(Self { pool, session })
    }

    /// Holds this session from now on.
    pub(super) async fn set_session(&self, session: Option<SessionId>) {
        lock(&self.session).clone_from(&session);
        if let Ok(client) = self.pool.client().await {
            client.set_session(session);
        }
    }

    /// As [`NativeClient::call`]; a message that only reads is sent again after a loss. A session
    /// that the reply gives is held.
    pub(super) async fn call<M>(&self, message: M) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize + Sync,
        M::Reply: DeserializeOwned,
    {
        let reply = self.pool.call(message).await?;
        // The answer counts, whatever has become of the connection since.
        if let Ok(client) = self.pool.client().await {
            lock(&self.session).clone_from(&client.session());
        }
        Ok(reply)
    }

    /// The same for what must happen once: sent again after a loss, under one key.
    pub(super) async fn call_once<M>(&self, message: M) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize + Sync,
        M::Reply: DeserializeOwned,
    {
        self.pool.call_once(message).await
    }

    /// As [`NativeClient::upload`], and once more after a loss, under one key: if only the answer
    /// was lost, it comes; else the file goes on where it was cut.
    pub(super) async fn upload<M>(
        &self,
        message: M,
        file: &Arc<File>,
        digest: Digest,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<M::Reply, ClientError>
    where
        M: Message + Clone + Serialize,
        M::Reply: DeserializeOwned,
    {
        let key = IdempotencyKey::generate();
        let mut again = true;
        loop {
            let client = self.pool.client().await?.with_idempotency_key(key);
            let source = Source::file(Arc::clone(file));
            let source = source.map_err(|error| ClientError::Source(error.into()))?;
            let reply = client.upload(message.clone(), source, digest, &mut progress);
            match reply.await {
                Err(error) if again && error.is_lost() => {
                    tracing::debug!(%error, "an upload is tried again");
                    tokio::time::sleep(PAUSE).await;
                    again = false;
                }
                reply => return reply,
            }
        }
    }

    /// As [`NativeClient::call_with_file`].
    pub(super) async fn call_with_file<M>(
        &self,
        message: M,
        file: Source,
        progress: impl FnMut(u64) + Send,
    ) -> Result<M::Reply, ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        let client = self.pool.client().await?;
        client.call_with_file(message, file, progress).await
    }

    /// As [`NativeClient::call_for_file`].
    pub(super) async fn call_for_file<M>(
        &self,
        message: M,
    ) -> Result<(M::Reply, NativeBody), ClientError>
    where
        M: Message + Serialize,
        M::Reply: DeserializeOwned,
    {
        self.pool.client().await?.call_for_file(message).await
    }
}

// Held to read or set it, never across an await.
fn lock(session: &Mutex<Option<SessionId>>) -> MutexGuard<'_, Option<SessionId>> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}
