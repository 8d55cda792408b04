//! The website system: an owner and a visitor of one company's site, each in a window of their own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use packetboat_tests::child::{Child, path_of};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::chrome::{Driver, Window};
use crate::look::{look, look_at};

const PASSWORD: &str = "a password of some length";
const MARKUP: &str = "<img src=x onerror=alert(1)><script>alert(2)</script>";

/// A server with the company `shop`, which has everything.
struct Site {
    addr: String,
    _server: Child,
    _folder: TempDir,
}

impl Site {
    async fn open() -> Self {
        let folder = TempDir::with_prefix("site-").unwrap();
        let data = folder.path().join("data");
        let all = "pages,notices,guest_book,files,counter,questions";
        let mut create = Command::new(path_of("website").unwrap());
        create
            .args(["tenant", "--data"])
            .arg(&data)
            .args(["create", "shop", "--plan", "enterprise", "--with", all])
            .env("WEBSITE_OWNER_PASSWORD", PASSWORD)
            .stdin(Stdio::null());
        let output = create.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let server = serve(&data, &folder.path().join("log")).await;
        Self {
            addr: server.addr().to_string(),
            _server: server,
            _folder: folder,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/t/shop{path}", self.addr)
    }

    async fn log_in(&self, owner: &Window) {
        owner.open(&self.url("/login")).await;
        owner.fill("input[name=name]", "owner").await;
        owner.fill("input[name=password]", PASSWORD).await;
        owner.click("main button").await;
        owner
            .until("return document.querySelector('footer form') !== null")
            .await;
    }
}

async fn serve(data: &Path, log: &Path) -> Child {
    let arguments = ["server", "--listen", "127.0.0.1:0", "--data"];
    let arguments = arguments.map(PathBuf::from).into_iter();
    let arguments = arguments.chain([data.to_owned()]);
    Child::spawn("website", arguments, log).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_publishes_and_a_visitor_signs_and_markup_runs_nowhere() {
    let Some(driver) = Driver::start().await else {
        return;
    };
    let site = Site::open().await;
    let (owner, visitor) = (driver.window("owner").await, driver.window("visitor").await);
    site.log_in(&owner).await;
    owner.open(&site.url("/manage")).await;
    owner.fill("input[name=title]", MARKUP).await;
    let body = format!("**Closed** on Friday. {MARKUP}");
    owner
        .fill("form[action$='/manage/notices'] textarea", &body)
        .await;
    owner.click("form[action$='/manage/notices'] button").await;
    owner
        .until("return document.querySelector(\"form[action$='/notices/delete']\") !== null")
        .await;

    visitor.open(&site.url("/notices")).await;
    assert!(visitor.text("article h2").await.contains("<script>"));
    assert_eq!(visitor.text("article strong").await, "Closed");
    visitor.open(&site.url("/guests")).await;
    visitor.fill("input[name=name]", MARKUP).await;
    visitor.fill("textarea", MARKUP).await;
    visitor.click("main button").await;
    visitor
        .until("return document.querySelector('[role=status]') !== null")
        .await;
    // Nobody sees it before the owner has let it through.
    let shown = "return document.querySelectorAll('main article').length";
    visitor.open(&site.url("/guests")).await;
    assert_eq!(visitor.run(shown).await, json!(0));
    owner.open(&site.url("/manage")).await;
    owner
        .click("form[action$='/manage/entries/show'] button")
        .await;
    owner
        .until("return document.querySelector(\"form[action$='/entries/show']\") === null")
        .await;
    visitor.open(&site.url("/guests")).await;
    assert_eq!(visitor.run(shown).await, json!(1));
    assert!(visitor.text("main article").await.contains("onerror"));

    for window in [&owner, &visitor] {
        let images = "return document.querySelectorAll('main img').length";
        assert_eq!(window.run(images).await, json!(0));
        assert_eq!(window.violations().await, json!([]));
        // A dialog would have made every command since fail.
        assert_eq!(window.run("return 1").await, json!(1));
    }
    owner.close().await;
    visitor.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn website_pages_are_readable_at_three_widths_and_in_the_dark() {
    let Some(driver) = Driver::start().await else {
        return;
    };
    let site = Site::open().await;
    let window = driver.window("owner").await;
    look_at(&window, &site.url("/login"), "site-login").await;
    look_at(&window, &site.url("/nothing-here"), "site-refused").await;
    site.log_in(&window).await;
    for (path, name) in [
        ("/", "site-home"),
        ("/notices", "site-notices"),
        ("/guests", "site-guests"),
        ("/questions", "site-questions"),
        ("/files", "site-files"),
        ("/manage", "site-manage"),
        ("/manage/page", "site-edit"),
    ] {
        look_at(&window, &site.url(path), name).await;
    }
    window.open(&site.url("/?lang=zh")).await;
    window
        .until("return document.documentElement.lang.startsWith('zh')")
        .await;
    look(&window, "site-home-chinese").await;
    window.close().await;
}
