//! Of random requests, none sees or changes anything of another company.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use axum::http::{Method, Request, StatusCode};
use packetboat_orm::{ModelExt, Scoped};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tower::ServiceExt;
use website::models::{Entry, Notice, Page, StoredFile};

use crate::support::{Fixture, is, is_long};

const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// Pairs of the long run.
const PAIRS: usize = 10_000;

/// How long the short run goes on.
const TIME: Duration = Duration::from_secs(3);

/// One request: where, by host or by path, with whose cookies, for which thing.
#[derive(Clone, Debug)]
struct Attempt {
    at: usize,
    by_path: bool,
    session_of: Option<usize>,
    what: usize,
    id: i64,
    /// Also says another company in every way that there is.
    forged: bool,
}

fn attempts() -> impl Strategy<Value = Attempt> {
    let all = (
        0..4_usize,
        any::<bool>(),
        proptest::option::of(0..4_usize),
        0..10_usize,
        0..6_i64,
        any::<bool>(),
    );
    all.prop_map(|(at, by_path, session_of, what, id, forged)| Attempt {
        at,
        by_path,
        session_of,
        what,
        id,
        forged,
    })
}

/// What a company's owner has in the browser.
struct Keys {
    cookies: String,
    token: String,
    /// The page's last change, as the form has it.
    seen: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_requests_leak_nothing_between_companies() {
    let site = Fixture::with(|config| config.gate.waiting = 1_000).await;
    let mut keys = Vec::new();
    for name in NAMES {
        site.company(name).await;
        let (mut owner, token) = site.owner(name).await;
        let secret = format!("secret-of-{name}");
        let page = [
            ("slug", "plans"),
            ("title", secret.as_str()),
            ("body", secret.as_str()),
        ];
        is(
            &owner.post("/manage/pages", &token, &page).await.unwrap(),
            StatusCode::SEE_OTHER,
        );
        let notice = [("title", secret.as_str()), ("body", secret.as_str())];
        for _ in 0..3 {
            is(
                &owner
                    .post("/manage/notices", &token, &notice)
                    .await
                    .unwrap(),
                StatusCode::SEE_OTHER,
            );
            let entry = [("name", secret.as_str()), ("text", secret.as_str())];
            is(
                &owner.post("/guests", &token, &entry).await.unwrap(),
                StatusCode::SEE_OTHER,
            );
            is(
                &owner
                    .upload("/manage/files", &token, &secret, secret.as_bytes())
                    .await
                    .unwrap(),
                StatusCode::SEE_OTHER,
            );
        }
        let edit = owner.get("/manage/page?slug=plans").await.unwrap();
        let seen = edit.field("seen");
        let cookies =
            ["owner", "visitor"].map(|key| format!("{key}={}", owner.cookie(key).unwrap()));
        keys.push(Keys {
            cookies: cookies.join("; "),
            token,
            seen,
        });
    }
    let router = website::web::router(site.server.app());
    let (keys, seen) = (Arc::new(keys), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let workers = (0..4_u8).map(|_| {
        let (router, keys, seen) = (router.clone(), Arc::clone(&keys), Arc::clone(&seen));
        tokio::spawn(async move {
            let mut runner = TestRunner::default();
            while seen.fetch_add(1, Ordering::Relaxed) < PAIRS
                && (is_long() || begun.elapsed() < TIME)
            {
                let attempt = attempts().new_tree(&mut runner).unwrap().current();
                check(&router, &keys, &attempt).await;
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let seen = seen.load(Ordering::Relaxed);
    println!("{seen} requests in {:?}", begun.elapsed());
    assert!(seen >= 200, "only {seen}");
    // Whoever was not let in has changed nothing: what is missing, its own owner has deleted. He cannot have deleted it
    // where the numbers did not reach.
    for name in NAMES {
        let company = site
            .server
            .app()
            .directory
            .by_name(name)
            .await
            .unwrap()
            .unwrap();
        let db = site
            .server
            .app()
            .tenants
            .get(&company.key)
            .await
            .unwrap()
            .new_scope();
        db.read_what_is_written();
        let secret = format!("secret-of-{name}");
        let own = |text: &str| text == secret || text == "changed-by-its-owner";
        assert!(
            Page::select()
                .all(&db)
                .await
                .unwrap()
                .iter()
                .all(|row| own(&row.body))
        );
        assert!(
            Notice::select()
                .all(&db)
                .await
                .unwrap()
                .iter()
                .all(|row| own(&row.body))
        );
        assert!(
            Entry::select()
                .all(&db)
                .await
                .unwrap()
                .iter()
                .all(|row| own(&row.text))
        );
        assert!(
            StoredFile::select()
                .all(&db)
                .await
                .unwrap()
                .iter()
                .all(|row| own(&row.name))
        );
    }
}

async fn check(router: &axum::Router, keys: &[Keys], attempt: &Attempt) {
    let Attempt { at, id, what, .. } = *attempt;
    let name = NAMES[at];
    let other = NAMES[(at + 1) % NAMES.len()];
    let id = id.to_string();
    let (method, path, fields) = match what {
        0 => (Method::GET, "/notices".to_owned(), String::new()),
        1 => (Method::GET, "/p/plans".to_owned(), String::new()),
        2 => (Method::GET, format!("/files/{id}"), String::new()),
        3 => (Method::GET, "/files".to_owned(), String::new()),
        4 => (Method::GET, "/manage".to_owned(), String::new()),
        5 => (
            Method::GET,
            "/manage/page?slug=plans".to_owned(),
            String::new(),
        ),
        6 => (
            Method::POST,
            "/manage/pages".to_owned(),
            format!(
                "was=plans&seen={}&slug=plans&title=x&body=changed-by-its-owner",
                keys[at].seen
            ),
        ),
        7 => (
            Method::POST,
            "/manage/notices/delete".to_owned(),
            format!("id={id}"),
        ),
        8 => (
            Method::POST,
            "/manage/entries/show".to_owned(),
            format!("id={id}"),
        ),
        _ => (Method::GET, "/guests".to_owned(), String::new()),
    };
    let (host, base) = match attempt.by_path {
        true => ("127.0.0.1".to_owned(), format!("/t/{name}")),
        false => (format!("{name}.sites.test"), String::new()),
    };
    let mut request = Request::builder()
        .method(&method)
        .uri(format!("{base}{path}"))
        .header(HOST, &host)
        .header(ORIGIN, format!("http://{host}"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if attempt.forged {
        request = request
            .header("x-forwarded-host", format!("{other}.sites.test"))
            .header("forwarded", format!("host={other}.sites.test"))
            .header("x-tenant", other);
    }
    let shown = attempt.session_of.map(|of| &keys[of]);
    let mut body = fields;
    if let Some(keys) = shown {
        request = request.header(COOKIE, &keys.cookies);
        body = format!("{body}&token={}&tenant={other}", keys.token);
    }
    let response = router
        .clone()
        .oneshot(request.body(Body::from(body)).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for stranger in NAMES.iter().filter(|other| **other != name) {
        assert!(
            !text.contains(&format!("secret-of-{stranger}")),
            "{attempt:?} saw {stranger}: {text}"
        );
    }
    let is_own = attempt.session_of == Some(at);
    if path.starts_with("/manage") && !is_own {
        assert!(
            matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN),
            "{attempt:?}: {status}"
        );
    }
    if matches!(what, 4..=6) && is_own {
        // His second change is refused, since the first has made the page another.
        let is_late = what == 6 && status == StatusCode::CONFLICT;
        assert!(
            is_late || matches!(status, StatusCode::OK | StatusCode::SEE_OTHER),
            "{attempt:?}: {status} {text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companys_host_has_that_company_alone() {
    let site = Fixture::new().await;
    site.company("alpha").await;
    site.company("beta").await;
    let mut at_alpha = site.browser("alpha");
    is(
        &at_alpha.get("/t/beta/").await.unwrap(),
        StatusCode::NOT_FOUND,
    );
    for host in [
        "beta.alpha.sites.test",
        "nobody.sites.test",
        "sites.test",
        "alpha.sites.test.evil.test",
        "..sites.test",
    ] {
        let page = website::browser::Browser::new(site.addr(), host)
            .get("/")
            .await
            .unwrap();
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{host}");
    }
    let mut by_path = website::browser::Browser::new(site.addr(), "sites.test");
    for path in [
        "/t/",
        "/t/../",
        "/t/alpha%2f..%2fbeta/",
        "/t/ALPHA/",
        "/t/alpha-1/",
        "/t//",
        "/t/%00/",
    ] {
        let page = by_path.get(path).await.unwrap();
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
    }
    let page = by_path.get("/t/alpha").await.unwrap();
    assert_eq!(
        (page.status, page.header("location")),
        (StatusCode::PERMANENT_REDIRECT, "/t/alpha/")
    );
    // A session of the one, by path, where both have the same host.
    let login = by_path
        .log_in("/t/alpha", "owner", crate::support::PASSWORD)
        .await
        .unwrap();
    is(&login, StatusCode::SEE_OTHER);
    assert!(login.header("set-cookie").contains("; Path=/t/alpha/;"));
    is(
        &by_path.get("/t/alpha/manage").await.unwrap(),
        StatusCode::OK,
    );
    is(
        &by_path.get("/t/beta/manage").await.unwrap(),
        StatusCode::UNAUTHORIZED,
    );
}
