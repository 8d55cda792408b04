//! Row A1: who may do what, asked of a running server for every message that it knows.

use std::fmt::Write;

use movie::handlers::dispatcher;
use movie::messages::UserType;
use movie::models::{self, DownloadRecord, KeptSession, Movie, Notice, User, kept_session, user};
use packetboat_dispatch::SessionManager;
use packetboat_orm::{DbPool, ModelExt};
use serde_json::{Value, json};

use crate::support::{Client, Database, Fixture, PASSWORD, some_bytes, upload};

on_each_database! {
    decision_table_equals_who_may_do_what
    forged_fields_change_no_decision
}

/// What anyone may do, logged in or not.
const ANYONE: [&str; 3] = ["register", "login", "packetboat.health"];
/// What a user may do.
const USER: [&str; 6] = [
    "get_movie_list",
    "buy_vip",
    "download_movie",
    "check_download_record",
    "check_notice",
    "logout",
];
/// What an admin may do.
const ADMIN: [&str; 8] = [
    "packetboat.schema",
    "get_movie_list",
    "check_movie",
    "upload_movie",
    "delete_movie",
    "release_notice",
    "check_notice",
    "logout",
];

const CALLERS: [Caller; 8] = [
    Caller::None,
    Caller::Garbage,
    Caller::Expired,
    Caller::Revoked,
    Caller::User,
    Caller::Vip,
    Caller::Admin,
    Caller::Locked,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Caller {
    None,
    Garbage,
    Expired,
    Revoked,
    User,
    Vip,
    Admin,
    Locked,
}

/// What a forged request says about its sender.
const FORGED: [(&str, &str); 6] = [
    ("user_id", "1"),
    ("addr", "\"127.0.0.1\""),
    ("is_vip", "1"),
    ("user_type", "\"admin\""),
    ("role", "\"admin\""),
    ("tenant", "\"other\""),
];

async fn decision_table_equals_who_may_do_what(database: Database) {
    let fixture = Fixture::with(database).await;
    let routes = dispatcher(fixture.server.app().clone(), SessionManager::default());
    let mut table = format!("{:22}{:11}", "message", "guard");
    for caller in CALLERS {
        write!(table, "{:15}", format!("{caller:?}").to_lowercase()).unwrap();
    }
    let mut cells = 0;
    for route in routes.routes() {
        write!(table, "\n{:22}{:11}", route.message_type, route.guard).unwrap();
        for caller in CALLERS {
            let decision = decide(&fixture, caller, route.message_type, None).await;
            assert_eq!(
                decision,
                expected(caller, route.message_type),
                "{caller:?} {route:?}"
            );
            write!(table, "{decision:15}").unwrap();
            cells += 1;
        }
    }
    assert_eq!(
        cells,
        14 * CALLERS.len(),
        "a message was added: say above who may send it"
    );
    let table: Vec<&str> = table.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(table.join("\n"));
}

/// Row A2: a request that says who sends it is decided as one that does not.
async fn forged_fields_change_no_decision(database: Database) {
    let fixture = Fixture::with(database).await;
    let routes = dispatcher(fixture.server.app().clone(), SessionManager::default());
    for route in routes.routes() {
        for (field, value) in FORGED {
            let own = ANYONE.contains(&route.message_type) && field == "user_type";
            for caller in [Caller::None, Caller::User, Caller::Admin, Caller::Locked] {
                let forged = (!own).then(|| (field, serde_json::from_str(value).unwrap()));
                let decision = decide(&fixture, caller, route.message_type, forged).await;
                let expected = expected(caller, route.message_type);
                assert_eq!(decision, expected, "{caller:?} {field} {route:?}");
            }
        }
    }
}

fn expected(caller: Caller, message: &str) -> &'static str {
    let may = |messages: &[&str]| {
        if messages.contains(&message) {
            "allowed"
        } else {
            "forbidden"
        }
    };
    match caller {
        _ if ANYONE.contains(&message) => "allowed",
        Caller::None | Caller::Garbage | Caller::Expired | Caller::Revoked => "not_logged_in",
        Caller::User | Caller::Vip => may(&USER),
        Caller::Admin => may(&ADMIN),
        Caller::Locked => "account_locked",
    }
}

