//! Files of a folder by HTTP: ranges, conditions, HEAD.

use axum::Router;
use axum::middleware::from_fn;
use packetboat_dispatch::web;
use tower_http::services::{ServeDir, ServeFile};

use crate::world::Plan;

/// 26 letters, of a time that is known.
const FILE: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const MODIFIED: &str = "Tue, 01 Jul 2025 12:00:00 GMT";
const BEFORE: &str = "Mon, 30 Jun 2025 12:00:00 GMT";
const AFTER: &str = "Wed, 02 Jul 2025 12:00:00 GMT";

/// What is asked, and what is answered: the status, `Content-Range` and the body.
type Case<'a> = (&'a str, &'a str, u16, Option<&'a str>, &'a [u8]);

#[tokio::test]
async fn a_file_is_sent_whole_or_in_part_as_rfc_9110_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film");
    std::fs::write(&path, FILE).expect("a file");
    let modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_751_371_200);
    let file = std::fs::File::options()
        .write(true)
        .open(&path)
        .expect("a file");
    file.set_modified(modified).expect("its time");
    let router = Router::new()
        .route_service("/film", ServeFile::new(&path))
        .nest_service("/files", ServeDir::new(folder.path()))
        .layer(from_fn(web::ranges));
    let server = Plan {
        router: Some(router),
        ..Plan::default()
    };
    let server = server.serve().await;
    let since = |time: &str| format!("If-Modified-Since: {time}");
    let unless = |time: &str| format!("If-Unmodified-Since: {time}");
    let same = |time: &str| format!("Range: bytes=0-1\r\nIf-Range: {time}");
    let none = Some("bytes */26");
    let answer = server
        .raw("HEAD /film HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    let tag = answer
        .split_once("etag: ")
        .and_then(|(_, rest)| rest.split_once("\r\n"));
    let (tag, _) = tag.expect("a tag");
    let cases: &[Case<'_>] = &[
        ("GET /film", "A: b", 200, None, FILE),
        ("GET /files/film", "A: b", 200, None, FILE),
        // The beginning, the middle, the end.
        (
            "GET /film",
            "Range: bytes=0-0",
            206,
            Some("bytes 0-0/26"),
            b"a",
        ),
        (
            "GET /film",
            "Range: bytes=0-4",
            206,
            Some("bytes 0-4/26"),
            b"abcde",
        ),
        (
            "GET /film",
            "Range: bytes=5-7",
            206,
            Some("bytes 5-7/26"),
            b"fgh",
        ),
        (
            "GET /film",
            "Range: bytes=20-",
            206,
            Some("bytes 20-25/26"),
            b"uvwxyz",
        ),
        (
            "GET /film",
            "Range: bytes=0-",
            206,
            Some("bytes 0-25/26"),
            FILE,
        ),
        (
            "GET /film",
            "Range: bytes=25-25",
            206,
            Some("bytes 25-25/26"),
            b"z",
        ),
        // Beyond the end.
        (
            "GET /film",
            "Range: bytes=24-99",
            206,
            Some("bytes 24-25/26"),
            b"yz",
        ),
        ("GET /film", "Range: bytes=26-", 416, none, b""),
        ("GET /film", "Range: bytes=99-100", 416, none, b""),
        // So many at the end.
        (
            "GET /film",
            "Range: bytes=-1",
            206,
            Some("bytes 25-25/26"),
            b"z",
        ),
        (
            "GET /film",
            "Range: bytes=-3",
            206,
            Some("bytes 23-25/26"),
            b"xyz",
        ),
        (
            "GET /film",
            "Range: bytes=-26",
            206,
            Some("bytes 0-25/26"),
            FILE,
        ),
        ("GET /film", "Range: bytes=-99", 200, None, FILE),
        ("GET /film", "Range: bytes=-0", 416, none, b""),
        // What is no range.
        ("GET /film", "Range: bytes=5-4", 416, none, b""),
        ("GET /film", "Range: bytes=a-b", 416, none, b""),
        ("GET /film", "Range: bytes=", 416, none, b""),
        ("GET /film", "Range: bytes=-", 416, none, b""),
        (
            "GET /film",
            "Range: bytes=99999999999999999999-",
            416,
            none,
            b"",
        ),
        // Several at once.
        ("GET /files/film", "Range: bytes=0-1,4-5", 200, None, FILE),
        (
            "GET /files/film",
            "Range: bytes=0-1",
            206,
            Some("bytes 0-1/26"),
            b"ab",
        ),
        // Conditions.
        ("GET /film", &since(MODIFIED), 304, None, b""),
        ("GET /film", &since(AFTER), 304, None, b""),
        ("GET /film", &since(BEFORE), 200, None, FILE),
        ("GET /film", &since("nonsense"), 200, None, FILE),
        ("GET /film", &unless(BEFORE), 412, None, b""),
        ("GET /film", &unless(MODIFIED), 200, None, FILE),
        // A part of what it was, or the whole of what it is.
        ("GET /film", &same(BEFORE), 200, None, FILE),
        (
            "GET /film",
            &same(MODIFIED),
            206,
            Some("bytes 0-1/26"),
            b"ab",
        ),
        ("GET /film", &same("\"other\""), 200, None, FILE),
        ("GET /film", &same(&format!("W/{tag}")), 200, None, FILE),
        ("GET /film", &same(tag), 206, Some("bytes 0-1/26"), b"ab"),
        (
            "GET /film",
            &format!("If-None-Match: {tag}"),
            304,
            None,
            b"",
        ),
        ("GET /film", "If-None-Match: \"other\"", 200, None, FILE),
        ("GET /film", "If-Match: \"other\"", 412, None, b""),
        // The head alone, with the length that the whole has.
        ("HEAD /film", "A: b", 200, None, b""),
        ("HEAD /film", &since(MODIFIED), 304, None, b""),
        // Nothing else.
        ("POST /film", "A: b", 405, None, b""),
        ("GET /files/none", "A: b", 404, None, b""),
        ("GET /files/../film", "A: b", 404, None, b""),
        ("GET /files/%2e%2e%2fetc%2fpasswd", "A: b", 404, None, b""),
        ("GET /files//etc/passwd", "A: b", 404, None, b""),
    ];
    let mut wrong = Vec::new();
    for (target, header, status, range, body) in cases {
        let request =
            format!("{target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}\r\n\r\n");
        let answer = server.raw(&request).await;
        let (head, content) = answer.split_once("\r\n\r\n").expect("a head");
        let head = head.to_ascii_lowercase();
        let value = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines
                .into_iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let found = head
            .get(9..12)
            .and_then(|status| status.parse::<u16>().ok());
        let is_right = found == Some(*status)
            && value("content-range") == *range
            && content.as_bytes() == *body
            && (*status != 206 || value("content-length") == Some(&*body.len().to_string()))
            && (*status != 200 || value("content-length") == Some("26"))
            && (*status != 200 || value("accept-ranges") == Some("bytes"));
        if !is_right {
            wrong.push(format!("{target} {header}\n{answer}\n"));
        }
    }
    assert!(cases.len() >= 25);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
