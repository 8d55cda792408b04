//! Which site a request is for: by its host, or by its path.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::HOST;
use packetboat_dispatch::proxies::Forwarded;

use crate::app::App;
use crate::directory::Site;
use crate::refusals::Refusal;

/// A site, and what is asked of it.
pub(super) struct Place {
    pub(super) site: Arc<Site>,
    /// What stands before each address of the site: nothing, or `/t/NAME`.
    pub(super) base: String,
    /// The address within the site; `None` where only its slash is missing.
    pub(super) path: Option<String>,
}

/// The host that the client asked for, with its port: as a trusted proxy tells it, or as the request does.
pub(super) fn host(forwarded: &Forwarded, request: &Request) -> String {
    let header = || {
        request
            .headers()
            .get(HOST)
            .and_then(|value| value.to_str().ok())
    };
    let authority = || {
        request
            .uri()
            .authority()
            .map(|authority| authority.as_str())
    };
    let host = forwarded.host().or_else(authority).or_else(header);
    host.unwrap_or_default().to_ascii_lowercase()
}

/// The site of a request. A host that is a site's has that site alone; everywhere else the path says which.
pub(super) async fn find(app: &App, host: &str, path: &str) -> Result<Option<Place>, Refusal> {
    let name = without_port(host);
    let below = name
        .strip_suffix(&*app.domain)
        .and_then(|name| name.strip_suffix('.'));
    let by_host = match below {
        Some(label) if label.contains('.') => None,
        Some(label) => app.directory.by_name(label).await?,
        None if name.parse::<IpAddr>().is_ok() || name == &*app.domain => None,
        None => app.directory.by_host(name).await?,
    };
    if let Some(site) = by_host {
        return Ok(Some(Place {
            site,
            base: String::new(),
            path: Some(path.to_owned()),
        }));
    }
    if below.is_some() {
        return Ok(None);
    }
    let Some(rest) = path.strip_prefix("/t/") else {
        return Ok(None);
    };
    let (name, path) = match rest.split_once('/') {
        Some((name, path)) => (name, Some(format!("/{path}"))),
        None => (rest, None),
    };
    let site = app.directory.by_name(name).await?;
    Ok(site.map(|site| Place {
        base: format!("/t/{}", site.name),
        site,
        path,
    }))
}

/// The host alone: `[::1]:80` is `::1`.
fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_part_of_a_host() {
        for (host, name) in [
            ("a.b:80", "a.b"),
            ("a.b", "a.b"),
            ("[::1]:80", "::1"),
            ("", ""),
            (":80", ""),
        ] {
            assert_eq!(without_port(host), name);
        }
    }
}