/// Sends a good request of this type as this caller; a refusal must have had no effect.
async fn decide(
    fixture: &Fixture,
    caller: Caller,
    message_type: &'static str,
    forged: Option<(&str, Value)>,
) -> String {
    let number = User::select().count(&fixture.db).await.unwrap();
    let mut client = prepared(fixture, caller, &format!("caller{number}")).await;
    let (mut message, body) = sample(fixture, message_type, number).await;
    if let Some((field, value)) = forged {
        message[field] = value;
    }
    let before = effects(&fixture.db).await;
    let reply = client.call_with(message, &body).await;
    let code = reply["code"].as_str().unwrap_or("allowed");
    match code {
        "not_logged_in" | "forbidden" | "account_locked" => {
            assert_eq!(
                effects(&fixture.db).await,
                before,
                "{caller:?} {message_type}"
            );
            code.to_owned()
        }
        // Past the guard: whatever the handler says of the request itself.
        _ => "allowed".to_owned(),
    }
}

/// A client with the session of this caller.
async fn prepared(fixture: &Fixture, caller: Caller, name: &str) -> Client {
    let mut client = fixture.client().await;
    let user_type = if caller == Caller::Admin {
        UserType::Admin
    } else {
        UserType::User
    };
    client.register(name, user_type).await;
    client.login_kept(name, user_type).await;
    let account = User::select().filter(user::name.eq(name));
    let id = account.clone().one(&fixture.db).await.unwrap().id;
    match caller {
        Caller::None => client.session = None,
        Caller::Garbage => client.session = Some("f".repeat(32)),
        Caller::Expired => {
            let long_ago = chrono::Utc::now() - chrono::Days::new(3_650);
            let own = KeptSession::select().filter(kept_session::subject.eq(id.to_string()));
            let rewound = [
                kept_session::created.set(long_ago),
                kept_session::touched.set(long_ago),
            ];
            assert_eq!(own.update(rewound, &fixture.db).await.unwrap(), 1);
        }
        Caller::Revoked => {
            client.done(json!({"type": "logout"})).await;
        }
        Caller::Vip => {
            account
                .update([user::is_vip.set(true)], &fixture.db)
                .await
                .map(drop)
                .unwrap();
        }
        Caller::Locked => {
            account
                .update([user::is_locked.set(true)], &fixture.db)
                .await
                .map(drop)
                .unwrap();
        }
        Caller::User | Caller::Admin => {}
    }
    client
}

/// A good request of each type. A type that is missing here fails the test, and so cannot be
/// added without a decision.
async fn sample(fixture: &Fixture, message_type: &str, number: u64) -> (Value, Vec<u8>) {
    let account = |name: &str| json!({"type": message_type, "name": name, "password": PASSWORD, "user_type": "user"});
    let message = match message_type {
        "register" => account(&format!("new{number}")),
        "login" => {
            fixture
                .client()
                .await
                .register(&format!("known{number}"), UserType::User)
                .await;
            account(&format!("known{number}"))
        }
        "check_movie" => json!({"file_md5": "0".repeat(32)}),
        "upload_movie" => {
            let bytes = some_bytes(64);
            return (upload("sample.mp4", &bytes, true), bytes);
        }
        "get_movie_list" => json!({"movie_type": "all"}),
        "delete_movie" | "download_movie" => {
            let mut admin = fixture.admin(&format!("admin{number}")).await;
            json!({"movie_id": admin.uploaded("sample.mp4", &some_bytes(64), true).await})
        }
        "release_notice" => json!({"title": "t", "content": "c"}),
        "buy_vip"
        | "check_download_record"
        | "check_notice"
        | "logout"
        | "packetboat.health"
        | "packetboat.schema" => {
            json!({})
        }
        other => panic!("say here what a good `{other}` looks like"),
    };
    let own_type = json!({"type": message_type});
    (
        crate::support::merged(&message, own_type.as_object().unwrap()),
        Vec::new(),
    )
}

/// What a request that was let through could have changed.
async fn effects(db: &DbPool) -> [u64; 6] {
    [
        User::select().count(db).await.unwrap(),
        User::select()
            .filter(user::is_vip.eq(true))
            .count(db)
            .await
            .unwrap(),
        Movie::select().count(db).await.unwrap(),
        Movie::select()
            .filter(models::movie::is_delete.eq(true))
            .count(db)
            .await
            .unwrap(),
        Notice::select().count(db).await.unwrap(),
        DownloadRecord::select().count(db).await.unwrap(),
    ]
}
