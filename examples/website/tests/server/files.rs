//! Downloads: whole, in part, on condition; and what an upload may be.

use axum::http::{Method, StatusCode};

use crate::support::{Fixture, is};

fn some_bytes(len: u32) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_sent_whole_in_part_and_on_condition() {
    let site = Fixture::new().await;
    site.company("museum").await;
    let bytes = some_bytes(100_000);
    let (mut owner, token) = site.owner("museum").await;
    let sent = owner
        .upload("/manage/files", &token, "报告 1.pdf", &bytes)
        .await
        .unwrap();
    is(&sent, StatusCode::SEE_OTHER);
    let mut visitor = site.browser("museum");
    assert!(
        visitor
            .get("/files")
            .await
            .unwrap()
            .text()
            .contains("报告 1.pdf")
    );
    let whole = visitor.get("/files/1").await.unwrap();
    is(&whole, StatusCode::OK);
    assert_eq!(whole.body, bytes);
    assert_eq!(whole.header("content-type"), "application/pdf");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    assert!(whole.header("content-security-policy").contains("sandbox"));
    assert_eq!(
        whole.header("content-disposition"),
        "attachment; filename=\"__ 1.pdf\"; filename*=UTF-8''%E6%8A%A5%E5%91%8A%201.pdf"
    );
    let head = visitor
        .send(Method::HEAD, "/files/1", &[], "".into())
        .await
        .unwrap();
    assert_eq!(
        (head.body.len(), head.header("content-length")),
        (0, "100000")
    );
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=500-1499", 500, 1_500),
        ("bytes=99990-", 99_990, 100_000),
        ("bytes=-5", 99_995, 100_000),
    ] {
        let part = visitor
            .send(Method::GET, "/files/1", &[("range", range)], "".into())
            .await
            .unwrap();
        is(&part, StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.body, bytes[from..to], "{range}");
    }
    let beyond = [("range", "bytes=100000-")];
    let beyond = visitor
        .send(Method::GET, "/files/1", &beyond, "".into())
        .await
        .unwrap();
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    for (asked, told) in [
        ("if-none-match", "etag"),
        ("if-modified-since", "last-modified"),
    ] {
        let told = whole.header(told);
        assert!(!told.is_empty(), "{asked}");
        let same = visitor
            .send(Method::GET, "/files/1", &[(asked, told)], "".into())
            .await
            .unwrap();
        assert_eq!(
            (same.status, same.body.len()),
            (StatusCode::NOT_MODIFIED, 0),
            "{asked}"
        );
    }
    for nothing in ["/files/2", "/files/0", "/files/-1"] {
        is(&visitor.get(nothing).await.unwrap(), StatusCode::NOT_FOUND);
    }
    is(
        &owner
            .post("/manage/files/delete", &token, &[("id", "1")])
            .await
            .unwrap(),
        StatusCode::SEE_OTHER,
    );
    is(
        &visitor.get("/files/1").await.unwrap(),
        StatusCode::NOT_FOUND,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_too_large_or_broken_off_leaves_nothing() {
    let site = Fixture::with(|config| config.max_file = Some(10_000)).await;
    let company = site.company("museum").await;
    let (mut owner, token) = site.owner("museum").await;
    let large = owner
        .upload("/manage/files", &token, "a", &some_bytes(10_001))
        .await
        .unwrap();
    is(&large, StatusCode::PAYLOAD_TOO_LARGE);
    let (mut owner, token) = site.owner("museum").await;
    let body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc"
    );
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    let cut = owner
        .send(Method::POST, "/manage/files", &headers, body.into())
        .await
        .unwrap();
    is(&cut, StatusCode::FORBIDDEN);
    let sent = owner
        .upload("/manage/files", &token, "a", &some_bytes(10_000))
        .await
        .unwrap();
    is(&sent, StatusCode::SEE_OTHER);
    let folder = site.folder.path().join("files").join(company.key.as_str());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}
