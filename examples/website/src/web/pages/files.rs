//! Files: the list, the download with ranges and conditions, and the owner's upload.

use askama::Template;
use axum::extract::multipart::{Multipart, MultipartRejection};
use axum::extract::{DefaultBodyLimit, Form, Path, Request};
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
};
use axum::response::IntoResponse;
use serde::Deserialize;
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use crate::models::StoredFile;
use crate::refusals::Refusal;
use crate::site::files::{self as site, Incoming};
use crate::web::pages::{Answer, render, then};
use crate::web::visit::Frame;
use crate::web::{Visit, disposition};

#[derive(Template)]
#[template(path = "files.html")]
struct Page {
    frame: Frame,
    files: Vec<StoredFile>,
}

pub(super) async fn files(visit: Visit) -> Answer {
    render(&Page {
        files: site::newest(visit.site(), visit.db()).await?,
        frame: visit.full_frame().await?,
    })
}

/// The file, a range of it, or that it has not changed. It is saved and never opened here: what is in it is somebody
/// else's, and would have this site's cookies.
pub(super) async fn download(visit: Visit, Path(id): Path<i64>, request: Request) -> Answer {
    let file = site::find(visit.site(), visit.db(), id).await?;
    let path = visit.app().folder.path(visit.site(), &file);
    let kind = mime_guess::from_path(&file.name).first_or_octet_stream();
    let served = ServeFile::new_with_mime(path, &kind).oneshot(request).await;
    let mut response = match served {
        Ok(response) => response.into_response(),
        Err(never) => match never {},
    };
    if response.status().is_server_error() || response.status() == axum::http::StatusCode::NOT_FOUND
    {
        return Err(Refusal::NotFound);
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_DISPOSITION, disposition::attachment(&file.name));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    // Kept, and asked for again each time, since it may be deleted.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if response.status() == axum::http::StatusCode::NOT_MODIFIED {
        response.headers_mut().remove(CONTENT_TYPE);
    }
    Ok(response)
}

/// Takes a form whose first field is the token, and whose second is the file.
pub(super) async fn upload(visit: Visit, request: Request) -> Answer {
    visit.owner()?;
    let folder = &visit.app().folder;
    let mut form = multipart(request).await?;
    let token = form.next_field().await.map_err(|_| Refusal::BadForm)?;
    let token = token
        .filter(|field| field.name() == Some("token"))
        .ok_or(Refusal::BadForm)?;
    let token = token.text().await.map_err(|_| Refusal::BadForm)?;
    if !visit.is_token(&token) {
        return Err(Refusal::BadForm);
    }
    let field = form.next_field().await.map_err(|_| Refusal::BadForm)?;
    let mut field = field
        .filter(|field| field.name() == Some("file"))
        .ok_or(Refusal::BadForm)?;
    let name = field.file_name().unwrap_or_default().to_owned();
    let mut incoming = Incoming::begin(visit.site(), visit.db(), folder).await?;
    while let Some(bytes) = field.chunk().await.map_err(|_| Refusal::BadForm)? {
        incoming.take(&bytes).await?;
    }
    incoming
        .keep(visit.site(), visit.db(), folder, &name)
        .await?;
    Ok(then(visit.to("/manage")))
}

/// Without axum's limit for all bodies: the file has one of its own, which is counted as it comes.
async fn multipart(mut request: Request) -> Result<Multipart, Refusal> {
    use axum::extract::FromRequest as _;
    DefaultBodyLimit::disable().apply(&mut request);
    let form: Result<Multipart, MultipartRejection> = Multipart::from_request(request, &()).await;
    form.map_err(|_| Refusal::BadForm)
}

#[derive(Deserialize)]
pub(super) struct Which {
    id: i64,
}

pub(super) async fn delete(visit: Visit, Form(which): Form<Which>) -> Answer {
    visit.owner()?;
    site::delete(visit.site(), visit.db(), &visit.app().folder, which.id).await?;
    Ok(then(visit.to("/manage")))
}
