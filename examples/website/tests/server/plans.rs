//! Plans: so many components, however many ask at once; and what is left when a plan gets smaller.

use axum::http::StatusCode;
use tokio::task::JoinSet;
use website::directory::NewCompany;
use website::plans::{Component, Plan};
use website::refusals::Refusal;

use crate::support::{Fixture, is};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_allows_so_many_components_however_many_ask_at_once() {
    let site = Fixture::new().await;
    let company = site
        .company_on("kiosk", Plan::Business, vec![Component::Pages])
        .await;
    let directory = &site.server.app().directory;
    let mut all = JoinSet::new();
    for component in Component::ALL {
        let directory = directory.clone();
        let id = company.id;
        all.spawn(async move { directory.switch(id, component, true).await });
    }
    let results = all.join_all().await;
    let refused = results.iter().filter(|result| {
        matches!(
            result,
            Err(Refusal::PlanFull {
                plan: Plan::Business
            })
        )
    });
    assert_eq!(refused.count(), 2, "{results:?}");
    let now = directory.by_name("kiosk").await.unwrap().unwrap();
    assert_eq!(now.components.len(), 4);
    // One goes, and there is room for another.
    directory
        .switch(company.id, now.components[0], false)
        .await
        .unwrap();
    let off = Component::ALL
        .into_iter()
        .find(|component| !now.has(*component))
        .unwrap();
    directory.switch(company.id, off, true).await.unwrap();
    let too_many = NewCompany {
        name: "big".to_owned(),
        title: "Big".to_owned(),
        host: None,
        plan: Plan::Starter,
        components: Component::ALL.to_vec(),
    };
    let refused = directory.create(too_many).await;
    assert!(
        matches!(refused, Err(Refusal::PlanFull { .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_smaller_plan_keeps_the_first_and_all_data() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let (mut owner, token) = site.owner("museum").await;
    owner
        .upload("/manage/files", &token, "a.txt", b"abc")
        .await
        .unwrap();
    let directory = &site.server.app().directory;
    let off = directory.move_to("museum", Plan::Starter).await.unwrap();
    assert_eq!(off, Component::ALL[2..]);
    is(&owner.get("/files/1").await.unwrap(), StatusCode::NOT_FOUND);
    let page = owner
        .post(
            "/manage/components",
            &token,
            &[("component", "files"), ("on", "true")],
        )
        .await
        .unwrap();
    is(&page, StatusCode::CONFLICT);
    assert!(
        directory
            .move_to("museum", Plan::Enterprise)
            .await
            .unwrap()
            .is_empty()
    );
    let page = owner
        .post(
            "/manage/components",
            &token,
            &[("component", "files"), ("on", "true")],
        )
        .await
        .unwrap();
    is(&page, StatusCode::SEE_OTHER);
    let file = owner.get("/files/1").await.unwrap();
    assert_eq!(file.body, "abc");
    assert!(matches!(
        directory.move_to("nobody", Plan::Starter).await,
        Err(Refusal::NotFound)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_taken_again_finds_nothing_of_before() {
    let site = Fixture::new().await;
    let first = site.company("museum").await;
    let (mut owner, token) = site.owner("museum").await;
    let page = [
        ("slug", "secret"),
        ("title", "Secret"),
        ("body", "of before"),
    ];
    owner.post("/manage/pages", &token, &page).await.unwrap();
    // Its data is kept, and the server has its database open.
    site.server
        .operator()
        .remove("museum", false)
        .await
        .unwrap();
    is(
        &owner.get("/p/secret").await.unwrap(),
        StatusCode::NOT_FOUND,
    );
    let second = site.company("museum").await;
    assert_ne!(first.key, second.key);
    assert_eq!(
        owner.get("/p/secret").await.unwrap().status,
        StatusCode::NOT_FOUND
    );
    is(
        &owner.get("/manage").await.unwrap(),
        StatusCode::UNAUTHORIZED,
    );
}
