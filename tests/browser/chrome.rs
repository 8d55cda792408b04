//! Chromium without a window, by chromedriver on a free port.

use std::env;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::common::capabilities::chromium::ChromiumLikeCapabilities;
use thirtyfour::prelude::*;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Longer than anything on a page takes, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A driver. Dropping it kills it, and every browser that it has started.
#[derive(Debug)]
pub(crate) struct Driver {
    process: Child,
    group: u32,
    url: String,
    folder: TempDir,
}

impl Driver {
    /// Starts one; `None` when there is none on this machine, which is said.
    ///
    /// # Panics
    ///
    /// When there must be one, and is not.
    pub(crate) async fn start() -> Option<Self> {
        let folder = TempDir::with_prefix("browser-").unwrap();
        let spawned = Command::new("chromedriver")
            .arg("--port=0")
            // What it keeps while it runs goes with the folder.
            .env("TMPDIR", folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut process = match spawned {
            Ok(process) => process,
            Err(error) if env::var("PACKETBOAT_TESTS").as_deref() != Ok("required") => {
                println!("left out: chromedriver cannot be started: {error}");
                return None;
            }
            Err(error) => panic!("chromedriver cannot be started: {error}"),
        };
        let group = process.id().expect("it has just been started");
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    return port.trim_end_matches('.').parse::<u16>().ok();
                }
            }
            None
        };
        let port = timeout(PATIENCE, port)
            .await
            .ok()
            .flatten()
            .expect("chromedriver says its port");
        let url = format!("http://127.0.0.1:{port}");
        Some(Self {
            process,
            group,
            url,
            folder,
        })
    }

    /// A browser of its own: its cookies are nobody else's.
    pub(crate) async fn window(&self, name: &str) -> Window {
        let mut capabilities = DesiredCapabilities::chrome();
        let profile = self.folder.path().join(name);
        for argument in [
            "--headless".to_owned(),
            // Root, as which containers run their tests, has no sandbox to offer.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--lang=en-GB".to_owned(),
            format!("--user-data-dir={}", profile.display()),
        ] {
            capabilities.add_arg(&argument).unwrap();
        }
        let driver = WebDriver::new(&self.url, capabilities).await.unwrap();
        let window = Window { driver };
        window.size(1280, 900, 1).await;
        window
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.start_kill();
        // The group is the driver's own, and has what it started.
        let group = format!("-{}", self.group);
        let _ = std::process::Command::new("kill")
            .args(["-KILL", "--", &group])
            .status();
    }
}

/// A window of a browser.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) driver: WebDriver,
}

impl Window {
    /// Opens a page.
    pub(crate) async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Makes the page so large, in its own pixels.
    pub(crate) async fn size(&self, width: u32, height: u32, scale: u32) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": false,
        });
        self.command("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// Says that the device is in the dark, or not.
    pub(crate) async fn dark(&self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.command("Emulation.setEmulatedMedia", features).await;
    }

    async fn command(&self, name: &str, parameters: Value) {
        self.driver.cdp().send_raw(name, parameters).await.unwrap();
    }

    /// Runs a script, and gives what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let value = self
            .driver
            .execute(script, Vec::<Value>::new())
            .await
            .unwrap();
        value.json().clone()
    }

    /// Waits until a script returns something true, and gives it.
    pub(crate) async fn until(&self, script: &str) -> Value {
        let begun = Instant::now();
        loop {
            // While one page goes and another comes, there may be nothing to ask.
            let value = self.driver.execute(script, Vec::<Value>::new()).await;
            let value = value.map(|value| value.json().clone()).unwrap_or_default();
            if !matches!(value, Value::Null | Value::Bool(false)) && value != json!("") {
                return value;
            }
            if begun.elapsed() > PATIENCE {
                let page = self.driver.source().await.unwrap_or_default();
                panic!("it never held: {script}\n{page}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The text of the first element.
    pub(crate) async fn text(&self, css: &str) -> String {
        self.driver
            .find(By::Css(css))
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    /// Types into a field, after what it had is gone.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.driver.find(By::Css(css)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks the first element.
    pub(crate) async fn click(&self, css: &str) {
        self.driver
            .find(By::Css(css))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
    }

    /// Presses a key where the focus is.
    pub(crate) async fn press(&self, key: Key) {
        self.driver
            .action_chain()
            .send_keys(key)
            .perform()
            .await
            .unwrap();
    }

    /// A picture of what is seen, kept where `PACKETBOAT_SCREENSHOTS` says.
    pub(crate) async fn picture(&self, name: &str) {
        let Some(folder) = env::var_os("PACKETBOAT_SCREENSHOTS") else {
            return;
        };
        let picture = self.driver.screenshot_as_png().await.unwrap();
        std::fs::write(
            std::path::Path::new(&folder).join(format!("{name}.png")),
            picture,
        )
        .unwrap();
    }

    /// What the page has tried and its policy has refused, since it was opened.
    pub(crate) async fn violations(&self) -> Value {
        self.run(
            "return new Promise((done) => { \
               const seen = []; \
               const observer = new ReportingObserver((all) => seen.push(...all.map((one) => \
                 `${one.body.effectiveDirective} ${one.body.blockedURL}`)), \
                 { types: ['csp-violation'], buffered: true }); \
               observer.observe(); \
               setTimeout(() => done(seen), 100); });",
        )
        .await
    }

    /// Closes it.
    pub(crate) async fn close(self) {
        self.driver.quit().await.unwrap();
    }
}
