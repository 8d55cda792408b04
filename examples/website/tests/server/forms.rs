//! Forms of other sites, and of nobody.

use axum::http::{Method, StatusCode};
use website::web;

use crate::support::{Fixture, is};

const FORM: &str = "application/x-www-form-urlencoded";
const FIELDS: &str =
    "id=1&name=a&text=b&title=c&body=d&slug=e&answer=f&component=pages&on=false&password=abcdefgh";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_another_origin_or_without_its_token_is_refused() {
    let site = Fixture::new().await;
    site.company("museum").await;
    site.company("kiosk").await;
    let (mut owner, token) = site.owner("museum").await;
    owner
        .upload("/manage/files", &token, "a.txt", b"abc")
        .await
        .unwrap();
    let page = [("slug", "e"), ("title", "t"), ("body", "b")];
    owner.post("/manage/pages", &token, &page).await.unwrap();
    let strange = site.browser("museum").get("/login").await.unwrap().token();
    let elsewhere = site.owner("kiosk").await.1;
    let host = format!("museum.sites.test:{}", site.addr().port());
    let own = format!("http://{host}");
    let forms = web::forms();
    assert!(forms.len() > 10, "{forms:?}");
    for path in &forms {
        let multipart = |token: &str| {
            format!(
                "--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b\"\r\n\r\nabc\r\n--x--\r\n"
            )
        };
        let is_upload = *path == "/manage/files";
        let body = |token: &str| match is_upload {
            true => multipart(token),
            false => format!("token={token}&{FIELDS}"),
        };
        let kind = if is_upload {
            "multipart/form-data; boundary=x"
        } else {
            FORM
        };
        // With the right token and the owner's cookies, as a page of another site would send it.
        for origin in [
            "http://evil.test",
            "null",
            "http://kiosk.sites.test",
            "http://museum.sites.test.evil.test",
        ] {
            let headers = [("content-type", kind), ("origin", origin)];
            let page = owner
                .send(Method::POST, path, &headers, body(&token).into())
                .await
                .unwrap();
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} from {origin}");
        }
        let cross = [("content-type", kind), ("sec-fetch-site", "cross-site")];
        let page = owner
            .send(Method::POST, path, &cross, body(&token).into())
            .await
            .unwrap();
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}, cross-site");
        for wrong in ["", "0", strange.as_str(), elsewhere.as_str()] {
            let headers = [("content-type", kind), ("origin", own.as_str())];
            let page = owner
                .send(Method::POST, path, &headers, body(wrong).into())
                .await
                .unwrap();
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{path} with {wrong:?}");
        }
        // What other sites' pages may send without asking, in another dress.
        for kind in [
            "text/plain",
            "application/json",
            "",
            "multipart/form-data; boundary=x",
        ] {
            if is_upload && kind.starts_with("multipart") {
                continue;
            }
            let headers = [("content-type", kind), ("origin", own.as_str())];
            let page = owner
                .send(Method::POST, path, &headers, body(&token).into())
                .await
                .unwrap();
            assert_eq!(
                page.status,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "{path} as {kind:?}"
            );
        }
    }
    // Nothing of it has happened: all is there, and the owner is logged in.
    let manage = owner.get("/manage").await.unwrap();
    is(&manage, StatusCode::OK);
    is(&owner.get("/files/1").await.unwrap(), StatusCode::OK);
    is(&owner.get("/p/e").await.unwrap(), StatusCode::OK);
    assert_eq!(
        owner.get("/files/2").await.unwrap().status,
        StatusCode::NOT_FOUND
    );
    // No other method changes anything.
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let page = owner
            .send(method, "/manage/files/delete", &[], "".into())
            .await
            .unwrap();
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    // And every form works from its own page.
    is(
        &owner
            .post("/manage/files/delete", &token, &[("id", "1")])
            .await
            .unwrap(),
        StatusCode::SEE_OTHER,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies_are_for_this_site_alone() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let mut browser = site.browser("museum");
    let first = browser.get("/login").await.unwrap();
    assert!(
        first
            .header("set-cookie")
            .ends_with("; Path=/; HttpOnly; SameSite=Lax")
    );
    let before = browser.cookie("visitor").unwrap().to_owned();
    let page = browser
        .log_in("", "owner", crate::support::PASSWORD)
        .await
        .unwrap();
    for line in page.headers.get_all("set-cookie") {
        let line = line.to_str().unwrap();
        assert!(line.contains("; HttpOnly; SameSite=Lax"), "{line}");
    }
    // A form from before the login is nobody's after it.
    assert_ne!(browser.cookie("visitor").unwrap(), before);
    let old = browser.post("/logout", &first.token(), &[]).await.unwrap();
    is(&old, StatusCode::FORBIDDEN);
}
