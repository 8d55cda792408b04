//! Keeps a connection: makes it, looks whether it is alive, and makes it again.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, PushInfo, PushKind};
use tokio::time::{sleep, timeout};

use super::error::RedisError;
use super::link::{Connection, Shared, State};
use crate::client::Backoff;

/// Between two tries: soon, since a Redis that starts again is there in a moment, and no more than
/// two seconds, so that its being back is known soon.
const BASE: Duration = Duration::from_millis(50);
const CAP: Duration = Duration::from_secs(2);

pub(super) struct Keeper {
    shared: Arc<Shared>,
    backoff: Backoff,
    /// Connections so far.
    number: u64,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let mut backoff = Backoff::default();
        (backoff.base, backoff.cap) = (BASE, CAP);
        Self {
            shared,
            backoff,
            number: 0,
        }
    }

    /// For as long as there is a handle.
    pub(super) async fn run(mut self) {
        let mut failures = 0_u32;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    if failures > 0 {
                        tracing::info!("Redis is back");
                    }
                    failures = 0;
                    let here = State::Here(connection.clone());
                    self.shared.state.send_replace(here);
                    self.watch(&connection).await;
                }
                Err(error) => {
                    if failures == 0 {
                        let cause = &error as &dyn std::error::Error;
                        tracing::warn!(cause, "Redis is away");
                    }
                    failures = failures.saturating_add(1);
                    self.shared.state.send_replace(State::Away(error));
                    sleep(self.backoff.wait(failures)).await;
                }
            }
        }
    }

    /// Returns when the connection is over.
    async fn watch(&self, connection: &Connection) {
        let mut states = self.shared.state.subscribe();
        loop {
            let number = connection.number();
            let is_here =
                |state: &State| matches!(state, State::Here(now) if now.number() == number);
            tokio::select! {
                // An error: there is no handle any more.
                _ = states.wait_for(|state| !is_here(state)) => {}
                () = sleep(self.shared.options.check.max(BASE)) => {}
            }
            if matches!(*states.borrow(), State::Connecting) {
                return;
            }
            // It is time, or somebody has waited for it in vain.
            let answer = self.ping(connection).await;
            let mut is_over = false;
            self.shared
                .state
                .send_if_modified(|state| match (&*state, answer) {
                    (State::Connecting, _) => {
                        is_over = true;
                        false
                    }
                    (State::Here(_), Ok(())) => false,
                    (State::Away(_), Ok(())) => {
                        *state = State::Here(connection.clone());
                        true
                    }
                    (_, Err(error)) => {
                        is_over = true;
                        // Nobody waits for the next one.
                        *state = State::Away(error);
                        true
                    }
                });
            if is_over {
                return;
            }
        }
    }

    async fn ping(&self, connection: &Connection) -> Result<(), RedisError> {
        let mut multiplexed = connection.multiplexed.clone();
        let ping = ::redis::cmd("PING");
        self.in_time(ping.query_async::<()>(&mut multiplexed)).await
    }

    async fn connect(&mut self) -> Result<Connection, RedisError> {
        self.number += 1;
        let (number, shared) = (self.number, Arc::downgrade(&self.shared));
        let on_push = move |push: PushInfo| {
            let Some(shared) = shared.upgrade() else {
                return Err(());
            };
            match &shared.on_push {
                _ if push.kind == PushKind::Disconnection => shared.lost(number),
                Some(on_push) => on_push(push),
                None => {}
            }
            Ok(())
        };
        // The limits of time are ours: they hold for all that a command needs.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(Some(self.shared.options.limit))
            .set_concurrency_limit(self.shared.options.commands)
            .set_push_sender(on_push);
        let client = &self.shared.client;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut multiplexed = self.in_time(connecting).await?;
        let run = self.run_of(&mut multiplexed).await?;
        Ok(Connection::new(multiplexed, &run, number))
    }

    /// The name of the server's life, which is another one when it has started again.
    async fn run_of(&self, multiplexed: &mut MultiplexedConnection) -> Result<String, RedisError> {
        let mut info = ::redis::cmd("INFO");
        info.arg("server");
        let info: String = self.in_time(info.query_async(multiplexed)).await?;
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:"));
        run.map(ToOwned::to_owned).ok_or(RedisError::Unreadable)
    }

    async fn in_time<T>(
        &self,
        doing: impl Future<Output = ::redis::RedisResult<T>>,
    ) -> Result<T, RedisError> {
        let after = self.shared.options.limit;
        match timeout(after, doing).await {
            Ok(done) => done.map_err(RedisError::failed),
            Err(_) => Err(RedisError::TimedOut { after }),
        }
    }
}
