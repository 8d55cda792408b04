//! A message: its type, its reply.

/// A request that a peer may send, known on the wire by its type.
///
/// The type stands in the envelope (`{"type": "login", ..}`); a handler's last argument is a
/// message, and a client's `call` takes one, so the name is written down once, here. Usually
/// derived:
///
/// ```ignore
/// #[derive(Serialize, Deserialize, Message)]
/// #[message(type = "upload_movie", alias = "upload", reply = Done, attachment = "file_size")]
/// struct UploadMovie { file_name: String, file_size: u64 }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "a message names its type on the wire and its reply",
    note = "derive it: `#[derive(Message)] #[message(type = \"login\", reply = LoginReply)]`",
    note = "in a handler, the message is the last argument"
)]
pub trait Message: Send + 'static {
    /// The name on the wire.
    const TYPE: &'static str;

    /// Other names under which peers send the same message.
    const ALIASES: &'static [&'static str] = &[];

    /// The field that states how many bytes follow the message, if any follow.
    const ATTACHMENT: Option<&'static str> = None;

    /// The field of the reply that states how many bytes follow it, if any follow. A client reads
    /// them by it; a server sends what its handler returned.
    const REPLY_ATTACHMENT: Option<&'static str> = None;

    /// Whether asking twice is as good as asking once: it changes nothing, or sets what is set
    /// already. A [`Pool`](crate::client::Pool) asks again after a connection was lost on it. By
    /// `safe` in the derive.
    const IS_SAFE: bool = false;

    /// What a handler answers and a client receives.
    type Reply: Send + 'static;

    /// What the message and its reply look like, for [`App::schema`](crate::App::schema). The
    /// derive tells it where its attribute says `schema`; by default it is not told.
    #[cfg(feature = "schema")]
    #[must_use]
    fn schema() -> Option<crate::schema::Schemas> {
        None
    }
}
