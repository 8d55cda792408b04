//! Companies as the operator takes them in: with a host of their own, and never over what is there.

use axum::http::StatusCode;
use packetboat_orm::{Dialect, Executor, ModelExt, TenantName, test};
use website::browser::Browser;
use website::directory::NewCompany;
use website::models::{Notice, notice};
use website::plans::{Component, Plan};
use website::refusals::Refusal;
use website::storage::{Place, Storage};

use crate::support::{Fixture, PASSWORD, is};

fn new(name: &str, host: Option<&str>) -> NewCompany {
    NewCompany {
        name: name.to_owned(),
        title: name.to_owned(),
        host: host.map(str::to_owned),
        plan: Plan::Starter,
        components: vec![Component::Notices],
    }
}

async fn create(site: &Fixture, new: NewCompany) -> Result<(), Refusal> {
    let operator = site.server.operator();
    let made = operator.create(new, "owner", PASSWORD.to_owned()).await;
    made.map(|_| ())
}

/// As after a directory that was lost, or brought back from a copy: its numbers begin anew.
async fn a_database_that_is_there_survives(site: &Fixture, place: Place) {
    let storage = Storage::new(place, Vec::new());
    let key = TenantName::new("museum-1").unwrap();
    storage.create(&key).await.unwrap();
    let before = storage.open(&key).await.unwrap();
    let mut row = Notice {
        id: 0,
        title: "of before".to_owned(),
        body: "b".to_owned(),
        at: chrono::Utc::now(),
    };
    row.insert(&before).await.unwrap();
    let refusal = create(site, new("museum", None)).await.unwrap_err();
    assert_eq!(refusal.code(), "database_exists");
    assert!(refusal.to_string().contains("museum-1"), "{refusal}");
    assert!(titles(&before).await == ["of before"]);
    // Read by a connection that did not have it open.
    let after = storage.open(&key).await.unwrap();
    assert!(titles(&after).await == ["of before"]);
    let directory = &site.server.app().directory;
    assert!(directory.list().await.unwrap().is_empty());
    // The next number's database is another.
    create(site, new("museum", None)).await.unwrap();
    let second = directory.by_name("museum").await.unwrap().unwrap();
    assert_eq!(second.key.as_str(), "museum-2");
    site.server.operator().remove("museum", true).await.unwrap();
    // What was made is undone: an owner without a name is refused when the database is made already.
    let operator = site.server.operator();
    let nobody = operator.create(new("kiosk", None), "", PASSWORD.to_owned());
    assert!(nobody.await.is_err());
    let undone = TenantName::new("kiosk-3").unwrap();
    storage.create(&undone).await.unwrap();
    storage.delete(&undone).await.unwrap();
    storage.delete(&key).await.unwrap();
}

async fn titles(db: impl Executor) -> Vec<String> {
    let all = Notice::select().columns((notice::id, notice::title));
    let all: Vec<(i64, String)> = all.all(db).await.unwrap();
    all.into_iter().map(|(_, title)| title).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_there_survives() {
    let site = Fixture::new().await;
    let folder = site.folder.path().join("databases");
    a_database_that_is_there_survives(&site, Place::Folder(folder)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_a_database_that_is_there_survives() {
    let Some(database) = test::Database::fresh(Dialect::Postgres).await else {
        return;
    };
    let place: Place = database.url().parse().unwrap();
    let told = place.clone();
    let site = Fixture::with(|config| config.data.database = Some(told)).await;
    a_database_that_is_there_survives(&site, place.clone()).await;
    site.server.shutdown().await;
    let directory = TenantName::new("directory").unwrap();
    Storage::new(place, Vec::new())
        .delete(&directory)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_of_its_own_leads_to_its_company_and_to_no_other() {
    let site = Fixture::new().await;
    create(&site, new("museum", Some("Museum.Example")))
        .await
        .unwrap();
    site.company("kiosk").await;
    // By its own host, however it is written, and still below the domain.
    for host in ["museum.example", "MUSEUM.example", "museum.sites.test"] {
        let home = Browser::new(site.addr(), host).get("/").await.unwrap();
        is(&home, StatusCode::OK);
        assert!(home.text().contains("museum"), "{}", home.text());
    }
    for host in ["example", "www.museum.example", "museum.example.evil.test"] {
        let home = Browser::new(site.addr(), host).get("/").await.unwrap();
        is(&home, StatusCode::NOT_FOUND);
    }
    // It has that company alone, and the owner logs in there.
    let mut owner = Browser::new(site.addr(), "museum.example");
    is(
        &owner.get("/t/kiosk/").await.unwrap(),
        StatusCode::NOT_FOUND,
    );
    let login = owner.log_in("", "owner", PASSWORD).await.unwrap();
    is(&login, StatusCode::SEE_OTHER);
    assert!(login.header("set-cookie").contains("; Path=/;"));
    is(&owner.get("/manage").await.unwrap(), StatusCode::OK);
    // Nobody else gets it, and what is no host is none.
    let taken = create(&site, new("shop", Some("museum.example"))).await;
    assert!(matches!(taken, Err(Refusal::Taken)), "{taken:?}");
    for bad in ["", "a b", "-a.example", "a..example", "a.example:80", "*"] {
        let refused = create(&site, new("shop", Some(bad))).await;
        assert!(
            matches!(refused, Err(Refusal::BadText { field: "host" })),
            "{bad}"
        );
    }
    // A company that left leaves its host.
    site.server.operator().remove("museum", true).await.unwrap();
    let mut late = Browser::new(site.addr(), "museum.example");
    is(&late.get("/").await.unwrap(), StatusCode::NOT_FOUND);
}
