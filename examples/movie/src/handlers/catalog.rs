//! The catalog: list, check, delete.

use packetboat_dispatch::{Identity, Rejection, State};
use packetboat_orm::{DbPool, ModelExt};

use crate::fit::{self, Page, json_len};
use crate::guards::{Account, Admin};
use crate::messages::{CheckMovie, DeleteMovie, Done, ListMovies, MovieList, MovieRow, MovieType};
use crate::models::{Movie, movie};
use crate::refusals::{BAD_SAMPLED_MD5, MOVIE_EXISTS, MOVIE_NOT_FOUND, NO_MOVIES};

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
pub(super) fn sampled_md5(sent: &str) -> Result<String, Rejection> {
    let is_md5 = sent.len() == 32 && sent.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_md5 {
        Ok(sent.to_ascii_lowercase())
    } else {
        Err(BAD_SAMPLED_MD5.into())
    }
}
