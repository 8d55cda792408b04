//! The style sheet and the icon, in the program, under a name that says what is in them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::refusals::Refusal;
use crate::secret::hex;

/// Where they are, on every host.
pub(super) const ROUTE: &str = "/static/{name}";

struct Asset {
    /// `site.HASH.css`.
    name: String,
    kind: &'static str,
    bytes: &'static [u8],
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "site",
        "css",
        "text/css; charset=utf-8",
        include_bytes!("../../static/site.css"),
    )
});
static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "icon",
        "svg",
        "image/svg+xml",
        include_bytes!("../../static/icon.svg"),
    )
});

impl Asset {
    fn new(stem: &str, ending: &str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let hash = hex(&Sha256::digest(bytes)[..8]);
        let name = format!("{stem}.{hash}.{ending}");
        Self { name, kind, bytes }
    }
}

/// The address of the style sheet.
pub(super) fn style() -> String {
    format!("/static/{}", STYLE.name)
}

/// The address of the icon.
pub(super) fn icon() -> String {
    format!("/static/{}", ICON.name)
}

/// One of them. What is under a name never changes, so a browser asks once.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Refusal> {
    let mut all = [&*STYLE, &*ICON].into_iter();
    let found = all
        .find(|asset| asset.name == name)
        .ok_or(Refusal::NotFound)?;
    let headers = [
        (CONTENT_TYPE, found.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    Ok((headers, found.bytes).into_response())
}
