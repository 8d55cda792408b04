//! Uploads: a file, its row, and what is decided between the two.

use chrono::Utc;
use packetboat_dispatch::{Idempotency, Identity, Rejection, State, Upload};
use packetboat_orm::{self as orm, DbPool, Dialect, Executor, ModelExt, sql};

use crate::app::App;
use crate::guards::Admin;
use crate::handlers::catalog::sampled_md5;
use crate::handlers::once;
use crate::library::Key;
use crate::messages::{Done, UploadMovie};
use crate::models::{Claim, Movie, movie};
use crate::names;
use crate::refusals::{MOVIE_EXISTS, NO_SPACE, QUOTA_EXCEEDED};

/// Stores a movie; once, where the request has a key and comes again. Whether it is known is decided
/// by its content, once all of it has arrived.
pub(super) async fn upload(
    State(app): State<App>,
    Identity(Admin(admin)): Identity<Admin>,
    Idempotency(key): Idempotency,
    mut body: Upload,
    request: UploadMovie,
) -> Result<Done, Rejection> {
    let file_md5 = sampled_md5(&request.file_md5)?;
    let size = request.file_size;
    let before = once::before(admin.id, key, &app.db).await?;
    match (&before, body.digest()) {
        // The same once more: not a byte of it is needed.
        (Some(before), Some(digest)) => {
            return once::answer(before, &content(&request, &digest.to_string()), stored());
        }
        // What came before counts already.
        (Some(_), None) => {}
        (None, _) => check_quota(&app, admin.id, size).await?,
    }
    if !app.library.has_room(size)? {
        return Err(NO_SPACE.into());
    }
    let received = app.library.receive(&mut body, admin.id).await?;
    let content = content(&request, &received.digest);
    if let Some(before) = before {
        return once::answer(&before, &content, stored());
    }
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
    let claim = key.map(|key| Claim::once(admin.id, key).with_content(content));
    // File first, row second: a movie that is listed is there, whatever happens in between.
    let file = received.key.clone();
    received.persist().await?;
    match insert(&mut movie, claim, &app.db).await {
        Ok(()) => {
            settle(&app, &file, true).await;
            Ok(stored())
        }
        // The same content came twice at once, and the other was first.
        Err(error) if error.is_unique("live_digest") => {
            settle(&app, &file, false).await;
            Err(MOVIE_EXISTS.into())
        }
        // The connection may have broken after the row was written. The file stays in doubt, and
        // the next start asks whether its row is there.
        Err(error) => Err(error.into()),
    }
}

fn stored() -> Done {
    Done::new("上传成功")
}

/// Inserts the movie, and with it that it was asked for under its key; both or none.
async fn insert(movie: &mut Movie, claim: Option<Claim>, db: &DbPool) -> orm::Result<()> {
    orm::transaction(db, async |tx| {
        if let Some(mut claim) = claim {
            claim.insert(&mut *tx).await?;
        }
        movie.insert(tx).await
    })
    .await
}

/// BLAKE3 over what makes an upload another one: the file, its price and its name.
fn content(request: &UploadMovie, digest: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(digest.as_bytes());
    hasher.update(&[u8::from(request.is_free)]);
    // Last, since it has no fixed length.
    hasher.update(request.file_name.as_bytes());
    hasher.finalize().to_hex().to_string()
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
