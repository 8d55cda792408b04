//! Movies come whole or not at all, wait on the server's clock, and are paid for once.

use std::path::Path;
use std::time::{Duration, Instant};

use movie::messages::UserType;
use movie::models::{DownloadRecord, Movie, User, download_record, user};
use packetboat_orm::{self as orm, ModelExt};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use crate::support::{Client, Database, Fixture, Kind, config, some_bytes, upload};

on_each_database! {
    the_same_movie_at_once_is_stored_once
    different_movies_with_one_sampled_md5_are_both_stored
    a_deleted_movie_is_gone_and_may_come_again
    a_movie_is_paid_for_once
    a_cut_download_is_charged_once
    a_record_is_completed_when_all_bytes_are_sent
    other_peoples_and_deleted_things_are_not_found
    a_cut_upload_leaves_nothing
    a_file_that_was_tampered_with_is_not_sent
    a_movie_without_room_is_refused_before_its_body
    uploads_side_by_side_keep_to_the_quota
    nobody_gets_a_free_movie_before_the_wait_is_over
    lists_run_from_the_newest_and_fit
}

async fn the_same_movie_at_once_is_stored_once(database: Database) {
    let fixture = Fixture::with(database).await;
    let bytes = some_bytes(200_000);
    let mut tasks = JoinSet::new();
    for n in 0..8 {
        let mut admin = fixture.admin(&format!("admin{n}")).await;
        let bytes = bytes.clone();
        tasks.spawn(async move { admin.upload(&format!("{n}.mp4"), &bytes, true).await });
    }
    let replies = tasks.join_all().await;
    let stored = replies.iter().filter(|reply| reply["flag"] == true).count();
    let known = replies
        .iter()
        .filter(|reply| reply["code"] == "movie_exists")
        .count();
    assert_eq!((stored, known), (1, 7), "{replies:?}");
    assert_eq!(Movie::select().count(&fixture.db).await.unwrap(), 1);
    assert_eq!(fixture.files().len(), 1);
}

async fn different_movies_with_one_sampled_md5_are_both_stored(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    let one = some_bytes(4_000);
    let mut two = one.clone();
    two[700] ^= 1;
    let message = upload("one.mp4", &one, true);
    assert_eq!(
        message["file_md5"],
        upload("two.mp4", &two, true)["file_md5"]
    );
    let check = json!({"type": "check_movie", "file_md5": message["file_md5"]});
    admin.done(check.clone()).await;
    let first = admin.uploaded("one.mp4", &one, true).await;
    // The hint says known, the content decides.
    admin.refused(check, "movie_exists").await;
    let second = admin.uploaded("two.mp4", &two, true).await;
    let again = admin.upload("one-again.mp4", &one, true).await;
    assert_eq!(again["code"], "movie_exists", "{again}");
    let mut ann = fixture.user("ann").await;
    assert_eq!(ann.download(first).await.1, one);
    assert_eq!(ann.download(second).await.1, two);
    assert_eq!(fixture.files().len(), 2);
}

async fn a_deleted_movie_is_gone_and_may_come_again(database: Database) {
    let mut config = config();
    config.wait = Duration::from_secs(1);
    let fixture = Fixture::new(database, config).await;
    let mut admin = fixture.admin("admin").await;
    let mut ann = fixture.user("ann").await;
    let bytes = some_bytes(3 << 20);
    let id = admin.uploaded("a.mp4", &bytes, true).await;
    // Ann's download is under way, its bytes still held back.
    let reply = ann
        .done(json!({"type": "download_movie", "movie_id": id}))
        .await;
    admin
        .done(json!({"type": "delete_movie", "movie_id": id}))
        .await;
    admin
        .refused(
            json!({"type": "delete_movie", "movie_id": id}),
            "movie_not_found",
        )
        .await;
    admin
        .refused(
            json!({"type": "get_movie_list", "movie_type": "all"}),
            "no_movies",
        )
        .await;
    let md5 = upload("a.mp4", &bytes, true)["file_md5"].clone();
    admin
        .done(json!({"type": "check_movie", "file_md5": md5}))
        .await;
    assert_eq!(ann.file(bytes.len()).await, bytes);
    ann.refused(
        json!({"type": "download_movie", "movie_id": id}),
        "movie_not_found",
    )
    .await;
    let again = admin.uploaded("b.mp4", &bytes, true).await;
    assert_ne!(again, id);
    // The record keeps the name of what was downloaded.
    let records = ann.done(json!({"type": "check_download_record"})).await;
    assert_eq!(
        (&reply["file_name"], &records["download_list"]),
        (&json!("a.mp4"), &json!(["a.mp4"]))
    );
}

