//! What is asked of Redis: a command, or a script with its keys and arguments.

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, FromRedisValue, RedisResult, Script, ToRedisArgs};

/// What is asked, as often as it takes.
pub(super) enum Request<'a> {
    Command(&'a Cmd),
    Script(&'a Call),
}

/// A script with its keys and arguments.
#[must_use = "it is made to be sent"]
pub(crate) struct Call {
    script: &'static Script,
    keys: Vec<Vec<u8>>,
    with_run: bool,
    args: Vec<Vec<u8>>,
}

impl Call {
    pub(crate) fn new(script: &'static Script) -> Self {
        Self {
            script,
            keys: Vec::new(),
            with_run: false,
            args: Vec::new(),
        }
    }

    pub(crate) fn key(mut self, key: impl ToRedisArgs) -> Self {
        key.write_redis_args(&mut self.keys);
        self
    }

    /// The name of the server's life becomes the first argument: that of the connection on which
    /// it goes out.
    pub(crate) fn with_run(mut self) -> Self {
        self.with_run = true;
        self
    }

    pub(crate) fn arg(mut self, arg: impl ToRedisArgs) -> Self {
        arg.write_redis_args(&mut self.args);
        self
    }
}

impl Request<'_> {
    pub(super) async fn send<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
        run: &str,
    ) -> RedisResult<T> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Script(call) => {
                let mut invocation = call.script.prepare_invoke();
                invocation.key(&call.keys);
                if call.with_run {
                    invocation.arg(run);
                }
                invocation.arg(&call.args);
                invocation.invoke_async(connection).await
            }
        }
    }
}
