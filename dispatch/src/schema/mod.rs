//! What every message looks like, by machine: JSON Schema.
//!
//! [`App::schema`](crate::App::schema) makes one document out of the table of handlers, so no
//! message can be missing in it. With its feature `schema`, a message whose derive says `schema` is
//! described in it; every other is there by its name, its guard and its attachments, and
//! [`Schema::undescribed`] names it: assert in a test that there is none.
//!
//! ```
//! use packetboat_dispatch::{Anyone, App, Dispatcher, LoggedIn, Message};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// Greets somebody.
//! #[derive(Deserialize, JsonSchema, Message)]
//! #[message(type = "greet", alias = "hello", reply = Greeting, schema)]
//! struct Greet { name: String }
//!
//! #[derive(JsonSchema, Serialize)]
//! struct Greeting { text: String }
//!
//! async fn greet(request: Greet) -> Greeting {
//!     Greeting { text: format!("Hello, {}", request.name) }
//! }
//!
//! let app = App::from(Dispatcher::new(()).introspect(LoggedIn).allow(Anyone, |group| group.on(greet)));
//! let schema = app.schema();
//! assert_eq!(schema.undescribed().count(), 0);
//! let greet = &schema.messages["greet"];
//! assert_eq!(greet.aliases, ["hello"]);
//! assert_eq!(greet.description.as_deref(), Some("Greets somebody."));
//! assert_eq!(greet.message.as_ref().unwrap()["required"][0], "name");
//! ```
//!
//! # Layout
//!
//! ```text
//! {"version": 1,                     another number is another layout; new keys are none
//!  "dialect": "https://json-schema.org/draft/2020-12/schema",
//!  "messages": {                     by type, in alphabetical order
//!    "upload_movie": {
//!      "number": 2423574699,         the type on the native wire
//!      "aliases": ["upload"],        other names of the same
//!      "guard": "AdminOnly",         who may send it, as the application calls them
//!      "open": false,                whether that is everybody
//!      "description": "Brings ..",   or null
//!      "message": {..},              a whole schema, with its own $defs; null: not described
//!      "attachment": "file_size",    the field of the message that says how many bytes follow it,
//!                                    or null: none do
//!      "reply": {..},                the same of the reply
//!      "reply_attachment": null}}}
//! ```
//!
//! Beside them, `"pushes"` has what the server [says that it sends](Dispatcher::pushes) unasked, each
//! as `{"number": .., "description": .., "data": {..}}`; it is absent where there is none.
//!
//! `message` says what the server reads and `reply` what it writes. Beside its own fields a message
//! may have `type` and `session`, which are the same for all; a reply on the classic wire stands in
//! the application's [`Shape`].
//!
//! [`Schema::to_typescript`] gives the same as declarations for TypeScript.

mod typescript;

use std::collections::BTreeMap;

use packetboat_dispatch_derive::Message;
use packetboat_framing::native::type_hash;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dispatcher::Dispatcher;
use crate::guard::Guard;
use crate::message::Message;
use crate::rejection::Rejection;
use crate::route::Route;
use crate::shape::Shape;

/// The layout of [`Schema`].
pub const VERSION: u32 = 1;

/// What the schemas are written in.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The messages of an application, each with its schema.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Schema {
    /// The layout: [`VERSION`].
    pub version: u32,
    /// What the schemas are written in: [`DIALECT`].
    pub dialect: String,
    /// Every message, by its type.
    pub messages: BTreeMap<String, MessageSchema>,
    /// What the server sends unasked, by its type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pushes: BTreeMap<String, PushSchema>,
}

/// One message.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MessageSchema {
    /// Its type on the native wire.
    pub number: u32,
    /// Other names under which it may be sent.
    pub aliases: Vec<String>,
    /// The guard of its group.
    pub guard: String,
    /// Whether everybody may send it.
    pub open: bool,
    /// What it is for, where it is described.
    pub description: Option<String>,
    /// What the server reads; `None` where it is not described.
    pub message: Option<Value>,
    /// The field of the message that says how many bytes follow it, if any may.
    pub attachment: Option<String>,
    /// What the server writes; `None` where it is not described.
    pub reply: Option<Value>,
    /// The field of the reply that says how many bytes follow it, if any may.
    pub reply_attachment: Option<String>,
}

/// What the server sends unasked.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PushSchema {
    /// Its type on the native wire.
    pub number: u32,
    /// What it is for, where it is described.
    pub description: Option<String>,
    /// What stands in the `data` of its envelope.
    pub data: Option<Value>,
}

/// The schemas of a message and of its reply, as [`Message::schema`] gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct Schemas {
    message: Value,
    reply: Value,
}

