//! Requests that are sent again with their key.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use movie::messages::{BuyVip, DeleteMovie, UploadMovie, UserType};
use movie::models::{Claim, Movie, User, user};
use movie::sampled;
use packetboat_dispatch::client::ClientError;
use packetboat_dispatch::{IdempotencyKey, NativeClient};
use packetboat_framing::Source;
use packetboat_framing::native::Digest;
use packetboat_orm::ModelExt;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{Database, Fixture, Kind, config, some_bytes};

on_each_database! {
    a_key_is_for_one_thing
    an_upload_is_stored_once_however_often_it_is_sent
    vip_is_bought_once_however_often_a_request_is_sent
}

async fn vip_is_bought_once_however_often_a_request_is_sent(database: Database) {
    let fixture = Fixture::with(database).await;
    let mut ann = fixture.client().await;
    ann.register("ann", UserType::User).await;
    ann.login_kept("ann", UserType::User).await;
    let session = ann.session.as_deref().unwrap();

    let mut clients = Vec::new();
    for _ in 0..4 {
        let client = NativeClient::connect(fixture.addr).await.unwrap();
        client.set_session(Some(session.parse().unwrap()));
        clients.push(client);
    }
    let clients = Arc::new(clients);
    let key = IdempotencyKey::generate();
    let mut calls = JoinSet::new();
    for n in 0..100 {
        let clients = Arc::clone(&clients);
        calls.spawn(async move {
            let client = clients[n % 4].with_idempotency_key(key);
            client.call(BuyVip {}).await
        });
    }
    while let Some(bought) = calls.join_next().await {
        bought.unwrap().expect("the same answer as the first");
    }
    // Long after, too; and without the key it is another purchase.
    let again = clients[0].with_idempotency_key(key).call(BuyVip {}).await;
    again.expect("the same answer as the first");
    for client in [
        clients[0].clone(),
        clients[0].with_idempotency_key(IdempotencyKey::generate()),
    ] {
        let refused: Result<_, ClientError> = client.call(BuyVip {}).await;
        assert_eq!(refused.unwrap_err().code(), Some("already_vip"));
    }
    let vips = User::select().filter(user::is_vip.eq(true));
    assert_eq!(vips.count(&fixture.db).await.unwrap(), 1);
    // What was refused has left nothing.
    assert_eq!(Claim::select().count(&fixture.db).await.unwrap(), 1);
}

/// An admin on the native wire, with a session that outlives connections.
async fn admin(fixture: &Fixture) -> NativeClient {
    let mut root = fixture.client().await;
    root.register("root", UserType::Admin).await;
    root.login_kept("root", UserType::Admin).await;
    let client = NativeClient::connect(fixture.addr).await.unwrap();
    client.set_session(Some(root.session.unwrap().parse().unwrap()));
    client
}

/// The same account on a connection of its own.
async fn another(fixture: &Fixture, client: &NativeClient) -> NativeClient {
    let another = NativeClient::connect(fixture.addr).await.unwrap();
    another.set_session(client.session());
    another
}

fn message(name: &str, film: &[u8]) -> UploadMovie {
    UploadMovie {
        file_name: name.to_owned(),
        file_size: film.len() as u64,
        file_md5: sampled::md5(&mut std::io::Cursor::new(film)).unwrap(),
        is_free: true,
    }
}

/// Uploads under a key, and says how many bytes of the file were sent.
async fn upload(
    client: &NativeClient,
    key: IdempotencyKey,
    message: UploadMovie,
    film: &[u8],
    digest: Option<Digest>,
) -> Result<u64, ClientError> {
    let client = client.with_idempotency_key(key);
    let source = Source::bytes(film.to_vec());
    let mut sent = 0;
    let progress = |at| sent = at;
    match digest {
        Some(digest) => client.upload(message, source, digest, progress).await?,
        None => client.call_with_file(message, source, progress).await?,
    };
    Ok(sent)
}

async fn an_upload_is_stored_once_however_often_it_is_sent(database: Database) {
    let film = some_bytes(3 << 20);
    let mut config = config();
    // There is no room for it twice, and a retry needs none.
    config.quota = 5 << 20;
    let fixture = Fixture::new(database, config).await;
    let client = admin(&fixture).await;
    let (key, digest) = (IdempotencyKey::generate(), Digest::of(&film));

    let mut uploads = JoinSet::new();
    for n in 0..8 {
        let client = another(&fixture, &client).await;
        let (film, message) = (film.clone(), message("a.mp4", &film));
        let digest = (n % 2 == 0).then_some(digest);
        uploads.spawn(async move { upload(&client, key, message, &film, digest).await });
    }
    while let Some(stored) = uploads.join_next().await {
        stored.unwrap().expect("the same answer as the first");
    }
    // Long after, too, with a digest and without one. With it nothing is sent but what fits into the
    // first credit.
    let again = |digest| upload(&client, key, message("a.mp4", &film), &film, digest);
    let sent = again(Some(digest)).await.expect("the same answer");
    assert!(sent < film.len() as u64, "{sent} bytes were sent");
    again(None).await.expect("the same answer as the first");
    assert_eq!(Movie::select().count(&fixture.db).await.unwrap(), 1);
    assert_eq!(Claim::select().count(&fixture.db).await.unwrap(), 1);
    assert_eq!(fixture.files().len(), 1);

    // Another key is another upload, and so is none.
    let other = upload(
        &client,
        IdempotencyKey::generate(),
        message("a.mp4", &film[..1000]),
        &film[..1000],
        None,
    );
    other.await.expect("a movie of its own");
    let known = upload(
        &client,
        IdempotencyKey::generate(),
        message("b.mp4", &film[..1000]),
        &film[..1000],
        None,
    );
    assert_eq!(known.await.unwrap_err().code(), Some("movie_exists"));

    // What was done stays done: a late retry does not bring a deleted movie back.
    let id = Movie::select().all(&fixture.db).await.unwrap()[0].id;
    let delete = DeleteMovie {
        delete_movie_id: id,
    };
    client.call(delete).await.unwrap();
    again(Some(digest)).await.expect("the same answer");
    assert_eq!(Movie::select().count(&fixture.db).await.unwrap(), 2);
}

