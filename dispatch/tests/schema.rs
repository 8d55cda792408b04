//! The schema of an application: complete, by whoever may ask, the same on both wires.
#![cfg(feature = "schema")]

mod common;

use common::{AdminOnly, World, dispatcher};
use packetboat_dispatch::schema::{DIALECT, GetSchema, Schema, VERSION};
use packetboat_dispatch::{
    Anyone, App, Client, ClientError, Dispatcher, File, Guard, Limits, LoggedIn, Message,
    Rejection, Upload, serve_stream,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{DuplexStream, split};

/// Brings a file and gets another.
#[derive(Deserialize, JsonSchema, Message)]
#[message(type = "swap", alias = "change", alias = "turn", reply = Swapped, schema)]
#[message(attachment = "file_size", reply_attachment = "size")]
struct Swap {
    file_size: u64,
    /// What it is called.
    #[serde(rename = "called")]
    name: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Tag {
    Old,
    New,
}

#[derive(JsonSchema, Serialize)]
struct Swapped {
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Its derive does not say `schema`.
#[derive(Deserialize, Message)]
#[message(type = "plain", reply = ())]
struct Unsaid {}

/// Knows who is calling, if it is anybody.
struct Whoever;

#[packetboat_dispatch::async_trait]
impl<S: Sync> Guard<S> for Whoever {
    type Identity = Option<String>;

    async fn check(
        &self,
        call: &packetboat_dispatch::Call,
        _: &S,
    ) -> Result<Option<String>, Rejection> {
        Ok(call.session().await?.map(|session| session.subject))
    }

    fn is_open(&self) -> bool {
        true
    }
}

async fn swap(_: Upload, request: Swap) -> (Swapped, File) {
    assert!(request.file_size < 10 && request.name.len() + request.tags.len() < 10);
    let swapped = Swapped {
        size: 0,
        note: None,
    };
    (swapped, File::bytes(Vec::new()))
}

async fn plain(_: Unsaid) {}

fn app() -> App {
    // Those that come after it are in it as well.
    let dispatcher = Dispatcher::new(())
        .introspect(Anyone)
        .allow(LoggedIn, |group| group.on(swap))
        .allow(Whoever, |group| group.on(plain));
    App::from(dispatcher)
}

#[test]
fn every_route_is_in_the_schema() {
    let app = App::from(dispatcher(World::default()).introspect(AdminOnly));
    let schema = app.schema();
    let dispatcher = dispatcher(World::default()).introspect(AdminOnly);
    for route in dispatcher.routes() {
        let message = &schema.messages[route.message_type];
        assert_eq!(message.guard, route.guard);
        assert_eq!(message.open, route.guard == "Anyone");
        assert_eq!(message.attachment.as_deref(), route.attachment);
    }
    assert_eq!(schema.messages.len(), dispatcher.routes().len());
    let undescribed: Vec<&str> = schema.undescribed().collect();
    assert_eq!(undescribed.len(), dispatcher.routes().len() - 1);
    assert!(!undescribed.contains(&"packetboat.schema"));
}

#[test]
fn a_message_is_described_as_it_travels() {
    let schema = app().schema();
    assert_eq!((schema.version, &*schema.dialect), (VERSION, DIALECT));
    let swap = serde_json::to_value(&schema.messages["swap"]).expect("serialises");
    assert_eq!(
        swap,
        json!({
            "number": packetboat_framing::native::type_hash("swap"),
            "aliases": ["change", "turn"],
            "guard": "LoggedIn",
            "open": false,
            "description": "Brings a file and gets another.",
            "attachment": "file_size",
            "reply_attachment": "size",
            "message": {
                "title": "Swap",
                "description": "Brings a file and gets another.",
                "type": "object",
                "properties": {
                    "file_size": {"type": "integer", "format": "uint64", "minimum": 0},
                    "called": {"type": "string", "description": "What it is called."},
                    "tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}},
                },
                "required": ["file_size", "called"],
                "$defs": {"Tag": {"type": "string", "enum": ["old", "new"]}},
            },
            "reply": {
                "title": "Swapped",
                "type": "object",
                "properties": {
                    "size": {"type": "integer", "format": "uint64", "minimum": 0},
                    "note": {"type": ["string", "null"]},
                },
                "required": ["size"],
            },
        })
    );
}

#[test]
fn what_is_not_described_is_there_by_its_name() {
    let schema = app().schema();
    assert_eq!(schema.undescribed().collect::<Vec<_>>(), ["plain"]);
    let plain = &schema.messages["plain"];
    assert_eq!((&plain.message, &plain.reply), (&None, &None));
    assert!(plain.open, "its guard says so");
    assert_eq!(plain.guard, "Whoever");
}

#[test]
fn its_text_is_the_same_each_time() {
    let text = |schema: &Schema| serde_json::to_string_pretty(schema).expect("serialises");
    let one = text(&app().schema());
    assert_eq!(one, text(&app().schema()));
    let read: Schema = serde_json::from_str(&one).expect("reads");
    assert_eq!(one, text(&read));
    let names: Vec<String> = read.messages.into_keys().collect();
    assert_eq!(names, ["packetboat.schema", "plain", "swap"]);
}

fn serve(app: &App) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(serve_stream(theirs, app.clone(), Limits::default()));
    ours
}

#[tokio::test]
async fn it_is_answered_on_both_wires() {
    let app = app();
    let expected = app.schema();
    let (read, write) = split(serve(&app));
    let mut classic = Client::builder().over(read, write);
    assert_eq!(
        classic.call(GetSchema {}).await.expect("a schema"),
        expected
    );
    let (read, write) = split(serve(&app));
    let native = Client::builder().over_native(read, write);
    assert_eq!(native.call(GetSchema {}).await.expect("a schema"), expected);
    // It describes itself.
    assert_eq!(
        expected.messages["packetboat.schema"]
            .reply
            .as_ref()
            .map(|reply| &reply["title"]),
        Some(&json!("Schema"))
    );
}

#[tokio::test]
async fn nobody_is_answered_unless_the_application_says_so() {
    let refused = |app: App, code: &'static str| async move {
        let (read, write) = split(serve(&app));
        let mut client = Client::builder().over(read, write);
        let error = client.call(GetSchema {}).await.expect_err("a refusal");
        assert!(
            matches!(&error, ClientError::Rejected { code: got, .. } if got == code),
            "{error:?}"
        );
    };
    refused(App::from(dispatcher(World::default())), "unknown_type").await;
    let guarded = dispatcher(World::default()).introspect(AdminOnly);
    refused(App::from(guarded), "not_logged_in").await;
    let answer = app()
        .connect()
        .request(br#"{"type": "packetboat.schema"}"#)
        .await;
    let value: Value = serde_json::from_str(answer.text()).expect("JSON");
    assert_eq!(value["flag"], true);
}

#[test]
#[should_panic(expected = "packetboat.schema")]
fn introspecting_twice_panics() {
    let _ = Dispatcher::new(()).introspect(Anyone).introspect(LoggedIn);
}

/// A tree, of which a part is a tree.
#[derive(JsonSchema, Message, Serialize)]
#[message(type = "grown", reply = ())]
struct Tree {
    #[serde(rename = "leaf-count")]
    leaves: (u32, Option<String>),
    parts: Vec<Self>,
    kind: Kind,
    other: inner::Tag,
    by_name: std::collections::BTreeMap<String, Kind>,
}

#[derive(JsonSchema, Serialize)]
#[serde(tag = "is", rename_all = "lowercase")]
enum Kind {
    /// Bears */ fruit.
    Fruit {
        sweet: bool,
    },
    Bare,
}

mod inner {
    use schemars::JsonSchema;
    use serde::Serialize;

    /// Another of that name.
    #[derive(JsonSchema, Serialize)]
    pub(super) struct Tag {
        pub(super) text: serde_json::Value,
    }
}

#[test]
fn typescript_says_the_same() {
    let tree = Tree {
        leaves: (1, None),
        parts: Vec::new(),
        kind: Kind::Fruit { sweet: true },
        other: inner::Tag { text: Value::Null },
        by_name: [("b".to_owned(), Kind::Bare)].into(),
    };
    let told = serde_json::to_value(&tree).expect("serialises");
    assert_eq!(told["kind"], json!({"is": "fruit", "sweet": true}));
    let dispatcher = Dispatcher::new(())
        .pushes::<Tree>()
        .allow(LoggedIn, |group| group.on(swap))
        .allow(Whoever, |group| group.on(plain));
    let schema = App::from(dispatcher).schema();
    let number = packetboat_framing::native::type_hash("grown");
    assert_eq!(schema.pushes["grown"].number, number);
    let expected = r#"// Made from the schema of a server. Numbers beyond 2^53 lose their last digits in JavaScript.

export type Kind = {
  is: "fruit";
  sweet: boolean;
} | {
  is: "bare";
};

/** Brings a file and gets another. */
export interface Swap {
  /** What it is called. */
  called: string;
  file_size: number;
  tags?: Tag[];
}

export interface Swapped {
  note?: string | null;
  size: number;
}

export type Tag = "old" | "new";

/** Another of that name. */
export interface Tag2 {
  text: unknown;
}

/** A tree, of which a part is a tree. */
export interface Tree {
  by_name: Record<string, Kind>;
  kind: Kind;
  "leaf-count": [number, string | null];
  other: Tag2;
  parts: Tree[];
}

/** Every message, by its type. `upload` and `download` name the field with the size of the attachment. */
export interface Messages {
  "plain": { message: unknown; reply: unknown; upload: false; download: false };
  /** Brings a file and gets another. */
  "swap": { message: Swap; reply: Swapped; upload: "file_size"; download: "size" };
}

/** What the server sends unasked, by its type. */
export interface Pushes {
  /** A tree, of which a part is a tree. */
  "grown": Tree;
}
"#;
    assert_eq!(schema.to_typescript(), expected);
}

/// A title, and one of several kinds: no field but those of its alternatives.
#[derive(JsonSchema, Message, Serialize)]
#[message(type = "chosen", reply = ())]
struct Chosen {
    #[serde(flatten)]
    kind: Kind,
}

#[test]
fn a_struct_with_nothing_but_alternatives_is_one_of_them_in_typescript() {
    let app = App::from(Dispatcher::new(()).pushes::<Chosen>());
    let typescript = app.schema().to_typescript();
    let expected = r#"export type Chosen = {
  is: "fruit";
  sweet: boolean;
} | {
  is: "bare";
};
"#;
    assert!(typescript.contains(expected), "{typescript}");
}
