//! What a handler may return.

use crate::file::File;
use crate::rejection::Rejection;

/// A value for the peer and, perhaps, a file that follows it.
#[derive(Debug)]
pub struct Reply<V> {
    pub(crate) value: V,
    // Boxed: most replies have none, and every one is moved about.
    pub(crate) file: Option<Box<File>>,
}

impl<V> Reply<V> {
    /// A value alone.
    #[must_use]
    pub fn new(value: V) -> Self {
        Self { value, file: None }
    }

    /// With a file after it.
    #[must_use]
    pub fn with_file(mut self, file: impl Into<Option<File>>) -> Self {
        self.file = file.into().map(Box::new);
        self
    }
}

/// What a handler of a message whose reply is `V` may return: `V`, `(V, File)`,
/// `(V, Option<File>)`, [`Reply<V>`], or a `Result` of one of these whose error turns into a
/// [`Rejection`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer to a message whose reply is `{V}`",
    label = "expected `{V}`, `({V}, File)`, or a `Result` of them",
    note = "the reply of a message stands in its derive: `#[message(type = \"..\", reply = ..)]`",
    note = "an error of a handler has to turn into a `Rejection`, as every `std::error::Error` does"
)]
pub trait IntoReply<V> {
    /// The reply, or the refusal.
    ///
    /// # Errors
    ///
    /// The rejection that the handler returned.
    fn into_reply(self) -> Result<Reply<V>, Rejection>;
}

impl<V> IntoReply<V> for V {
    fn into_reply(self) -> Result<Reply<V>, Rejection> {
        Ok(Reply::new(self))
    }
}

impl<V> IntoReply<V> for Reply<V> {
    fn into_reply(self) -> Result<Self, Rejection> {
        Ok(self)
    }
}

impl<V, F: Into<Option<File>>> IntoReply<V> for (V, F) {
    fn into_reply(self) -> Result<Reply<V>, Rejection> {
        Ok(Reply::new(self.0).with_file(self.1))
    }
}

impl<V, E: Into<Rejection>> IntoReply<V> for Result<V, E> {
    fn into_reply(self) -> Result<Reply<V>, Rejection> {
        self.map(Reply::new).map_err(Into::into)
    }
}

impl<V, E: Into<Rejection>> IntoReply<V> for Result<Reply<V>, E> {
    fn into_reply(self) -> Result<Reply<V>, Rejection> {
        self.map_err(Into::into)
    }
}

impl<V, F: Into<Option<File>>, E: Into<Rejection>> IntoReply<V> for Result<(V, F), E> {
    fn into_reply(self) -> Result<Reply<V>, Rejection> {
        match self {
            Ok((value, file)) => Ok(Reply::new(value).with_file(file)),
            Err(error) => Err(error.into()),
        }
    }
}
