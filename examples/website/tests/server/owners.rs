//! Logging in and out, and who is no owner.

use axum::http::StatusCode;
use website::web;

use crate::support::{Fixture, PASSWORD, is};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_logs_in_and_out() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let mut browser = site.browser("museum");
    for (name, password) in [("owner", "wrong password"), ("nobody", PASSWORD), ("", "")] {
        let page = browser.log_in("", name, password).await.unwrap();
        is(&page, StatusCode::UNAUTHORIZED);
        assert!(page.text().contains("Wrong name or password"));
    }
    let (mut owner, token) = site.owner("museum").await;
    let stolen = owner.cookie("owner").unwrap().to_owned();
    is(
        &owner.post("/logout", &token, &[]).await.unwrap(),
        StatusCode::SEE_OTHER,
    );
    browser.set_cookie("owner", &stolen);
    is(
        &browser.get("/manage").await.unwrap(),
        StatusCode::UNAUTHORIZED,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_the_owners_is_done_for_others() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let mut visitor = site.browser("museum");
    let token = visitor.get("/login").await.unwrap().token();
    let fields = [
        ("id", "1"),
        ("slug", "a"),
        ("title", "a"),
        ("body", "a"),
        ("component", "pages"),
        ("on", "false"),
        ("answer", "a"),
    ];
    for path in web::forms()
        .iter()
        .filter(|path| path.starts_with("/manage"))
    {
        let page = match *path {
            "/manage/files" => visitor.upload(path, &token, "a", b"a").await.unwrap(),
            path => visitor.post(path, &token, &fields).await.unwrap(),
        };
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/manage", "/manage/page", "/manage/none"] {
        is(&visitor.get(path).await.unwrap(), StatusCode::UNAUTHORIZED);
    }
    visitor.set_cookie("owner", "00112233445566778899aabbccddeeff");
    is(
        &visitor.get("/manage").await.unwrap(),
        StatusCode::UNAUTHORIZED,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_is_the_operators() {
    let site = Fixture::new().await;
    site.company("museum").await;
    site.browser("museum").get("/").await.unwrap();
    let mut stranger = site.browser("museum");
    is(
        &stranger.get("/status").await.unwrap(),
        StatusCode::NOT_FOUND,
    );
    let token = std::fs::read_to_string(site.folder.path().join("operator-token")).unwrap();
    let mut operator = site
        .browser("museum")
        .with_header("authorization", &format!("Bearer {token}"));
    let page = operator.get("/status").await.unwrap();
    is(&page, StatusCode::OK);
    let status: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    assert_eq!(status["sites"][0]["site"], "museum");
    assert_eq!(status["sites"][0]["served"], 1);
    assert_eq!(status["sites"][0]["working"], 0);
}
