//! Registration and login under attack: many at once, forged fields, guesses by time.

use std::time::Instant;

use movie::config::AdminRegistration;
use movie::messages::UserType;
use movie::models::{User, user};
use packetboat_orm::ModelExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Client, Database, Fixture, Kind, PASSWORD, config};

on_each_database! {
    a_name_is_registered_once_however_many_try
    one_admin_registers_first_however_many_try
    a_locked_account_is_refused_at_login_and_at_its_next_request
    a_kept_session_survives_its_connection_and_ends_with_logout
    closed_registration_lets_no_admin_in
    forged_fields_change_nothing
}

async fn a_name_is_registered_once_however_many_try(database: Database) {
    let fixture = Fixture::with(database).await;
    let codes = at_once(&fixture, 100, |_| register("ann", "user")).await;
    assert_eq!(count(&codes, "ok"), 1, "{codes:?}");
    assert_eq!(count(&codes, "user_exists"), 99, "{codes:?}");
    let rows = User::select()
        .filter(user::name.eq("ann"))
        .count(&fixture.db)
        .await;
    assert_eq!(rows.unwrap(), 1);
    // Case counts on every database.
    fixture.client().await.register("Ann", UserType::User).await;
}

async fn one_admin_registers_first_however_many_try(database: Database) {
    let mut config = config();
    config.admin_registration = AdminRegistration::First;
    let fixture = Fixture::new(database, config).await;
    fixture
        .client()
        .await
        .register("taken", UserType::User)
        .await;
    // A name that is taken does not use up the first registration.
    let mut client = fixture.client().await;
    client
        .refused(register("taken", "admin"), "user_exists")
        .await;
    let codes = at_once(&fixture, 20, |n| register(&format!("admin{n}"), "admin")).await;
    assert_eq!(count(&codes, "ok"), 1, "{codes:?}");
    assert_eq!(count(&codes, "admin_registration_closed"), 19, "{codes:?}");
    // From now on the refusal is the same for a name that is taken, that is free, that is none.
    let closed = client
        .refused(register("taken", "admin"), "admin_registration_closed")
        .await;
    for name in ["free", "", "\0"] {
        assert_eq!(client.call(register(name, "admin")).await, closed);
    }
}

async fn closed_registration_lets_no_admin_in(database: Database) {
    let mut config = config();
    config.admin_registration = AdminRegistration::Closed;
    let fixture = Fixture::new(database, config).await;
    let mut client = fixture.client().await;
    client
        .refused(register("ann", "admin"), "admin_registration_closed")
        .await;
    client.done(register("ann", "user")).await;
}

async fn a_locked_account_is_refused_at_login_and_at_its_next_request(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut ann = fixture.user("ann").await;
    ann.refused(json!({"type": "check_notice"}), "no_notices")
        .await;
    lock(&fixture, "ann", true).await;
    ann.refused(json!({"type": "check_notice"}), "account_locked")
        .await;
    ann.refused(login("ann", PASSWORD), "account_locked").await;
    // Whether an account is locked is told to those who know its password.
    ann.refused(login("ann", "wrong"), "wrong_password").await;
    lock(&fixture, "ann", false).await;
    ann.login("ann", UserType::User).await;
}

async fn a_kept_session_survives_its_connection_and_ends_with_logout(database: Database) {
    let fixture = Fixture::with(database).await;
    packetboat_dispatch::session::check_store(&movie::sessions::DatabaseSessions(
        fixture.db.clone(),
    ))
    .await;
    let mut ann = fixture.user("ann").await;
    let of_the_connection = ann.session.clone();
    ann.login_kept("ann", UserType::User).await;
    let kept = ann.session.clone();
    drop(ann);
    let mut again = fixture.client().await;
    again.session = of_the_connection;
    again
        .refused(json!({"type": "check_notice"}), "not_logged_in")
        .await;
    again.session = kept;
    again
        .refused(json!({"type": "check_notice"}), "no_notices")
        .await;
    again.done(json!({"type": "logout"})).await;
    again
        .refused(json!({"type": "check_notice"}), "not_logged_in")
        .await;
}

