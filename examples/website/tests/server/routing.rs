//! Reads from replicas, and from the writer for whoever has just written.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::StatusCode;
use packetboat_dispatch::NativeClient;
use packetboat_orm::{Dialect, TenantName, test};
use website::messages::{GetGuestBook, GetNotices, LogIn, PublishNotice};
use website::storage::{Place, Storage};

use crate::support::{Fixture, PASSWORD, is};

/// A server whose replica is a copy that was made when the companies had come, and gets nothing after that: as late as
/// a replica can be.
async fn with_a_late_replica() -> Fixture {
    let copies = tempfile::tempdir().unwrap().keep();
    let replica = copies.clone();
    let site = Fixture::with(|config| config.data.replicas = vec![Place::Folder(replica)]).await;
    let company = site.company("museum").await;
    let (mut owner, token) = site.owner("museum").await;
    let old = [("title", "old"), ("body", "before the copy")];
    is(
        &owner.post("/manage/notices", &token, &old).await.unwrap(),
        StatusCode::SEE_OTHER,
    );
    // The first requests found no copy. The database is opened anew with the next server.
    let folder = site.folder;
    site.server.shutdown().await;
    let file = format!("{}.db", company.key);
    for ending in ["", "-wal", "-shm"] {
        let from = folder
            .path()
            .join("databases")
            .join(format!("{file}{ending}"));
        if from.exists() {
            std::fs::copy(from, copies.join(format!("{file}{ending}"))).unwrap();
        }
    }
    let data = folder.path().to_owned();
    let mut again = Fixture::with(|config| {
        config.data.data = Some(data);
        config.data.replicas = vec![Place::Folder(copies)];
    })
    .await;
    again.folder = folder;
    again
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_reads_it_however_late_the_replica_is() {
    let site = with_a_late_replica().await;
    let mut reader = site.browser("museum");
    let page = reader.get("/notices").await.unwrap();
    assert_eq!(page.header("x-database"), "replica-1");
    // The owner's login has written, and so he is with the writer from then on.
    let (mut owner, token) = site.owner("museum").await;
    for round in 0..10 {
        let title = format!("notice {round}");
        let notice = [("title", title.as_str()), ("body", "new")];
        let wrote = owner
            .post("/manage/notices", &token, &notice)
            .await
            .unwrap();
        is(&wrote, StatusCode::SEE_OTHER);
        assert_eq!(wrote.header("x-database"), "writer");
        let own = owner.get("/notices").await.unwrap();
        assert_eq!(own.header("x-database"), "writer");
        assert!(own.text().contains(&title), "round {round} is stale");
    }
    // Another reader stays with the replica, which is stale: the test would see it.
    let page = reader.get("/notices").await.unwrap();
    assert_eq!(page.header("x-database"), "replica-1");
    assert!(!page.text().contains("notice 0"), "the copy is no copy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_writes_reads_it_too() {
    let site = with_a_late_replica().await;
    let museum = || "museum".to_owned();
    let reader = NativeClient::connect(site.addr()).await.unwrap();
    let before = reader.call(GetNotices { site: museum() }).await.unwrap();
    assert_eq!(before.notices.len(), 1);
    let owner = NativeClient::connect(site.addr()).await.unwrap();
    let login = LogIn {
        site: museum(),
        name: "owner".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let session = owner.call(login).await.unwrap().session;
    owner.set_session(Some(session));
    for round in 2..6 {
        let notice = PublishNotice {
            title: format!("n{round}"),
            body: "b".to_owned(),
        };
        owner.call(notice).await.unwrap();
        let own = owner.call(GetNotices { site: museum() }).await.unwrap();
        assert_eq!(own.notices.len(), round, "stale");
    }
    assert_eq!(
        reader
            .call(GetNotices { site: museum() })
            .await
            .unwrap()
            .notices
            .len(),
        1
    );
    let book = owner.call(GetGuestBook { site: museum() }).await.unwrap();
    assert!(book.entries.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_each_company_has_a_database_of_its_own() {
    let Some(database) = test::Database::fresh(Dialect::Postgres).await else {
        return;
    };
    let place: Place = database.url().parse().unwrap();
    let told = place.clone();
    let site = Fixture::with(|config| {
        config.data.database = Some(told.clone());
        config.data.replicas = vec![told];
    })
    .await;
    let mut keys = vec![TenantName::new("directory").unwrap()];
    for name in ["museum", "kiosk"] {
        keys.push(site.company(name).await.key);
        let (mut owner, token) = site.owner(name).await;
        let title = format!("secret-of-{name}");
        let notice = [("title", title.as_str()), ("body", "b")];
        is(
            &owner
                .post("/manage/notices", &token, &notice)
                .await
                .unwrap(),
            StatusCode::SEE_OTHER,
        );
        let own = owner.get("/notices").await.unwrap();
        assert_eq!(own.header("x-database"), "writer");
    }
    let mut reader = site.browser("museum");
    let page = reader.get("/notices").await.unwrap();
    assert_eq!(page.header("x-database"), "replica-1");
    let text = page.text();
    assert!(text.contains("secret-of-museum") && !text.contains("secret-of-kiosk"));
    for _ in 0..3 {
        reader.get("/").await.unwrap();
    }
    assert_eq!(reader.get("/").await.unwrap().visits(), Some(4));
    site.server.operator().remove("kiosk", true).await.unwrap();
    is(
        &site.browser("kiosk").get("/").await.unwrap(),
        StatusCode::NOT_FOUND,
    );
    site.server.shutdown().await;
    let storage = Storage::new(place, Vec::new());
    for key in keys.iter().filter(|key| !key.as_str().starts_with("kiosk")) {
        storage.delete(key).await.unwrap();
    }
}

/// The folder that a replica's databases were to be in, which holds none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_not_there_is_done_without() {
    let missing = PathBuf::from("there-is-no-such-folder");
    let site = Fixture::with(|config| config.data.replicas = vec![Place::Folder(missing)]).await;
    site.company("museum").await;
    let read = tokio::time::timeout(Duration::from_secs(5), async {
        site.browser("museum").get("/guests").await.unwrap()
    });
    let page = read.await.unwrap();
    is(&page, StatusCode::OK);
    assert_eq!(page.header("x-database"), "writer");
}