async fn a_movie_is_paid_for_once(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    let id = admin.uploaded("a.mp4", &some_bytes(80), false).await;
    let mut ann = fixture.user("ann").await;
    // Many at once: each may be told the price, one is charged.
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let mut client = fixture.client().await;
        client.login("ann", UserType::User).await;
        tasks.spawn(async move { client.download(id).await.0["price"].clone() });
    }
    let told = tasks.join_all().await;
    assert!(told.contains(&json!(10)), "{told:?}");
    assert_eq!(prices(&fixture).await, [0, 0, 0, 0, 0, 0, 0, 10]);
    ann.done(json!({"type": "buy_vip"})).await;
    ann.refused(json!({"type": "buy_vip"}), "already_vip").await;
    assert_eq!(ann.download(id).await.0["price"], 0);
    let other = admin.uploaded("b.mp4", &some_bytes(80), false).await;
    assert_eq!(ann.download(other).await.0["price"], 5);
    assert_eq!(ann.download(other).await.0["price"], 0);
    // Somebody else pays for himself.
    let mut bob = fixture.user("bob").await;
    assert_eq!(bob.download(other).await.0["price"], 10);
}

/// Row N5: begun counts as charged, however often it is cut.
async fn a_cut_download_is_charged_once(database: Database) {
    let cuts = if database.kind == Kind::Sqlite {
        100
    } else {
        25
    };
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    let id = admin.uploaded("a.mp4", &some_bytes(8 << 20), false).await;
    fixture.client().await.register("ann", UserType::User).await;
    for cut in 0..cuts {
        let mut ann = fixture.client().await;
        ann.login("ann", UserType::User).await;
        let ask = json!({"type": "download_movie", "movie_id": id});
        assert_eq!(ann.done(ask).await["price"], if cut == 0 { 10 } else { 0 });
        ann.file(1 + cut * 1_000).await;
    }
    let records = DownloadRecord::select().all(&fixture.db).await.unwrap();
    let charged: Vec<i32> = records
        .iter()
        .map(|record| record.price)
        .filter(|price| *price > 0)
        .collect();
    assert_eq!((records.len(), charged), (cuts, vec![10]));
    assert!(records.iter().all(|record| !record.completed));
}

async fn a_record_is_completed_when_all_bytes_are_sent(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    let mut ann = fixture.user("ann").await;
    let id = admin.uploaded("a.mp4", &some_bytes(32 << 20), false).await;
    ann.done(json!({"type": "download_movie", "movie_id": id}))
        .await;
    ann.file(10).await;
    // The first bytes are here, so the record is written; charged, but not complete.
    let records = DownloadRecord::select().all(&fixture.db).await.unwrap();
    assert_eq!((records[0].price, records[0].completed), (10, false));
    drop(ann);
    let mut ann = fixture.client().await;
    ann.login("ann", UserType::User).await;
    assert_eq!(ann.download(id).await.0["price"], 0);
    let completed = DownloadRecord::select().filter(download_record::completed.eq(true));
    eventually(async || completed.clone().count(&fixture.db).await.unwrap() == 1).await;
    let first = DownloadRecord::find(records[0].id, &fixture.db)
        .await
        .unwrap()
        .unwrap();
    assert!(!first.completed, "the one that was cut stays as it is");
}