/// Row A2: what a client says about itself changes nothing.
async fn forged_fields_change_nothing(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut admin = fixture.admin("admin").await;
    let admin_id = id_of(&fixture, "admin").await;
    let movie = admin
        .uploaded("a.mp4", &crate::support::some_bytes(80), false)
        .await;
    let forged = json!({"user_id": admin_id, "addr": "127.0.0.1", "is_vip": 1, "user_type": "admin",
        "role": "admin", "tenant": "other", "is_locked": 0, "price": 0, "wait_time": 0});
    let forged = forged.as_object().unwrap();

    // Registration and login have a `user_type` of their own; the rest is ignored there, too.
    let mut fields = forged.clone();
    fields.remove("user_type");
    let mut ann = fixture.client().await;
    ann.done(crate::support::merged(&register("ann", "user"), &fields))
        .await;
    let reply = ann
        .done(crate::support::merged(&login("ann", PASSWORD), &fields))
        .await;
    assert_eq!(reply["is_vip"], 0);
    ann.session = reply["session"].as_str().map(str::to_owned);

    // An admin's command stays an admin's, a price stays a price, a record stays the caller's.
    let as_admin = |message: Value| crate::support::merged(&message, forged);
    let delete = json!({"type": "delete_movie", "movie_id": movie});
    ann.refused(as_admin(delete), "forbidden").await;
    let publish = json!({"type": "release_notice", "title": "t", "content": "c"});
    ann.refused(as_admin(publish.clone()), "forbidden").await;
    let download = as_admin(json!({"type": "download_movie", "movie_id": movie}));
    assert_eq!(ann.done(download).await["price"], 10);
    ann.file(80).await;
    let records = ann
        .done(as_admin(json!({"type": "check_download_record"})))
        .await;
    assert_eq!(records["record_list"][0]["user"], "ann");
    let mut bob = fixture.user("bob").await;
    bob.refused(
        as_admin(json!({"type": "check_download_record"})),
        "no_records",
    )
    .await;
    let mut other = crate::support::merged(&publish, forged);
    other["user_id"] = json!(id_of(&fixture, "ann").await);
    admin.done(other).await;
    let notices = movie::models::Notice::select()
        .all(&fixture.db)
        .await
        .unwrap();
    assert_eq!(notices[0].user_id, admin_id);
}

/// Row A7: an unknown user and a wrong password take the same time, and are told the same.
///
/// Passwords cost next to nothing here, so that a difference in what surrounds the hash shows:
/// behind 19 ms of hashing it would drown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alone_unknown_user_and_wrong_password_are_alike_in_text_and_time() {
    const SAMPLES: usize = 2_000;
    let fixture = Fixture::with(Database::fresh(Kind::Sqlite).await.unwrap()).await;
    let mut client = fixture.client().await;
    client.register("somebody", UserType::User).await;
    let names = ["somebody", "nobodyis"];
    let mut texts = Vec::new();
    let mut times = [const { Vec::new() }; 2];
    for sample in 0..SAMPLES + 100 {
        // Interleaved, in an order that alternates, so that what slows the machine slows both.
        for side in if sample % 2 == 0 { [0, 1] } else { [1, 0] } {
            let request = login(names[side], "0d3dac5c4dd0ab81c27023ed7d8b63a8");
            let start = Instant::now();
            let reply = client.call(request).await;
            let took = start.elapsed().as_secs_f64();
            texts.push(reply.to_string());
            // The first warm things up.
            if sample >= 100 {
                times[side].push(took);
            }
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let t = welch(&trimmed(&times[0]), &trimmed(&times[1]));
    println!(
        "known and unknown: |t| = {:.2} over {SAMPLES} samples each",
        t.abs()
    );
    assert!(t.abs() < 4.5, "t = {t:.2}");
}

/// Without the slowest tenth, which are the machine's interruptions and not the server's work.
fn trimmed(times: &[f64]) -> Vec<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.truncate(times.len() * 9 / 10);
    sorted
}

/// Welch's t of two samples.
fn welch(one: &[f64], two: &[f64]) -> f64 {
    let moments = |xs: &[f64]| {
        let n = xs.len() as f64;
        let mean = xs.iter().sum::<f64>() / n;
        let variance = xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, variance / n)
    };
    let ((mean1, error1), (mean2, error2)) = (moments(one), moments(two));
    (mean1 - mean2) / (error1 + error2).sqrt()
}

fn register(name: &str, user_type: &str) -> Value {
    json!({"type": "register", "name": name, "password": PASSWORD, "user_type": user_type})
}

fn login(name: &str, password: &str) -> Value {
    json!({"type": "login", "name": name, "password": password, "user_type": "user"})
}

/// Sends a request on each of `n` connections at once; says how each ended.
async fn at_once(fixture: &Fixture, n: usize, request: impl Fn(usize) -> Value) -> Vec<String> {
    let mut clients = Vec::new();
    for _ in 0..n {
        clients.push(fixture.client().await);
    }
    let mut tasks = JoinSet::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        let request = request(number);
        tasks.spawn(async move { code(&mut client, request).await });
    }
    tasks.join_all().await
}

async fn code(client: &mut Client, request: Value) -> String {
    let reply = client.call(request).await;
    if reply["flag"] == true {
        "ok".to_owned()
    } else {
        reply["code"].as_str().unwrap().to_owned()
    }
}

fn count(codes: &[String], code: &str) -> usize {
    codes.iter().filter(|one| *one == code).count()
}

async fn lock(fixture: &Fixture, name: &str, locked: bool) {
    let account = User::select().filter(user::name.eq(name));
    account
        .update([user::is_locked.set(locked)], &fixture.db)
        .await
        .unwrap();
}

async fn id_of(fixture: &Fixture, name: &str) -> i64 {
    User::select()
        .filter(user::name.eq(name))
        .one(&fixture.db)
        .await
        .unwrap()
        .id
}
