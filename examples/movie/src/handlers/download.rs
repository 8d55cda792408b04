//! Downloads: a movie's bytes, held back and paid for, and the caller's own records.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{Local, Utc};
use packetboat_dispatch::{File, Identity, Rejection, State};
use packetboat_framing::native::Digest;
use packetboat_orm::{self as orm, DbPool, ModelExt};

use crate::app::App;
use crate::fit::{self, Page, json_len};
use crate::guards::Viewer;
use crate::messages::{DownloadMovie, DownloadReply, ListRecords, RecordList, RecordRow};
use crate::models::{DownloadRecord, Movie, User, download_record, movie, user};
use crate::refusals::{MOVIE_NOT_FOUND, NO_RECORDS};

/// Sends a movie: the reply at once, the bytes when the wait is over.
///
/// The wait is this request's own and runs on the server's clock, so neither another connection
/// nor a client with a clock of its own shortens it. Who pays does not wait.
pub(super) async fn download(
    State(app): State<App>,
    Identity(Viewer(viewer)): Identity<Viewer>,
    request: DownloadMovie,
) -> Result<(DownloadReply, File), Rejection> {
    let arrived = Instant::now();
    let live = movie::id.eq(request.movie_id) & movie::is_delete.eq(false);
    let movie = Movie::select()
        .filter(live)
        .optional(&app.db)
        .await?
        .ok_or(MOVIE_NOT_FOUND)?;
    let price = price(&movie, &viewer, &app.db).await?;
    let wait = if movie.is_free && !viewer.is_vip {
        app.rules.wait
    } else {
        Duration::ZERO
    };
    let key = movie.key.clone();
    let reply = DownloadReply {
        file_name: movie.name.clone(),
        file_size: u64::try_from(movie.file_size)?,
        wait_time: wait.as_millis().div_ceil(1000).try_into()?,
        price,
        digest: Some(movie.digest.clone()),
    };
    let file_size = reply.file_size;
    let file = tokio::task::spawn_blocking(move || app.library.open_movie(&key, file_size));
    let file = file.await??;
    let record = Arc::new(OnceLock::new());
    let begun = Arc::clone(&record);
    let (db, ending) = (app.db.clone(), app.db);
    // With it a client can go on where it was cut.
    let digest: Digest = movie.digest.parse()?;
    let file = File::from_std(file)?
        .with_digest(digest.0)
        .not_before(arrived + wait)
        .on_start(async move {
            let id = begin(&movie, &viewer, price, &db).await?;
            begun.get_or_init(|| id);
            Ok(())
        })
        .on_end(move |outcome| async move {
            if let Some(id) = record.get().filter(|_| outcome.is_complete()) {
                complete(*id, &ending).await;
            }
        });
    Ok((reply, file))
}

/// What the caller has to pay for this download.
async fn price(movie: &Movie, viewer: &User, db: &DbPool) -> orm::Result<i32> {
    if movie.is_free || is_paid(movie.id, viewer.id, db).await? {
        return Ok(0);
    }
    Ok(if viewer.is_vip {
        movie.price_vip
    } else {
        movie.price
    })
}

/// Whether the user has been charged for the movie; a download that was begun counts.
async fn is_paid(movie: i64, user: i64, db: impl orm::Executor) -> orm::Result<bool> {
    let charged = download_record::user_id.eq(user)
        & download_record::movie_id.eq(movie)
        & download_record::price.gt(0);
    DownloadRecord::select().filter(charged).exists(db).await
}

/// Writes the record before the first byte goes out, and says under which id.
async fn begin(movie: &Movie, viewer: &User, told: i32, db: &DbPool) -> orm::Result<i64> {
    let mut record = DownloadRecord {
        id: 0,
        user_id: viewer.id,
        movie_id: movie.id,
        movie_name: movie.name.clone(),
        price: told,
        download_time: Utc::now(),
        completed: false,
    };
    if told == 0 {
        record.insert(db).await?;
        return Ok(record.id);
    }
    orm::transaction(db, async move |tx| {
        // Two downloads of one movie may have been told the price before either began. Writing the
        // user's row first makes them take turns here, so that one is charged and the other not.
        let own_row = User::select().filter(user::id.eq(record.user_id));
        let as_it_is = [user::id.set(record.user_id)];
        own_row.update(as_it_is, &mut *tx).await?;
        if is_paid(record.movie_id, record.user_id, &mut *tx).await? {
            record.price = 0;
        }
        record.insert(&mut *tx).await?;
        Ok(record.id)
    })
    .await
}

/// Notes that the last byte was sent. The peer has it all by now, so a failure is only logged.
async fn complete(record: i64, db: &DbPool) {
    let own = DownloadRecord::select().filter(download_record::id.eq(record));
    if let Err(error) = own.update([download_record::completed.set(true)], db).await {
        tracing::error!(
            record,
            error = &error as &dyn std::error::Error,
            "record not completed"
        );
    }
}

/// Lists the caller's own downloads, newest first.
pub(super) async fn records(
    State(db): State<DbPool>,
    Identity(Viewer(viewer)): Identity<Viewer>,
    request: ListRecords,
) -> Result<RecordList, Rejection> {
    let select = DownloadRecord::select()
        .filter(download_record::user_id.eq(viewer.id))
        .order_by(download_record::id.desc());
    let page = Page {
        offset: request.offset,
        limit: request.limit,
    };
    let row = |record: DownloadRecord| RecordRow {
        user: viewer.name.clone(),
        movie: record.movie_name,
        // The server's own time zone, as the clients of this wire expect.
        download_time: record
            .download_time
            .with_timezone(&Local)
            .format("%Y-%m-%d %H:%M:%S")
            .to_string(),
    };
    let cost = |row: &RecordRow| json_len(row) + json_len(&row.movie);
    match fit::rows(select, page, &db, row, cost).await? {
        (rows, _) if rows.is_empty() => Err(NO_RECORDS.into()),
        (record_list, more) => Ok(RecordList { record_list, more }),
    }
}
