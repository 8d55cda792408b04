//! What the schema says is what travels: every message and every reply of a session held against it.

use std::collections::BTreeSet;
use std::fmt::Write;

use movie::messages::UserType;
use packetboat_dispatch::schema::{GetSchema, Schema};
use packetboat_dispatch::{Message, SessionManager};
use serde_json::{Map, Value, json};

use crate::support::{Client, Database, Fixture, Kind, PASSWORD, merged, some_bytes, upload};

#[tokio::test]
async fn every_message_has_a_schema_and_names_and_fields_are_as_reviewed() {
    let schema = movie::schema::schema().await.unwrap();
    assert_eq!(schema.undescribed().collect::<Vec<_>>(), [""; 0]);
    let fixture = Fixture::with(Database::fresh(Kind::Sqlite).await.unwrap()).await;
    let app = fixture.server.app().clone();
    let dispatcher = movie::handlers::dispatcher(app, SessionManager::default());
    let routes: BTreeSet<&str> = dispatcher
        .routes()
        .map(|route| route.message_type)
        .collect();
    assert!(
        routes
            .iter()
            .copied()
            .eq(schema.messages.keys().map(String::as_str))
    );
    let mut lines = String::new();
    for (name, message) in &schema.messages {
        let names = [&[name.clone()][..], &message.aliases].concat().join(", ");
        writeln!(lines, "{names} ({})", message.guard).unwrap();
        for (arrow, part, file) in [
            ("->", &message.message, &message.attachment),
            ("<-", &message.reply, &message.reply_attachment),
        ] {
            let part = part.as_ref().unwrap();
            let file = file.as_ref().map(|file| format!("; {file} bytes follow"));
            writeln!(
                lines,
                "  {arrow} {}{}",
                fields(part),
                file.unwrap_or_default()
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(lines);
}

/// The fields of an object, those that need not be there with a question mark.
fn fields(schema: &Value) -> String {
    let properties = schema["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = properties.iter().map(|(name, kind)| {
        let mark = if required.contains(&json!(name)) {
            ""
        } else {
            "?"
        };
        let kind = match (&kind["type"], &kind["$ref"]) {
            (Value::String(kind), _) => kind.clone(),
            (Value::Array(kinds), _) => kinds
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join("|"),
            (_, Value::String(definition)) => definition.replace("#/$defs/", ""),
            _ => "..".to_owned(),
        };
        format!("{name}{mark}: {kind}")
    });
    // By name, since the map's own order hangs on a feature of serde_json that any crate may switch on.
    let fields: BTreeSet<String> = fields.collect();
    format!("{{{}}}", fields.into_iter().collect::<Vec<_>>().join(", "))
}

/// Checks each message that it sends, and each reply.
struct Checked {
    client: Client,
    schema: Schema,
    seen: BTreeSet<String>,
}

impl Checked {
    /// A request that must succeed; its reply and all that is wrong with either.
    async fn call(&mut self, message: Value, body: &[u8]) -> Value {
        let name = message["type"].as_str().unwrap();
        let known = |(own, schema): &(&String, &packetboat_dispatch::schema::MessageSchema)| {
            *own == name || schema.aliases.iter().any(|alias| alias == name)
        };
        let (own, schema) = self.schema.messages.iter().find(known).unwrap();
        let (read, written) = (
            schema.message.clone().unwrap(),
            schema.reply.clone().unwrap(),
        );
        self.seen.insert(own.clone());
        assert_eq!(wrong(&message, &read), None, "{message}");
        let reply = self.client.call_with(message, body).await;
        assert_eq!(reply["flag"], true, "{reply}");
        assert_eq!(wrong(&reply, &written), None, "{reply}");
        reply
    }
}

#[tokio::test]
async fn a_whole_session_is_as_the_schema_says() {
    let fixture = Fixture::with(Database::fresh(Kind::Sqlite).await.unwrap()).await;
    let mut checked = Checked {
        client: fixture.client().await,
        schema: movie::schema::schema().await.unwrap(),
        seen: BTreeSet::new(),
    };
    let account = |message: &str, key: &str, user_type: &str| json!({"type": message, key: "ann", "password": PASSWORD, "user_type": user_type});
    let list = |kind: &str| json!({"type": "get_movie_list", "movie_type": kind});
    for (user_type, name, movies) in [
        (UserType::Admin, "admin", ["pay", "charge"]),
        (UserType::User, "user", ["free", "all"]),
    ] {
        let client = fixture.client().await;
        checked.client = client;
        let mut register = account("register", "name", name);
        register["name"] = json!(name);
        checked.call(register, &[]).await;
        let mut login = account("login", "username", name);
        login["username"] = json!(name);
        let reply = checked.call(login, &[]).await;
        checked.client.session = reply["session"].as_str().map(str::to_owned);
        let bytes = some_bytes(64);
        if user_type == UserType::Admin {
            checked
                .call(
                    json!({"type": "check_movie", "file_md5": "0".repeat(32)}),
                    &[],
                )
                .await;
            let mut other = upload("b.mp4", &bytes[..50], false);
            let name = other.as_object_mut().unwrap().remove("file_name").unwrap();
            other["movie_name"] = name;
            other["type"] = json!("upload");
            other["is_free"] = json!(false);
            checked.call(upload("a.mp4", &bytes, true), &bytes).await;
            checked.call(other, &bytes[..50]).await;
            for notice in [
                json!({"type": "release_notice", "title": "t", "content": "c"}),
                json!({"type": "put_notice", "notice_name": "t", "notice_content": "c"}),
            ] {
                checked.call(notice, &[]).await;
            }
            checked
                .call(json!({"type": "packetboat.schema"}), &[])
                .await;
        } else {
            checked.call(json!({"type": "buy_vip"}), &[]).await;
            let reply = checked
                .call(json!({"type": "download_movie", "movie_id": 1}), &[])
                .await;
            let len = reply["file_size"].as_u64().unwrap();
            checked.client.file(usize::try_from(len).unwrap()).await;
            let records = json!({"type": "check_download_record", "offset": 0, "limit": 5});
            checked.call(records, &[]).await;
        }
        for kind in movies {
            checked.call(list(kind), &[]).await;
        }
        checked
            .call(json!({"type": "check_notice", "limit": 1}), &[])
            .await;
        if user_type == UserType::Admin {
            checked
                .call(json!({"type": "delete_movie", "movie_id": 2}), &[])
                .await;
        }
        checked
            .call(json!({"type": "packetboat.health"}), &[])
            .await;
        checked.call(json!({"type": "logout"}), &[]).await;
    }
    assert!(
        checked.seen.iter().eq(checked.schema.messages.keys()),
        "{:?}",
        checked.seen
    );
}

#[tokio::test]
async fn what_the_server_refuses_the_schema_refuses() {
    let schema = movie::schema::schema().await.unwrap();
    let register = json!({"name": "ann", "password": PASSWORD, "user_type": "user"});
    let upload = upload("a.mp4", b"0123456789", true);
    for (message, good, change, at) in [
        ("register", &register, json!({"name": null}), "anyOf"),
        (
            "register",
            &register,
            json!({"user_type": "root"}),
            "user_type",
        ),
        ("register", &register, json!({"password": 7}), "password"),
        ("upload_movie", &upload, json!({"is_free": 2}), "is_free"),
        (
            "upload_movie",
            &upload,
            json!({"file_size": -1}),
            "file_size",
        ),
        (
            "upload_movie",
            &upload,
            json!({"file_size": "1"}),
            "file_size",
        ),
    ] {
        let schema = schema.messages[message].message.as_ref().unwrap();
        assert_eq!(wrong(good, schema), None);
        let mut bad = merged(good, change.as_object().unwrap());
        bad.as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        let wrong = wrong(&bad, schema).expect("it is wrong");
        assert!(wrong.contains(at), "{bad}: {wrong}");
    }
}

#[tokio::test]
async fn a_running_server_tells_admins_the_same() {
    let fixture = Fixture::with(Database::fresh(Kind::Sqlite).await.unwrap()).await;
    let mut admin = fixture.admin("ann").await;
    let reply = admin.done(json!({"type": GetSchema::TYPE})).await;
    let told: Schema = serde_json::from_value(reply).unwrap();
    assert_eq!(told, movie::schema::schema().await.unwrap());
    let mut user = fixture.user("bob").await;
    user.refused(json!({"type": GetSchema::TYPE}), "forbidden")
        .await;
}

/// What is wrong with a value, by as much of JSON Schema as these schemas use. A word that is not
/// known here fails the test, so nothing is passed over.
fn wrong(value: &Value, whole: &Value) -> Option<String> {
    check(value, whole, whole)
}

fn check(value: &Value, schema: &Value, whole: &Value) -> Option<String> {
    let schema = match schema {
        Value::Bool(true) => return None,
        schema => schema.as_object().unwrap(),
    };
    let fails = |other: &Value| check(value, other, whole);
    for (word, means) in schema {
        let wrong = match word.as_str() {
            "$ref" => {
                let name = means.as_str().unwrap().strip_prefix('#').unwrap();
                fails(whole.pointer(name).unwrap())
            }
            "type" => match means {
                Value::Array(kinds) => {
                    (!kinds.iter().any(|kind| is(value, kind))).then(String::new)
                }
                kind => (!is(value, kind)).then(String::new),
            },
            "const" => (value != means).then(String::new),
            "enum" => (!means.as_array().unwrap().contains(value)).then(String::new),
            "allOf" => means.as_array().unwrap().iter().find_map(fails),
            "anyOf" => means
                .as_array()
                .unwrap()
                .iter()
                .all(|one| fails(one).is_some())
                .then(String::new),
            "oneOf" => {
                let fit = means
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|one| fails(one).is_none());
                (fit.count() != 1).then(String::new)
            }
            "minimum" => value
                .as_f64()
                .filter(|n| *n < means.as_f64().unwrap())
                .map(|_| String::new()),
            "minItems" => items(value)
                .filter(|items| (items.len() as u64) < means.as_u64().unwrap())
                .map(|_| String::new()),
            "maxItems" => items(value)
                .filter(|items| items.len() as u64 > means.as_u64().unwrap())
                .map(|_| String::new()),
            "items" => items(value)
                .and_then(|items| items.iter().find_map(|item| check(item, means, whole))),
            "prefixItems" => items(value).and_then(|items| {
                let pairs = items.iter().zip(means.as_array().unwrap());
                pairs
                    .into_iter()
                    .find_map(|(item, schema)| check(item, schema, whole))
            }),
            "required" => fields_of(value).and_then(|fields| {
                let mut names = means.as_array().unwrap().iter().filter_map(Value::as_str);
                names
                    .find(|name| !fields.contains_key(*name))
                    .map(str::to_owned)
            }),
            "properties" => fields_of(value).and_then(|fields| {
                means
                    .as_object()
                    .unwrap()
                    .iter()
                    .find_map(|(name, schema)| {
                        check(fields.get(name)?, schema, whole)
                            .map(|wrong| format!("{name} {wrong}"))
                    })
            }),
            "additionalProperties" => fields_of(value).and_then(|fields| {
                // It stands here only where no field has a name of its own.
                assert!(!schema.contains_key("properties"));
                fields.values().find_map(|field| check(field, means, whole))
            }),
            "$defs" | "default" | "description" | "format" | "title" => None,
            other => panic!("`{other}` is not known here"),
        };
        if let Some(wrong) = wrong {
            return Some(format!("{word} {wrong}"));
        }
    }
    None
}

fn items(value: &Value) -> Option<&Vec<Value>> {
    value.as_array()
}

fn fields_of(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object()
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        other => panic!("`{other}` is not known here"),
    }
}
