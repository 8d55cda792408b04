//! Who the client is: what a trusted proxy says of it, and what everybody else says in vain.

use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use packetboat_orm::{ModelExt, Scoped};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use website::models::{Login, login};
use website::rates::RateLimits;

use crate::support::{Fixture, MANY, PASSWORD, is};

/// What is logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_env_filter("website=debug,packetboat_dispatch=debug")
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .init();
        log
    })
}

/// The lines about visits of this site.
fn visits(name: &str) -> Vec<String> {
    let all = log().0.lock().unwrap();
    let lines = String::from_utf8_lossy(&all);
    let own = lines
        .lines()
        .filter(|line| line.contains("visited") && line.contains(&format!("site=\"{name}\"")));
    own.map(str::to_owned).collect()
}

/// The addresses of a site's logins, the oldest first.
async fn logins(site: &Fixture, name: &str) -> Vec<String> {
    let app = site.server.app();
    let company = app.directory.by_name(name).await.unwrap().unwrap();
    let db = app.tenants.get(&company.key).await.unwrap().new_scope();
    db.read_what_is_written();
    let rows = Login::select()
        .order_by(login::id.asc())
        .all(&db)
        .await
        .unwrap();
    rows.into_iter().map(|row| row.address).collect()
}

/// What somebody may say who wants to be somebody else.
const SPOOFS: [&[(&str, &str)]; 12] = [
    &[("x-forwarded-for", "6.6.6.6")],
    &[("x-forwarded-for", "6.6.6.6, 10.0.0.1")],
    &[
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "10.0.0.1"),
    ],
    &[("x-forwarded-for", "10.0.0.1")],
    &[("x-forwarded-for", "127.0.0.1, 6.6.6.6, ::1")],
    &[("forwarded", "for=6.6.6.6;proto=https;host=other.sites.test")],
    &[("forwarded", "for=\"[2001:db8::6]:6\", for=10.0.0.1")],
    &[("x-real-ip", "6.6.6.6"), ("x-client-ip", "6.6.6.6")],
    &[
        ("true-client-ip", "6.6.6.6"),
        ("cf-connecting-ip", "6.6.6.6"),
        ("x-cluster-client-ip", "6.6.6.6"),
    ],
    &[
        ("x-forwarded-host", "other.sites.test"),
        ("x-forwarded-server", "other.sites.test"),
        ("x-host", "other.sites.test"),
    ],
    &[
        ("x-forwarded-proto", "https"),
        ("x-forwarded-scheme", "https"),
        ("front-end-https", "on"),
    ],
    &[
        ("via", "1.1 6.6.6.6"),
        ("x-original-forwarded-for", "6.6.6.6"),
        ("client-ip", "6.6.6.6"),
    ],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spoofs_from_an_address_that_is_not_trusted_change_nothing() {
    log();
    let burst = SPOOFS.len() as u32 * 3;
    let site = Fixture::with(|config| {
        config.trust = vec!["10.0.0.0/8".to_owned(), "6.6.6.0/24".to_owned()];
        config.rates = RateLimits {
            requests: NonZeroU32::MIN,
            burst: NonZeroU32::new(burst).unwrap(),
            writes: MANY,
        };
    })
    .await;
    site.company("spoofed").await;
    site.company("other").await;
    for spoof in SPOOFS {
        let mut browser = site.browser("spoofed");
        for (name, value) in spoof {
            browser = browser.with_header(name, value);
        }
        let page = browser.log_in("", "owner", PASSWORD).await.unwrap();
        is(&page, StatusCode::SEE_OTHER);
        for line in page.headers.get_all("set-cookie") {
            assert!(!line.to_str().unwrap().contains("Secure"), "{spoof:?}");
        }
        let page = browser.get("/manage").await.unwrap();
        is(&page, StatusCode::OK);
        assert!(page.text().contains("The spoofed"), "{spoof:?}");
    }
    // The row of the session's login, and each line of the log, have the connection's own address.
    let rows = logins(&site, "spoofed").await;
    assert_eq!(rows.len(), SPOOFS.len());
    assert!(
        rows.iter().all(|address| address == "127.0.0.1"),
        "{rows:?}"
    );
    let lines = visits("spoofed");
    assert_eq!(lines.len(), burst as usize);
    assert!(
        lines
            .iter()
            .all(|line| line.contains("client=127.0.0.1 hops=0")),
        "{lines:?}"
    );
    // They all count for one address: its burst is used up, whatever the next one says.
    for spoof in SPOOFS {
        let mut browser = site.browser("spoofed");
        for (name, value) in spoof {
            browser = browser.with_header(name, value);
        }
        let page = browser.get("/").await.unwrap();
        // A second has perhaps passed, and one more is let in.
        assert!(matches!(
            page.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::OK
        ));
    }
    let throttled = site
        .server
        .app()
        .gate
        .status()
        .into_iter()
        .find(|lane| lane.site == "spoofed");
    assert!(throttled.unwrap().throttled >= 6);
    // And who begins with a header of the PROXY protocol speaks no dialect.
    for header in [
        &b"PROXY TCP4 6.6.6.6 10.0.0.1 1 80\r\n"[..],
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x06\x06\x06\x06\x0a\0\0\x01\0\x01\0\x50",
    ] {
        let answer = raw(
            site.addr(),
            &[
                header,
                b"GET / HTTP/1.1\r\nHost: spoofed.sites.test\r\nConnection: close\r\n\r\n",
            ]
            .concat(),
        )
        .await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    assert!(
        visits("spoofed")
            .iter()
            .all(|line| line.contains("client=127.0.0.1"))
    );
}

/// What comes back for these bytes until the server closes.
async fn raw(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer));
    // A reset is an answer too.
    let _reset = reading.await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_says_who_the_client_is() {
    log();
    let site = Fixture::with(|config| {
        config.trust = vec!["127.0.0.0/8".to_owned()];
        config.rates.requests = NonZeroU32::MIN;
        config.rates.burst = NonZeroU32::new(3).unwrap();
    })
    .await;
    site.company("behind").await;
    let mut browser = site
        .browser("inner-name-of-the-proxy")
        .with_header("x-forwarded-for", "6.6.6.6, 192.0.2.7")
        .with_header("x-forwarded-proto", "https")
        .with_header("x-forwarded-host", "behind.sites.test");
    // The browser's own origin is that of the host that the proxy names.
    let token = browser.get("/login").await.unwrap().token();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "https://behind.sites.test"),
    ];
    let body = format!(
        "name=owner&password={}&token={token}",
        PASSWORD.replace(' ', "+")
    );
    let page = browser
        .send(Method::POST, "/login", &headers, body.into())
        .await
        .unwrap();
    is(&page, StatusCode::SEE_OTHER);
    for line in page.headers.get_all("set-cookie") {
        assert!(line.to_str().unwrap().contains("; Secure"), "{line:?}");
    }
    assert_eq!(logins(&site, "behind").await, ["192.0.2.7"]);
    assert!(
        visits("behind")
            .iter()
            .all(|line| line.contains("client=192.0.2.7 hops=1"))
    );
    // One client of the proxy is throttled, and the next is not.
    let mut status = StatusCode::OK;
    for _ in 0..8 {
        status = browser.get("/").await.unwrap().status;
    }
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let mut next = site
        .browser("behind")
        .with_header("x-forwarded-for", "192.0.2.8");
    is(&next.get("/").await.unwrap(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_protocol_says_it_too_and_then_headers_are_the_clients() {
    log();
    let site = Fixture::with(|config| {
        config.trust = vec!["127.0.0.1".to_owned()];
        config.proxy_protocol = true;
    })
    .await;
    site.company("proxied").await;
    let request = b"GET / HTTP/1.1\r\nHost: proxied.sites.test\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n";
    let one = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";
    let two = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x02\xc6\x33\x64\x07\xdc\x04\x01\xbb";
    for header in [&one[..], &two[..]] {
        let answer = raw(site.addr(), &[header, request].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    let lines = visits("proxied");
    assert!(lines[0].contains("client=192.0.2.1 hops=0"), "{lines:?}");
    assert!(lines[1].contains("client=192.0.2.2 hops=0"), "{lines:?}");
    // A proxy that is to begin with a header and does not is refused.
    let answer = raw(site.addr(), request).await;
    assert_eq!(answer, "");
}
