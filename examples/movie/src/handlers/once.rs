//! Requests that come again with their idempotency key: done once, and answered as the first time.

use packetboat_dispatch::{IdempotencyKey, Rejection};
use packetboat_orm::{DbPool, ModelExt};

use crate::models::Claim;
use crate::refusals::KEY_REUSED;

/// What this account has had done under this key, if it has.
pub(super) async fn before(
    user: i64,
    key: Option<IdempotencyKey>,
    db: &DbPool,
) -> Result<Option<Claim>, Rejection> {
    match key {
        Some(key) => Ok(Claim::find(Claim::once(user, key).name, db).await?),
        None => Ok(None),
    }
}

/// Gives the answer of the first time to who asks for the same again.
///
/// # Errors
///
/// `key_reused` where it was something else: said to be done, it would be lost.
pub(super) fn answer<T>(before: &Claim, content: &str, first: T) -> Result<T, Rejection> {
    if before.content == content {
        Ok(first)
    } else {
        Err(KEY_REUSED.into())
    }
}
