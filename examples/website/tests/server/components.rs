//! What visitors see, and what is counted.

use axum::http::{Method, StatusCode};
use tokio::task::JoinSet;
use website::plans::{Component, Plan};

use crate::support::{Fixture, is};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_visits_at_once_are_fifty() {
    let site = Fixture::with(|config| config.gate.waiting = 100).await;
    site.company("museum").await;
    let mut crowd = JoinSet::new();
    for _ in 0..50 {
        let mut visitor = site.browser("museum");
        crowd.spawn(async move { visitor.get("/").await.unwrap().visits().unwrap() });
    }
    let seen = crowd.join_all().await;
    assert!(
        seen.iter().all(|visits| (1..=50).contains(visits)),
        "{seen:?}"
    );
    // Who asks for the head alone visits nothing.
    let mut visitor = site.browser("museum");
    let head = visitor
        .send(Method::HEAD, "/", &[], "".into())
        .await
        .unwrap();
    is(&head, StatusCode::OK);
    assert_eq!(visitor.get("/").await.unwrap().visits(), Some(51));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_off_is_not_found_and_not_linked() {
    let site = Fixture::new().await;
    site.company_on("kiosk", Plan::Starter, vec![Component::Pages])
        .await;
    let mut visitor = site.browser("kiosk");
    for path in ["/notices", "/guests", "/files", "/files/1", "/questions"] {
        is(&visitor.get(path).await.unwrap(), StatusCode::NOT_FOUND);
    }
    let home = visitor.get("/").await.unwrap();
    assert_eq!(home.visits(), None);
    assert!(!home.text().contains("/guests"), "{}", home.text());
    let token = visitor.get("/login").await.unwrap().token();
    for path in ["/guests", "/questions"] {
        let sent = [("name", "a"), ("text", "b")];
        let sent = visitor.post(path, &token, &sent).await.unwrap();
        is(&sent, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_shown_with_their_answer_and_not_before() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let mut visitor = site.browser("museum");
    let token = visitor.get("/questions").await.unwrap().token();
    let asked = [("name", "ann"), ("text", "When do you open?")];
    let asked = visitor.post("/questions", &token, &asked).await.unwrap();
    is(&asked, StatusCode::SEE_OTHER);
    assert!(
        !visitor
            .get("/questions")
            .await
            .unwrap()
            .text()
            .contains("When do you")
    );
    let (mut owner, token) = site.owner("museum").await;
    assert!(
        owner
            .get("/manage")
            .await
            .unwrap()
            .text()
            .contains("When do you open?")
    );
    let answer = [("id", "1"), ("answer", "At ten.")];
    is(
        &owner
            .post("/manage/questions/answer", &token, &answer)
            .await
            .unwrap(),
        StatusCode::SEE_OTHER,
    );
    let text = visitor.get("/questions").await.unwrap().text();
    assert!(
        text.contains("When do you open?") && text.contains("At ten."),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_book_that_nobody_reads_takes_no_more() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let mut visitor = site.browser("museum");
    let token = visitor.get("/guests").await.unwrap().token();
    let entry = [("name", "ann"), ("text", "hello")];
    let mut taken = 0;
    let last = loop {
        let page = visitor.post("/guests", &token, &entry).await.unwrap();
        if page.status != StatusCode::SEE_OTHER || taken > 300 {
            break page;
        }
        taken += 1;
    };
    is(&last, StatusCode::CONFLICT);
    assert_eq!(taken, 200);
    for bad in [
        [("name", ""), ("text", "x")],
        [("name", "x"), ("text", "\u{202e}")],
    ] {
        is(
            &visitor.post("/guests", &token, &bad).await.unwrap(),
            StatusCode::UNPROCESSABLE_ENTITY,
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_in_both_languages_and_load_nothing_from_elsewhere() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let mut visitor = site
        .browser("museum")
        .with_header("accept-language", "zh-CN,zh;q=0.9");
    let home = visitor.get("/").await.unwrap();
    assert!(home.text().contains("<html lang=\"zh-CN\">") && home.text().contains("留言簿"));
    let chosen = visitor.get("/guests?lang=en").await.unwrap();
    assert!(chosen.text().contains("Guest book"));
    // It is remembered.
    assert!(
        visitor
            .get("/guests")
            .await
            .unwrap()
            .text()
            .contains("Guest book")
    );
    for path in ["/", "/guests", "/questions", "/files", "/notices", "/login"] {
        let page = visitor.get(path).await.unwrap();
        is(&page, StatusCode::OK);
        let text = page.text();
        assert!(
            !text.contains("http://") && !text.contains("https://") && !text.contains("//cdn"),
            "{text}"
        );
        assert!(
            !text.contains("<script") && !text.contains(" style="),
            "{text}"
        );
        assert!(
            page.header("content-security-policy")
                .starts_with("default-src 'self'")
        );
        assert_eq!(page.header("x-content-type-options"), "nosniff");
    }
    let text = visitor.get("/").await.unwrap().text();
    let css = text
        .split("href=\"/static/")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let css = visitor.get(&format!("/static/{css}")).await.unwrap();
    is(&css, StatusCode::OK);
    assert!(css.header("cache-control").contains("immutable"));
    is(
        &visitor.get("/static/site.0.css").await.unwrap(),
        StatusCode::NOT_FOUND,
    );
}