async fn a_key_is_for_one_thing(database: Database) {
    let film = some_bytes(3 << 20);
    let mut other = film.clone();
    other[700] ^= 1;
    let fixture = Fixture::with(database).await;
    let client = admin(&fixture).await;
    let key = IdempotencyKey::generate();
    let stored = upload(&client, key, message("a.mp4", &film), &film, None).await;
    stored.expect("it is new");

    let charged = UploadMovie {
        is_free: false,
        ..message("a.mp4", &film)
    };
    for (message, film) in [
        // Its sampled md5 is that of the first.
        (message("a.mp4", &other), &other),
        (message("b.mp4", &film), &film),
        (charged, &film),
    ] {
        for digest in [Some(Digest::of(film)), None] {
            let refused = upload(&client, key, message.clone(), film, digest).await;
            assert_eq!(refused.unwrap_err().code(), Some("key_reused"));
        }
    }
    assert_eq!(Movie::select().count(&fixture.db).await.unwrap(), 1);
    assert_eq!(fixture.files().len(), 1);

    // Nor is a purchase done because something else was.
    let ann = {
        let mut ann = fixture.client().await;
        ann.register("ann", UserType::User).await;
        ann.login_kept("ann", UserType::User).await;
        let client = NativeClient::connect(fixture.addr).await.unwrap();
        client.set_session(Some(ann.session.unwrap().parse().unwrap()));
        client
    };
    let hers = User::select().filter(user::name.eq("ann"));
    let id = hers.one(&fixture.db).await.unwrap().id;
    let mut claim = Claim::once(id, key).with_content("another".to_owned());
    claim.insert(&fixture.db).await.unwrap();
    let refused = ann.with_idempotency_key(key).call(BuyVip {}).await;
    assert_eq!(refused.unwrap_err().code(), Some("key_reused"));
}

/// The connection is lost in the middle, and the retry is there before the server knows of it; then
/// the answer is lost, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_was_cut_goes_on_under_its_key() {
    let film = some_bytes(8 << 20);
    let database = Database::fresh(Kind::Sqlite).await.unwrap();
    let fixture = Fixture::with(database).await;
    let client = admin(&fixture).await;
    let (key, digest) = (IdempotencyKey::generate(), Digest::of(&film));

    // It stands still in the middle until it is let go, and then its whole runtime goes.
    let ((half, is_half), (let_go, stand)) = (mpsc::channel(), mpsc::channel::<()>());
    let first = std::thread::spawn({
        let (addr, session) = (fixture.addr, client.session());
        let (film, message) = (film.clone(), message("a.mp4", &film));
        move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all();
            runtime.build().unwrap().block_on(async move {
                let client = NativeClient::connect(addr).await.unwrap();
                client.set_session(session);
                let client = client.with_idempotency_key(key);
                let progress = move |at| {
                    if at > 6 << 20 {
                        half.send(()).unwrap();
                        stand.recv().expect_err("nothing is sent");
                        panic!("the connection is lost");
                    }
                };
                client
                    .upload(message, Source::bytes(film), digest, progress)
                    .await
            })
        }
    });
    is_half.recv().unwrap();
    let began_at = AtomicU64::new(u64::MAX);
    let mut retry = pin!(async {
        let progress = |at| {
            began_at.fetch_min(at, Ordering::Relaxed);
        };
        let client = client.with_idempotency_key(key);
        client
            .upload(
                message("a.mp4", &film),
                Source::bytes(film.clone()),
                digest,
                progress,
            )
            .await
    });
    let early = timeout(Duration::from_millis(300), &mut retry).await;
    assert!(early.is_err(), "the first is at work: {early:?}");
    drop(let_go);
    first.join().expect_err("it was lost");
    let stored = timeout(Duration::from_secs(20), retry).await;
    stored.expect("in time").expect("it goes on");
    let began_at = began_at.load(Ordering::Relaxed);
    assert!(began_at > 2 << 20, "it began with {began_at} bytes");
    assert_eq!(Movie::select().count(&fixture.db).await.unwrap(), 1);

    let sent = upload(&client, key, message("a.mp4", &film), &film, Some(digest)).await;
    assert!(sent.expect("the same answer") < 2 << 20);
    assert_eq!(Movie::select().count(&fixture.db).await.unwrap(), 1);
    assert_eq!(fixture.files().len(), 1);
}
