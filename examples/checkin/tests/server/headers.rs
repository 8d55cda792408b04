//! What stands in the head of every answer; cookies; what may be cached.

use checkin::client::{Answer, Browser};
use checkin::models::Role;
use checkin::pages::{self, CONTENT_SECURITY_POLICY};

use crate::support::{Fixture, PASSWORD, config};

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name)?.to_str().ok()
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let fixture = Fixture::new().await;
    let mut teacher = fixture.staff("ann", Role::Teacher).await;
    let course = fixture.course("C", &["ann"], 1).await;
    let class = fixture.open(&mut teacher, course).await;
    let mut student = fixture.student("C-1").await;
    let mut nobody = Browser::new(fixture.addr);
    let paths = pages::pages().into_iter().map(|page| {
        page.path
            .replace("{course}", &course.to_string())
            .replace("{class}", &class.id.to_string())
            .replace("{student}", "2")
            .replace("{token}", "none")
    });
    let more = [
        "/nothing/here",
        "/classes/x",
        "/classes/99999999999999999999",
        "/%00",
        "/socket",
    ];
    for path in paths.chain(more.map(str::to_owned)) {
        for browser in [&mut teacher, &mut student, &mut nobody] {
            let answer = browser.get(&path).await.unwrap();
            assert_ne!(answer.status, 500, "{path}");
            for (name, value) in [
                ("content-security-policy", CONTENT_SECURITY_POLICY),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "same-origin"),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(header(&answer, name), Some(value), "{path}: {name}");
            }
            let text = answer.text();
            assert!(
                !text.contains(" style=") && !text.contains(" onclick="),
                "{path}"
            );
            assert!(
                !text.contains("<script>") && !text.contains("<style"),
                "{path}"
            );
            // Nothing from elsewhere, but for the namespace of a picture.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !text.contains("src=\"http") && !text.contains("href=\"http"),
                "{path}"
            );
        }
    }
    for part in [
        "default-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ] {
        assert!(CONTENT_SECURITY_POLICY.contains(part));
    }
}

#[tokio::test]
async fn style_and_script_are_kept_for_good_under_a_name_of_their_content() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::new(fixture.addr);
    let page = browser.get("/login").await.unwrap();
    for (beginning, kind) in [
        ("rel=\"stylesheet\" href=\"", "text/css; charset=utf-8"),
        ("<script src=\"", "text/javascript; charset=utf-8"),
        ("rel=\"icon\" href=\"", "image/svg+xml"),
    ] {
        let path = page.attribute(beginning).unwrap();
        let file = browser.get(&path).await.unwrap();
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(header(&file, "content-type"), Some(kind));
        assert!(
            header(&file, "cache-control")
                .unwrap()
                .contains("immutable")
        );
        assert_eq!(header(&file, "set-cookie"), None);
        let hash = blake3::hash(&file.body).to_hex();
        assert!(path.contains(&hash[..16]), "{path}");
    }
}

#[tokio::test]
async fn cookies_are_out_of_reach() {
    let mut config = config();
    config.origin = vec!["https://checkin.example".to_owned()];
    let secure = Fixture::with(config).await;
    let plain = Fixture::new().await;
    for (fixture, is_secure) in [(&secure, true), (&plain, false)] {
        fixture.staff("ann", Role::Teacher).await;
        let mut browser = Browser::new(fixture.addr);
        let first = browser.get("/login").await.unwrap();
        let answer = browser.log_in("ann", PASSWORD).await.unwrap();
        for answer in [&first, &answer] {
            let cookie = header(answer, "set-cookie").unwrap();
            assert!(
                cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"),
                "{cookie}"
            );
            assert_eq!(cookie.contains("; Secure"), is_secure, "{cookie}");
        }
    }
    // A session that was shown at the login is not adopted, and is over.
    let mut browser = plain.log_in("ann").await;
    let before = browser.cookies["session"].clone();
    browser.log_in("ann", PASSWORD).await.unwrap();
    assert_ne!(browser.cookies["session"], before);
    browser.cookies.insert("session".to_owned(), before);
    assert_eq!(
        browser.get("/").await.unwrap().location(),
        Some("/login?next=%2F")
    );
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_are_told_alike() {
    let fixture = Fixture::new().await;
    fixture.staff("ann", Role::Teacher).await;
    let mut browser = Browser::new(fixture.addr);
    let mut told = Vec::new();
    for name in ["ann", "bob"] {
        let answer = browser.log_in(name, "not the password").await.unwrap();
        assert_eq!(
            (answer.status, answer.refusal().as_deref()),
            (401, Some("wrong_password"))
        );
        told.push(answer.text().replace(name, "NAME"));
    }
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn language_and_colours_are_what_was_chosen() {
    let fixture = Fixture::new().await;
    let mut browser = Browser::new(fixture.addr);
    assert!(
        browser
            .get("/login")
            .await
            .unwrap()
            .text()
            .contains("<html lang=\"en\"")
    );
    browser.lang = "zh-CN,zh;q=0.9";
    assert!(
        browser
            .get("/login")
            .await
            .unwrap()
            .text()
            .contains("<html lang=\"zh-CN\"")
    );
    // A choice goes before what the browser says.
    let fields = [("lang", "en"), ("back", "/login")];
    let chosen = browser.submit("/login", "/lang", &fields).await.unwrap();
    assert_eq!((chosen.status, chosen.location()), (303, Some("/login")));
    assert!(
        browser
            .get("/login")
            .await
            .unwrap()
            .text()
            .contains("<html lang=\"en\"")
    );
    let fields = [("theme", "dark"), ("back", "https://evil.example")];
    let chosen = browser.submit("/login", "/theme", &fields).await.unwrap();
    assert_eq!((chosen.status, chosen.location()), (303, Some("/")));
    assert!(
        browser
            .get("/login")
            .await
            .unwrap()
            .text()
            .contains("data-theme=\"dark\"")
    );
}
