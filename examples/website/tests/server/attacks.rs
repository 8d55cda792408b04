//! Names and texts that want to be markup or headers.

use axum::http::StatusCode;

use crate::support::{Fixture, is};

/// What would run in a page that forgets to escape, one way or the other.
const MARKUP: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "[x](javascript:alert(1))",
    "![x](javascript:alert(1))",
    "<javascript:alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{7*7}}{% raw %}",
    "\" autofocus onfocus=alert(1) x=\"",
    "`${alert(1)}`",
    "<!--<script>alert(1)//-->",
    "<math><mtext></p><style><img src onerror=alert(1)>",
];

/// Tags of the page that none of its templates has, or attributes that run something.
fn is_harmed(html: &str) -> Option<String> {
    let tags = html
        .split('<')
        .skip(1)
        .map(|tag| tag.split('>').next().unwrap_or(tag));
    let mut bad = tags.filter(|tag| {
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/', '\n'])
            .next()
            .unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let is_strange = [
            "script", "img", "svg", "iframe", "math", "style", "object", "!--",
        ]
        .contains(&name.as_str());
        // Outside of quotes, since a value may say anything.
        let unquoted = tag
            .split('"')
            .step_by(2)
            .collect::<String>()
            .to_ascii_lowercase();
        is_strange
            || unquoted.contains("onerror=")
            || unquoted.contains("onfocus=")
            || tag.contains("href=\"javascript")
    });
    bad.next().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markup_in_names_and_texts_is_shown_and_not_obeyed() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let (mut owner, token) = site.owner("museum").await;
    for (index, text) in MARKUP.iter().enumerate() {
        let slug = format!("p{index}");
        let page = [("slug", slug.as_str()), ("title", text), ("body", text)];
        is(
            &owner.post("/manage/pages", &token, &page).await.unwrap(),
            StatusCode::SEE_OTHER,
        );
        let notice = [("title", *text), ("body", text)];
        is(
            &owner
                .post("/manage/notices", &token, &notice)
                .await
                .unwrap(),
            StatusCode::SEE_OTHER,
        );
        let named = [("name", *text), ("text", text)];
        is(
            &owner.post("/guests", &token, &named).await.unwrap(),
            StatusCode::SEE_OTHER,
        );
        is(
            &owner.post("/questions", &token, &named).await.unwrap(),
            StatusCode::SEE_OTHER,
        );
        is(
            &owner
                .upload("/manage/files", &token, text, b"x")
                .await
                .unwrap(),
            StatusCode::SEE_OTHER,
        );
        let id = (index + 1).to_string();
        // Once while it waits for the owner, and once as others see it.
        let manage = owner.get("/manage").await.unwrap().text();
        assert_eq!(is_harmed(&manage), None, "{text}");
        is(
            &owner
                .post("/manage/entries/show", &token, &[("id", &id)])
                .await
                .unwrap(),
            StatusCode::SEE_OTHER,
        );
        let answer = [("id", id.as_str()), ("answer", text)];
        is(
            &owner
                .post("/manage/questions/answer", &token, &answer)
                .await
                .unwrap(),
            StatusCode::SEE_OTHER,
        );
        for path in [
            "/",
            &format!("/p/{slug}"),
            "/notices",
            "/guests",
            "/questions",
            "/files",
            "/manage",
            &format!("/manage/page?slug={slug}"),
        ] {
            let page = owner.get(path).await.unwrap();
            is(&page, StatusCode::OK);
            let html = page.text();
            assert_eq!(is_harmed(&html), None, "{text} at {path}");
            assert!(
                page.header("content-security-policy")
                    .contains("script-src 'none'")
            );
        }
    }
    let html = owner.get("/guests").await.unwrap().text();
    assert!(
        html.contains("&#60;script&#62;alert(1)"),
        "it is shown as it was written"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_files_add_no_header() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let (mut owner, token) = site.owner("museum").await;
    let upload = |name: &'static str| (name, name.as_bytes());
    let names = [
        "a.txt",
        "a\r\nSet-Cookie: evil=1",
        "a\nX-Evil: 1",
        "a\r\n\r\n<script>alert(1)</script>",
        "a\"; filename=\"b",
        "a%0d%0aX-Evil: 1",
        "a\u{85}X-Evil: 1",
        "a\u{2028}X-Evil: 1",
        "é\r\nX-Evil: 1",
        "a;b=c",
        "../../etc/passwd",
        "..\\..\\boot.ini",
    ];
    let mut count = None;
    for (index, name) in names.into_iter().enumerate() {
        let (name, bytes) = upload(name);
        is(
            &owner
                .upload("/manage/files", &token, name, bytes)
                .await
                .unwrap(),
            StatusCode::SEE_OTHER,
        );
        let page = owner.get(&format!("/files/{}", index + 1)).await.unwrap();
        is(&page, StatusCode::OK);
        let names = page
            .headers
            .keys()
            .map(|key| key.as_str().to_owned())
            .collect::<Vec<_>>();
        assert_eq!(count.get_or_insert(names.clone()), &names, "{name:?}");
        assert!(
            !page.headers.contains_key("x-evil") && page.headers.get("set-cookie").is_none(),
            "{name:?}"
        );
        let disposition = page.header("content-disposition");
        assert!(
            disposition.starts_with("attachment; filename=\""),
            "{disposition}"
        );
        assert_eq!(disposition.matches('"').count(), 2, "{disposition}");
        assert!(
            !disposition.contains(['/', '\\', '\r', '\n']),
            "{disposition}"
        );
    }
}
