//! The catalog: list, check, upload, delete.

use chrono::Utc;
use packetboat_dispatch::{Identity, Rejection, State, Upload};
use packetboat_orm::{DbPool, Dialect, Executor, ModelExt, sql};

use crate::app::App;
use crate::fit::{self, Page, json_len};
use crate::guards::{Account, Admin};
use crate::library::Key;
use crate::messages::{
    CheckMovie, DeleteMovie, Done, ListMovies, MovieList, MovieRow, MovieType, UploadMovie,
};
use crate::models::{Movie, movie};
use crate::names;
use crate::refusals::{
    BAD_SAMPLED_MD5, MOVIE_EXISTS, MOVIE_NOT_FOUND, NO_MOVIES, NO_SPACE, QUOTA_EXCEEDED,
};

/// Lists movies that are not deleted, newest first.
pub(super) async fn list(
    State(db): State<DbPool>,
    Identity(Account(_)): Identity<Account>,
    request: ListMovies,
) -> Result<MovieList, Rejection> {
    let mut select = Movie::select()
        .filter(movie::is_delete.eq(false))
        .order_by(movie::id.desc());
    match request.movie_type {
        MovieType::All => {}
        MovieType::Charge => select = select.filter(movie::is_free.eq(false)),
        MovieType::Free => select = select.filter(movie::is_free.eq(true)),
    }
    let page = Page {
        offset: request.offset,
        limit: request.limit,
    };
    let row = |movie: Movie| {
        let fee = movie.fee();
        MovieRow(movie.name, fee, movie.id)
    };
    match fit::rows(select, page, &db, row, |row| 2 * json_len(row)).await? {
        (rows, _) if rows.is_empty() => Err(NO_MOVIES.into()),
        (movie_list, more) => Ok(MovieList { movie_list, more }),
    }
}

/// Says whether a movie is new, by its sampled md5: a hint for the client, which may upload anyway.
pub(super) async fn check(
    State(db): State<DbPool>,
    Identity(Admin(_)): Identity<Admin>,
    request: CheckMovie,
) -> Result<Done, Rejection> {
    let file_md5 = sampled_md5(&request.file_md5)?;
    let known = movie::file_md5.eq(file_md5) & movie::is_delete.eq(false);
    if Movie::select().filter(known).exists(&db).await? {
        Err(MOVIE_EXISTS.into())
    } else {
        Ok(Done::new("可以上传"))
    }
}

/// Stores a movie. Whether it is known is decided by its content, once all of it has arrived.
pub(super) async fn upload(
    State(app): State<App>,
    Identity(Admin(admin)): Identity<Admin>,
    mut body: Upload,
    request: UploadMovie,
) -> Result<Done, Rejection> {
    let file_md5 = sampled_md5(&request.file_md5)?;
    let size = request.file_size;
    check_quota(&app, admin.id, size).await?;
    if !app.library.has_room(size)? {
        return Err(NO_SPACE.into());
    }
    let received = app.library.receive(&mut body, admin.id).await?;
    // Again, for what came meanwhile: uploads side by side would all have fitted alone.
    check_quota(&app, admin.id, size).await?;
    let same = movie::live_digest.eq(received.digest.clone());
    if Movie::select().filter(same).exists(&app.db).await? {
        return Err(MOVIE_EXISTS.into());
    }
    let mut movie = Movie {
        id: 0,
        name: names::sanitised(&request.file_name),
        key: received.key.as_str().to_owned(),
        file_size: i64::try_from(size)?,
        file_md5,
        live_digest: Some(received.digest.clone()),
        digest: received.digest.clone(),
        is_free: request.is_free,
        price_vip: Movie::PRICE_VIP,
        price: Movie::PRICE,
        is_delete: false,
        user_id: admin.id,
        upload_time: Utc::now(),
    };
    // File first, row second: a movie that is listed is there, whatever happens in between.
    let key = received.key.clone();
    received.persist().await?;
    match movie.insert(&app.db).await {
        Ok(()) => {
            settle(&app, &key, true).await;
            Ok(Done::new("上传成功"))
        }
        // The same content came twice at once, and the other was first.
        Err(error) if error.is_unique("live_digest") => {
            settle(&app, &key, false).await;
            Err(MOVIE_EXISTS.into())
        }
        // The connection may have broken after the row was written. The file stays in doubt, and
        // the next start asks whether its row is there.
        Err(error) => Err(error.into()),
    }
}

/// What became of the row stands, whether or not the mark can be taken off the file; where it
/// cannot, the next start does it.
async fn settle(app: &App, key: &Key, has_row: bool) {
    if let Err(error) = app.library.settle(key, has_row).await {
        tracing::warn!(%error, "a file stays in doubt until the next start");
    }
}

/// Refuses what would be more than one admin may store.
async fn check_quota(app: &App, admin: i64, size: u64) -> Result<(), Rejection> {
    if stored_by(admin, &app.db).await?.saturating_add(size) > app.rules.quota {
        return Err(QUOTA_EXCEEDED.into());
    }
    Ok(())
}

/// Bytes that an admin has stored, deleted movies included: their files stay.
async fn stored_by(admin: i64, db: &DbPool) -> Result<u64, Rejection> {
    // A sum has another type than what it sums, and each database another name for ours.
    let sum = match db.dialect() {
        Dialect::MySql => {
            sql("SELECT CAST(COALESCE(SUM(file_size), 0) AS SIGNED) FROM movie WHERE user_id = ?")
        }
        _ => sql("SELECT CAST(COALESCE(SUM(file_size), 0) AS BIGINT) FROM movie WHERE user_id = ?"),
    };
    let (bytes,): (i64,) = sum.bind(admin).one(db).await?;
    Ok(u64::try_from(bytes)?)
}

/// Marks a movie as deleted. Its row stays for the records, its content may come again, and a
/// download that is under way has the file open.
pub(super) async fn delete(
    State(db): State<DbPool>,
    Identity(Admin(_)): Identity<Admin>,
    request: DeleteMovie,
) -> Result<Done, Rejection> {
    let live = movie::id.eq(request.delete_movie_id) & movie::is_delete.eq(false);
    let marks = [movie::is_delete.set(true), movie::live_digest.set(None)];
    match Movie::select().filter(live).update(marks, &db).await? {
        0 => Err(MOVIE_NOT_FOUND.into()),
        _ => Ok(Done::new("删除成功")),
    }
}

/// The sampled md5 in lower case, if it is one.
fn sampled_md5(sent: &str) -> Result<String, Rejection> {
    let is_md5 = sent.len() == 32 && sent.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_md5 {
        Ok(sent.to_ascii_lowercase())
    } else {
        Err(BAD_SAMPLED_MD5.into())
    }
}
