//! Style, script and icon: in the program, under names that change with what is in them, so that a
//! browser may keep them for good.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;

/// A file of the pages.
#[derive(Debug)]
pub(super) struct Asset {
    path: String,
    kind: &'static str,
    text: &'static str,
}

impl Asset {
    fn new(name: &str, ending: &str, kind: &'static str, text: &'static str) -> Self {
        let hash = blake3::hash(text.as_bytes()).to_hex();
        Self {
            path: format!("/static/{name}.{}.{ending}", &hash[..16]),
            kind,
            text,
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// The style.
pub(super) static CSS: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../../static/app.css");
    Asset::new("app", "css", "text/css; charset=utf-8", text)
});

/// The script.
pub(super) static JS: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../../static/app.js");
    Asset::new("app", "js", "text/javascript; charset=utf-8", text)
});

/// The icon.
pub(super) static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let text = include_str!("../../static/icon.svg");
    Asset::new("icon", "svg", "image/svg+xml", text)
});

/// The routes. They need no session and set no cookie.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let robots = get(|| async { "User-agent: *\nDisallow: /\n" });
    let all: [&LazyLock<Asset>; 3] = [&CSS, &JS, &ICON];
    let files = all.into_iter().fold(Router::new(), |router, asset| {
        router.route(asset.path(), get(|| async { file(asset) }))
    });
    files.route("/robots.txt", robots)
}

fn file(asset: &'static Asset) -> impl IntoResponse {
    let headers: [(HeaderName, &str); 3] = [
        (CONTENT_TYPE, asset.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (StatusCode::OK, headers, asset.text)
}