/// Asks for the [`Schema`]: see [`Dispatcher::introspect`].
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Message, Serialize)]
#[message(type = "packetboat.schema", reply = Schema, schema, crate = crate)]
pub struct GetSchema {}

impl Schemas {
    /// What a server reads as `M` and what it writes as its reply.
    #[must_use]
    pub fn of<M: Message<Reply: JsonSchema> + JsonSchema>() -> Self {
        Self {
            message: whole::<M>(SchemaSettings::draft2020_12().for_deserialize()),
            reply: whole::<M::Reply>(SchemaSettings::draft2020_12().for_serialize()),
        }
    }
}

/// A schema that stands alone: what it refers to is in it. Its dialect stands once, above all.
fn whole<T: JsonSchema>(mut settings: SchemaSettings) -> Value {
    settings.meta_schema = None;
    settings.into_generator().into_root_schema_for::<T>().into()
}

impl Schema {
    /// The types whose derive does not say `schema`.
    pub fn undescribed(&self) -> impl Iterator<Item = &str> {
        let undescribed = self
            .messages
            .iter()
            .filter(|(_, schema)| schema.message.is_none());
        undescribed.map(|(name, _)| name.as_str())
    }

    /// The same as declarations for TypeScript: each type of a message, a reply or a push once, an
    /// interface `Messages` that has them by the message's type, and an interface `Pushes`.
    ///
    /// Two types that have one name and are not the same are told apart by a number.
    #[must_use]
    pub fn to_typescript(&self) -> String {
        typescript::declarations(self)
    }

    pub(crate) fn of<'a>(
        routes: impl Iterator<Item = (&'a Route, Option<Schemas>)>,
        pushes: BTreeMap<String, PushSchema>,
    ) -> Self {
        let messages = routes.map(|(route, schemas)| {
            let schema = MessageSchema::of(route, schemas);
            (route.message_type.to_owned(), schema)
        });
        Self {
            version: VERSION,
            dialect: DIALECT.to_owned(),
            messages: messages.collect(),
            pushes,
        }
    }
}

impl PushSchema {
    pub(crate) fn of<M: Message + JsonSchema>() -> Self {
        let data = whole::<M>(SchemaSettings::draft2020_12().for_serialize());
        let description = data["description"].as_str().map(ToOwned::to_owned);
        Self {
            number: type_hash(M::TYPE),
            description,
            data: Some(data),
        }
    }
}

impl MessageSchema {
    fn of(route: &Route, schemas: Option<Schemas>) -> Self {
        let (message, reply) = schemas.map(|both| (both.message, both.reply)).unzip();
        let text = message
            .as_ref()
            .and_then(|schema| schema["description"].as_str());
        Self {
            number: type_hash(route.message_type),
            aliases: route.aliases.iter().map(ToString::to_string).collect(),
            guard: route.guard.to_owned(),
            open: route.open,
            description: text.map(ToOwned::to_owned),
            message,
            attachment: route.attachment.map(ToOwned::to_owned),
            reply,
            reply_attachment: route.reply_attachment.map(ToOwned::to_owned),
        }
    }
}

impl<S: Send + Sync + 'static, W: Shape> Dispatcher<S, W> {
    /// Says that the server sends pushes of this type, so that the [`Schema`] has it. Nothing else
    /// follows from it: what is sent is up to the handlers.
    ///
    /// ```
    /// # use packetboat_dispatch::{App, Dispatcher, Message};
    /// # use schemars::JsonSchema;
    /// # use serde::Serialize;
    /// /// Somebody has said something.
    /// #[derive(JsonSchema, Message, Serialize)]
    /// #[message(type = "said", reply = ())]
    /// struct Said { text: String }
    ///
    /// let schema = App::from(Dispatcher::new(()).pushes::<Said>()).schema();
    /// assert!(schema.to_typescript().contains("\"said\": Said;"));
    /// ```
    #[must_use]
    pub fn pushes<M: Message + JsonSchema>(mut self) -> Self {
        let pushes = &mut self.table_mut().pushes;
        pushes.insert(M::TYPE.to_owned(), PushSchema::of::<M>());
        self
    }

    /// Answers [`GetSchema`] (`packetboat.schema`) with the [`Schema`] of all messages, those that
    /// are registered later included, to whom the guard lets pass. Without it nobody is answered.
    ///
    /// # Panics
    ///
    /// The second time.
    #[must_use]
    pub fn introspect<G: Guard<S>>(self, guard: G) -> Self {
        let whole = self.table().schema.clone();
        self.allow(guard, |group| {
            group.on(move |_: GetSchema| {
                // It is made when the dispatcher is complete, and nothing is served before.
                let schema = whole.get().cloned();
                async move { schema.ok_or_else(Rejection::internal) }
            })
        })
    }
}
