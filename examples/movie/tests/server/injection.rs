//! Hostile text in every field, through the wire, on each database.

use movie::messages::UserType;
use movie::models::{Claim, DownloadRecord, KeptSession, Movie, Notice, User, notice, user};
use movie::names::sanitised;
use packetboat_orm::ModelExt;
use serde_json::json;

use crate::support::hostile_names::HOSTILE_NAMES;
use crate::support::{Database, Fixture, PASSWORD, some_bytes, upload};

on_each_database! {
    text_is_stored_as_it_came_and_never_run
    names_from_clients_never_become_paths
    links_in_the_folder_are_not_followed
}

/// Row I1: what has ended strings, begun statements and fooled collations elsewhere.
const PAYLOADS: [&str; 24] = [
    "'",
    "\"",
    "`",
    "\\",
    "';",
    "' OR '1'='1",
    "' OR 1=1 --",
    "\" OR \"\"=\"",
    "1; DROP TABLE \"user\"",
    "'; DELETE FROM movie; --",
    "'); DELETE FROM notice; --",
    "` ; DROP TABLE `user`; #",
    "' UNION SELECT password FROM \"user\" --",
    "$1",
    "?",
    "??",
    "%",
    "_",
    "\\'; DROP TABLE user; --",
    "/* */",
    "admin'/*",
    "{fn now()}",
    "😀 ' 雪 --",
    "\u{feff}'; --",
];

async fn text_is_stored_as_it_came_and_never_run(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    for (number, payload) in PAYLOADS.into_iter().enumerate() {
        let before = rows(&fixture).await;

        // Names of accounts: stored as they came, or refused; the password opens only its own.
        let name = format!("u{number}{payload}");
        let account =
            |password: &str| json!({"name": name, "password": password, "user_type": "user"});
        let of_type = |message: &str, password: &str| {
            crate::support::merged(
                &account(password),
                json!({"type": message}).as_object().unwrap(),
            )
        };
        let mut client = fixture.client().await;
        let mut users = 0;
        let reply = client.call(of_type("register", payload)).await;
        if reply["flag"] == true {
            users = 1;
            let stored = User::select()
                .filter(user::name.eq(name.clone()))
                .one(&fixture.db)
                .await;
            assert_eq!(stored.unwrap().name, name);
            client.done(of_type("login", payload)).await;
            client
                .refused(of_type("login", PASSWORD), "wrong_password")
                .await;
        } else {
            assert_eq!(reply["code"], "bad_name", "{payload:?}: {reply}");
        }
        // As somebody else's name it opens nothing.
        let guess =
            json!({"type": "login", "name": payload, "password": payload, "user_type": "admin"});
        client.refused(guess, "wrong_password").await;

        // Movies: the name comes back sanitised, the hint is a hint or is refused.
        let bytes = some_bytes(64);
        let id = admin.uploaded(payload, &bytes, true).await;
        let stored = Movie::find(id, &fixture.db).await.unwrap().unwrap();
        assert_eq!(stored.name, sanitised(payload));
        let mut message = upload("a.mp4", &bytes, true);
        message["file_md5"] = json!(payload);
        let reply = admin.call_with(message, &bytes).await;
        assert_eq!(reply["code"], "bad_file_md5", "{reply}");
        admin
            .refused(
                json!({"type": "check_movie", "file_md5": payload}),
                "bad_file_md5",
            )
            .await;

        // Notices: byte for byte, or refused.
        let notice = json!({"type": "release_notice", "title": payload, "content": payload});
        let reply = admin.call(notice).await;
        let notices = u64::from(reply["flag"] == true);
        if notices == 1 {
            let newest = Notice::select().order_by(notice::id.desc());
            let newest = newest.optional(&fixture.db).await.unwrap().unwrap();
            assert_eq!(
                (newest.title.as_str(), newest.content.as_str()),
                (payload, payload)
            );
            let listed = admin
                .done(json!({"type": "check_notice", "limit": 1}))
                .await;
            assert_eq!(
                listed["back_list"],
                json!([{"title": payload, "content": payload}])
            );
        } else {
            assert_eq!(reply["code"], "bad_notice", "{payload:?}: {reply}");
        }

        // Where a session, a type or a number is wanted.
        client.session = Some(payload.to_owned());
        client
            .refused(json!({"type": "check_notice"}), "not_logged_in")
            .await;
        client.session = None;
        client
            .refused(json!({"type": payload}), "unknown_type")
            .await;
        admin
            .refused(
                json!({"type": "get_movie_list", "movie_type": payload}),
                "bad_message",
            )
            .await;
        admin
            .refused(
                json!({"type": "delete_movie", "movie_id": payload}),
                "bad_message",
            )
            .await;

        // Nothing but the rows that were asked for.
        let mut expected = before;
        expected[0] += users;
        expected[1] += 1;
        expected[2] += notices;
        assert_eq!(rows(&fixture).await, expected, "{payload:?}");
    }
    assert_eq!(fixture.files().len(), PAYLOADS.len());
}

/// Row I3: whatever a movie is called, its file is `movies/<32 hexadecimal characters>`.
async fn names_from_clients_never_become_paths(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    let outside = everything_in(fixture.dir.path());
    let long = "x".repeat(300);
    let names: Vec<&str> = HOSTILE_NAMES
        .iter()
        .map(|(name, _)| *name)
        .chain([&*long])
        .collect();
    for name in &names {
        let bytes = some_bytes(64);
        admin.uploaded(name, &bytes, true).await;
        let list = admin
            .done(json!({"type": "get_movie_list", "movie_type": "all", "limit": 1}))
            .await;
        assert_eq!(list["movie_list"][0][0], sanitised(name), "{name:?}");
    }
    let files = fixture.files();
    assert_eq!(files.len(), names.len());
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(
            name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{name}"
        );
    }
    let mut after = everything_in(fixture.dir.path());
    after.retain(|path| !files.contains(path));
    assert_eq!(after, outside);
}

/// A link in the folder is neither followed nor served.
async fn links_in_the_folder_are_not_followed(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    let id = admin.uploaded("a.mp4", &some_bytes(64), true).await;
    let secret = fixture.dir.path().join("secret");
    std::fs::write(&secret, some_bytes(64)).unwrap();
    let file = fixture.files().remove(0);
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&secret, &file).unwrap();
    let mut ann = fixture.account("ann", UserType::User).await;
    ann.refused(
        json!({"type": "download_movie", "movie_id": id}),
        "internal",
    )
    .await;
}

fn everything_in(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(everything_in(&entry.path()));
        }
        // SQLite's own files come and go.
        if !entry.file_name().to_string_lossy().starts_with("movie.db") {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

async fn rows(fixture: &Fixture) -> [u64; 6] {
    let db = &fixture.db;
    [
        User::select().count(db).await.unwrap(),
        Movie::select().count(db).await.unwrap(),
        Notice::select().count(db).await.unwrap(),
        DownloadRecord::select().count(db).await.unwrap(),
        KeptSession::select().count(db).await.unwrap(),
        Claim::select().count(db).await.unwrap(),
    ]
}
