//! Cookies: read out of a request, and written into an answer.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// The value of a cookie, the first of its name.
pub(super) fn get<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).into_iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    let pairs = texts.flat_map(|line| line.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Where cookies belong to, and whether they travel encrypted alone.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// `/`, or `/t/NAME/`.
    pub(super) path: String,
    pub(super) is_secure: bool,
}

impl Scope {
    /// The header that sets a cookie, for so many seconds or, with `None`, until the browser is closed. A script never
    /// sees it, and other sites' forms do not send it.
    pub(super) fn set(&self, name: &str, value: &str, seconds: Option<u64>) -> HeaderValue {
        let Self { path, is_secure } = self;
        let secure = if *is_secure { "; Secure" } else { "" };
        let age = seconds.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
        let text = format!("{name}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}{age}");
        HeaderValue::try_from(text)
            .expect("names, values and paths here are of letters, digits and hyphens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; owner=x; b"));
        headers.append(COOKIE, HeaderValue::from_static("c=3"));
        let found = ["a", "owner", "b", "c", "wner"].map(|name| get(&headers, name));
        assert_eq!(found, [Some("1"), Some("x"), None, Some("3"), None]);
    }

    #[test]
    fn a_cookie_is_hidden_from_scripts_and_other_sites() {
        let scope = Scope {
            path: "/t/a/".to_owned(),
            is_secure: true,
        };
        let set = scope.set("owner", "x", Some(0));
        assert_eq!(
            set,
            "owner=x; Path=/t/a/; HttpOnly; SameSite=Lax; Secure; Max-Age=0"
        );
    }
}