/// Row A15: ids of what is not one's own, or not there, give nothing, in the same words.
async fn other_peoples_and_deleted_things_are_not_found(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    let deleted = admin.uploaded("a.mp4", &some_bytes(80), false).await;
    let mut ann = fixture.user("ann").await;
    ann.download(deleted).await;
    admin
        .done(json!({"type": "delete_movie", "movie_id": deleted}))
        .await;
    let mut bob = fixture.user("bob").await;
    let mut replies = Vec::new();
    for id in [deleted, deleted + 1, 0, -1, i64::MAX, i64::MIN] {
        replies.push(
            bob.refused(
                json!({"type": "download_movie", "movie_id": id}),
                "movie_not_found",
            )
            .await,
        );
        replies.push(
            admin
                .refused(
                    json!({"type": "delete_movie", "movie_id": id}),
                    "movie_not_found",
                )
                .await,
        );
    }
    replies.dedup();
    assert_eq!(replies.len(), 1, "{replies:?}");
    // Records have no id on the wire; whose they are is the session's to say.
    let ann_id = User::select()
        .filter(user::name.eq("ann"))
        .one(&fixture.db)
        .await
        .unwrap()
        .id;
    let records =
        json!({"type": "check_download_record", "user_id": ann_id, "user": "ann", "name": "ann"});
    bob.refused(records, "no_records").await;
    assert_eq!(
        DownloadRecord::select().count(&fixture.db).await.unwrap(),
        1
    );
}

/// Row N4: wherever an upload is cut, no row and no file is left.
async fn a_cut_upload_leaves_nothing(database: Database) {
    let cuts = if database.kind == Kind::Sqlite {
        200
    } else {
        40
    };
    let fixture = Fixture::with(database).await;
    fixture
        .client()
        .await
        .register("admin", UserType::Admin)
        .await;
    let bytes = some_bytes(300_000);
    for cut in 0..cuts {
        let mut admin = fixture.client().await;
        admin.login("admin", UserType::Admin).await;
        let message = upload("cut.mp4", &bytes, true);
        // Some end orderly, some by a reset.
        admin
            .send(message, &bytes[..bytes.len() * cut / cuts])
            .await;
        if cut % 2 == 0 {
            admin.stream.set_zero_linger().unwrap();
        }
    }
    eventually(async || fixture.files().is_empty()).await;
    assert_eq!(Movie::select().count(&fixture.db).await.unwrap(), 0);
    let mut admin = fixture.client().await;
    admin.login("admin", UserType::Admin).await;
    admin.uploaded("whole.mp4", &bytes, true).await;
}

/// What an earlier run left half received is gone after a start; what is whole stays.
#[tokio::test]
async fn a_start_removes_what_was_half_received() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config.data = dir.path().join("data");
    let movies = config.data.join("movies");
    std::fs::create_dir_all(&movies).unwrap();
    std::fs::write(movies.join(".1-2-3.packetboat-part"), "half").unwrap();
    std::fs::write(movies.join("0".repeat(32)), "whole").unwrap();
    let server = movie::server::serve(config).await.unwrap();
    assert_eq!(names_in(&movies), ["0".repeat(32)]);
    server.shutdown().await;
}

/// Row P1: a file whose row is in doubt, because the server ended or the database failed between the
/// two, is kept where the row is there and removed where it is not. No other file is touched.
#[tokio::test]
async fn a_start_settles_what_was_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config();
    config.data = dir.path().join("data");
    let movies = config.data.join("movies");
    let server = movie::server::serve(config.clone()).await.unwrap();
    let mut admin = Client::connect(server.local_addr()).await;
    admin.register("admin", UserType::Admin).await;
    admin.login("admin", UserType::Admin).await;
    let bytes = some_bytes(1_000);
    admin.uploaded("a.mp4", &bytes, true).await;
    let whole = names_in(&movies);
    assert_eq!(whole.len(), 1, "{whole:?}");

    // A database that fails at the row may have written it all the same, so the file stays.
    let refuse =
        "CREATE TRIGGER refuse BEFORE INSERT ON movie BEGIN SELECT RAISE(ABORT, 'no'); END";
    orm::sql(refuse).exec(&server.app().db).await.unwrap();
    let reply = admin.upload("b.mp4", &some_bytes(1_000), true).await;
    assert_eq!(reply["code"], "internal", "{reply}");
    assert_eq!(names_in(&movies).len(), 3, "{:?}", names_in(&movies));
    drop(admin);
    server.shutdown().await;

    // Killed after the row and before it was said.
    std::fs::write(movies.join(format!(".{}.in-doubt", whole[0])), "").unwrap();
    let strangers = "f".repeat(32);
    std::fs::write(movies.join(&strangers), "not marked, not ours to judge").unwrap();
    let server = movie::server::serve(config).await.unwrap();
    let mut left = names_in(&movies);
    left.retain(|name| *name != strangers);
    assert_eq!(left, whole);
    assert!(movies.join(strangers).exists());
    server.shutdown().await;
}

/// A file that somebody cut, lengthened, removed or replaced by a link is an error that is told, and
/// the connection lives on: the peer is never left waiting for bytes, nor given some it did not ask for.
async fn a_file_that_was_tampered_with_is_not_sent(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    let id = admin.uploaded("a.mp4", &some_bytes(1_000), false).await;
    let mut ann = fixture.user("ann").await;
    let file = fixture.files().remove(0);
    let download = json!({"type": "download_movie", "movie_id": id});
    let resize = |len| {
        let file = std::fs::File::options().write(true).open(&file).unwrap();
        file.set_len(len).unwrap();
    };
    for len in [0, 999, 1_001] {
        resize(len);
        ann.refused(download.clone(), "internal").await;
    }
    let elsewhere = fixture.dir.path().join("elsewhere");
    std::fs::write(&elsewhere, some_bytes(1_000)).unwrap();
    std::fs::remove_file(&file).unwrap();
    ann.refused(download.clone(), "internal").await;
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    ann.refused(download, "internal").await;
    // Nothing was sent, so nothing is charged.
    assert!(prices(&fixture).await.is_empty());
}

/// Row F13: what there is no room for is refused before a byte of it is sent.
async fn a_movie_without_room_is_refused_before_its_body(database: Database) {
    let kind = database.kind;
    let mut config = config();
    (config.max_movie, config.quota) = (1_000, 1_500);
    let fixture = Fixture::new(database, config).await;
    let refused = async |fixture: &Fixture, size: u64, code: &str| {
        let mut admin = fixture.client().await;
        admin.login("admin", UserType::Admin).await;
        let mut message = upload("large.mp4", b"", true);
        message["file_size"] = json!(size);
        // Nothing of the body is sent, and the answer comes.
        admin.refused(message, code).await;
    };
    let mut admin = fixture.admin("admin").await;
    refused(&fixture, 1_001, "attachment_too_large").await;
    refused(&fixture, 1 << 62, "attachment_too_large").await;
    admin.uploaded("a.mp4", &some_bytes(900), true).await;
    refused(&fixture, 601, "quota_exceeded").await;
    assert_eq!(fixture.files().len(), 1);
    admin.uploaded("b.mp4", &some_bytes(600), true).await;

    let mut config = crate::support::config();
    config.disk_reserve_percent = 100;
    let fixture = Fixture::new(Database::fresh(kind).await.unwrap(), config).await;
    fixture
        .client()
        .await
        .register("admin", UserType::Admin)
        .await;
    refused(&fixture, 1, "no_space").await;
    assert!(fixture.files().is_empty());
}

/// Of two uploads that each fit alone, and are both under way, one is stored.
async fn uploads_side_by_side_keep_to_the_quota(database: Database) {
    let mut config = config();
    config.quota = 1_500;
    let fixture = Fixture::new(database, config).await;
    let mut clients = [fixture.admin("admin").await, fixture.client().await];
    clients[1].login("admin", UserType::Admin).await;
    let bytes = [some_bytes(1_000), some_bytes(1_000)];
    for (client, bytes) in clients.iter_mut().zip(&bytes) {
        client
            .send(upload("a.mp4", bytes, true), &bytes[..500])
            .await;
    }
    eventually(async || fixture.files().len() == 2).await;
    let mut codes = Vec::new();
    for (client, bytes) in clients.iter_mut().zip(&bytes) {
        tokio::io::AsyncWriteExt::write_all(&mut client.stream, &bytes[500..])
            .await
            .unwrap();
        codes.push(client.reply().await["code"].clone());
    }
    assert_eq!(codes, [Value::Null, json!("quota_exceeded")]);
    assert_eq!(fixture.files().len(), 1);
}

/// Row A16: the wait is the server's, and every download has its own. It is longer here than any
/// limit of time, and trips none of them.
async fn nobody_gets_a_free_movie_before_the_wait_is_over(database: Database) {
    const WAIT: Duration = Duration::from_secs(3);
    let mut config = config();
    config.wait = WAIT;
    config.idle = Duration::from_secs(1);
    config.limits.handler_time = Duration::from_secs(1);
    config.limits.wire.idle_time = Duration::from_secs(1);
    config.limits.wire.header_time = Duration::from_secs(1);
    config.limits.wire.body_rate_window = Duration::from_secs(1);
    config.limits.wire.write_time = Duration::from_secs(1);
    let fixture = Fixture::new(database, config).await;
    let bytes = some_bytes(100_000);
    let id = fixture
        .admin("admin")
        .await
        .uploaded("a.mp4", &bytes, true)
        .await;
    fixture.client().await.register("ann", UserType::User).await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let (addr, bytes) = (fixture.addr, bytes.clone());
        tasks.spawn(async move {
            let ask =
                json!({"type": "download_movie", "movie_id": id, "wait_time": 0, "is_vip": 1});
            let mut start = Instant::now();
            let mut ann = Client::connect(addr).await;
            ann.login("ann", UserType::User).await;
            assert_eq!(ann.done(ask.clone()).await["wait_time"], 3);
            if n % 2 == 0 {
                // Leaving and asking again begins a new wait.
                tokio::time::sleep(WAIT / 3).await;
                drop(ann);
                ann = Client::connect(addr).await;
                ann.login("ann", UserType::User).await;
                start = Instant::now();
                ann.done(ask).await;
            }
            let mut first = [0];
            ann.stream.read_exact(&mut first).await.unwrap();
            let waited = start.elapsed();
            assert!(waited >= WAIT, "the first byte came after {waited:?}");
            assert!(waited < WAIT + Duration::from_secs(10), "after {waited:?}");
            let rest = ann.file(bytes.len() - 1).await;
            assert_eq!([&first[..], &rest].concat(), bytes);
        });
    }
    tasks.join_all().await;
    // Those who left while they waited have no record: nothing was sent.
    assert_eq!(
        DownloadRecord::select().count(&fixture.db).await.unwrap(),
        20
    );
    let mut vip = fixture.user("vip").await;
    vip.done(json!({"type": "buy_vip"})).await;
    let (reply, _) = vip.download(id).await;
    assert_eq!(reply["wait_time"], 0);
}

async fn lists_run_from_the_newest_and_fit(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    // The largest notice that is taken: quotes double on the wire, and a reply carries it thrice.
    let largest = json!({"type": "release_notice", "title": "\u{10ffff}".repeat(200), "content": "\"".repeat(8 << 10)});
    admin.done(largest).await;
    let reply = admin.login("admin", UserType::Admin).await;
    assert_eq!(reply["notice"].as_array().unwrap().len(), 1);
    for n in 0..4 {
        let content = format!("{n}").repeat(8 << 10);
        admin
            .done(json!({"type": "release_notice", "title": format!("{n}"), "content": content}))
            .await;
    }
    let reply = admin.done(json!({"type": "check_notice"})).await;
    let titles = |reply: &Value| -> Vec<String> {
        let notices = reply["back_notice_list"].as_array().unwrap().iter();
        notices
            .map(|notice| notice["title"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (titles(&reply), &reply["more"]),
        (vec!["3".into(), "2".into()], &json!(true))
    );
    let reply = admin
        .done(json!({"type": "check_notice", "offset": 2, "limit": 1}))
        .await;
    assert_eq!(
        (titles(&reply), reply.get("more")),
        (vec!["1".into()], None)
    );
    let reply = admin.login("admin", UserType::Admin).await;
    assert_eq!(
        (reply["notice"].as_array().unwrap().len(), &reply["more"]),
        (2, &json!(true))
    );
    for (title, content) in [
        ("", "c".to_owned()),
        ("t", String::new()),
        ("t", "c".repeat((8 << 10) + 1)),
        (&"t".repeat(201), "c".to_owned()),
        ("\u{1b}[2J", "c".to_owned()),
        ("t", "\0".to_owned()),
    ] {
        admin
            .refused(
                json!({"type": "put_notice", "title": title, "content": content}),
                "bad_notice",
            )
            .await;
    }
    admin
        .done(json!({"type": "put_notice", "title": "lines", "content": "one\r\n\ttwo 👨\u{200d}👩\u{200d}👧"}))
        .await;
}

async fn prices(fixture: &Fixture) -> Vec<i32> {
    let records = DownloadRecord::select().order_by(download_record::price.asc());
    records
        .all(&fixture.db)
        .await
        .unwrap()
        .iter()
        .map(|record| record.price)
        .collect()
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Waits until something holds, for what follows the last byte of a reply.
async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "it did not come to hold"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
