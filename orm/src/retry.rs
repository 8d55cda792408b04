//! Running a transaction again after the database refused it for the sake of another.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::sleep;

use crate::driver::frame;
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::transaction::end;

/// Runs a closure in a transaction as [`transaction`](crate::transaction) does, and again, up to 3 times more, while the
/// database refuses it because of another: a deadlock, a serialization failure, a lock that took too long.
///
/// The closure runs several times, so it must do nothing that a rollback does not undo: no mail, no message, no file.
/// Each attempt runs a clone of it, with the captures as they were at first. It may borrow, as here, but not mutably.
///
/// ```
/// # use packetboat_orm::{DbPool, Model, ModelExt, Result, retry};
/// # #[derive(Model)] struct Account { id: i64, coins: i64 }
/// async fn collect(db: &DbPool, from: &[i64], to: i64) -> Result<i64> {
///     retry(db, async |tx| {
///         let mut sum = 0;
///         for &id in from {
///             let Some(mut account) = Account::find(id, &mut *tx).await? else { continue };
///             sum += std::mem::take(&mut account.coins);
///             account.update(&mut *tx).await?;
///         }
///         Account::select().filter(account::id.eq(to)).update([account::coins.set(sum)], tx).await?;
///         Ok(sum)
///     })
///     .await
/// }
/// ```
///
/// [`Retry`] has other limits, and the loop to write by hand.
///
/// # Errors
///
/// The closure's own; what [`Executor::enter`] and [`Finish::commit`](crate::Finish::commit) return; and the last refusal.
/// [`try_retry`] takes a closure with errors of another type.
///
/// # Cancel safety
///
/// As [`transaction`](crate::transaction).
pub async fn retry<E, T, F>(db: E, run: F) -> Result<T>
where
    E: Executor,
    F: AsyncFnOnce(&mut E::Tx) -> Result<T> + Clone,
{
    Retry::new().transaction(db, run).await
}

/// [`retry`], with an error of the application's own, which says by [`Transient`] whether to try again.
///
/// # Errors
///
/// The closure's own; what [`Executor::enter`] and [`Finish::commit`](crate::Finish::commit) return; and the last refusal.
///
/// # Cancel safety
///
/// As [`transaction`](crate::transaction).
pub async fn try_retry<E, T, X, F>(db: E, run: F) -> Result<T, X>
where
    E: Executor,
    X: From<Error> + Transient,
    F: AsyncFnOnce(&mut E::Tx) -> Result<T, X> + Clone,
{
    Retry::new().transaction(db, run).await
}

/// An error that may pass: whether running the whole transaction again may succeed.
///
/// ```
/// use packetboat_orm::{Error, Transient};
///
/// enum Refusal { TooPoor, Database(Error) }
///
/// impl Transient for Refusal {
///     fn is_transient(&self) -> bool {
///         matches!(self, Self::Database(error) if error.is_transient())
///     }
/// }
/// ```
pub trait Transient {
    /// Whether running the whole transaction again may succeed.
    fn is_transient(&self) -> bool;
}

impl Transient for Error {
    fn is_transient(&self) -> bool {
        Self::is_transient(self)
    }
}

/// How often to try again, and how long to wait before.
///
/// By default up to 3 times, after a random time of at most 20, 40 and 80 ms: the two that met must not meet again, so
/// the whole of the time is random (full jitter). Each further wait is at most twice as long, up to a second.
///
/// A loop of one's own, around anything that ends in a transient error:
///
/// ```
/// # use packetboat_orm::{DbPool, Finish, Model, ModelExt, Result, Retry, begin};
/// # #[derive(Model)] struct Account { id: i64, coins: i64 }
/// async fn spend(db: &DbPool, id: i64) -> Result<i64> {
///     let mut tx = begin(db).await?;
///     let Some(mut account) = Account::find(id, &mut tx).await? else { return Ok(0) };
///     account.coins -= 1;
///     account.update(&mut tx).await?;
///     tx.commit().await?;
///     Ok(account.coins)
/// }
///
/// async fn spend_for_sure(db: &DbPool, id: i64) -> Result<i64> {
///     let mut retry = Retry::new().retries(5);
///     loop {
///         match spend(db, id).await {
///             Ok(left) => return Ok(left),
///             Err(error) => retry.after(error).await?,
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing by itself"]
pub struct Retry {
    /// How many are left.
    retries: u32,
    /// What the next wait is less than.
    delay: Duration,
    max_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

impl Retry {
    /// Up to 3 times more.
    pub const fn new() -> Self {
        Self {
            retries: 3,
            delay: Duration::from_millis(20),
            max_delay: Duration::from_secs(1),
        }
    }

    /// How often to try again: 0 is the first attempt alone.
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The longest wait before the first new attempt, 20 ms by default. The ones that follow double.
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The longest wait of all, a second by default.
    pub const fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    ///
    /// The error itself, at once, where it is not transient or no attempt is left.
    ///
    /// # Cancel safety
    ///
    /// A wait that is dropped counts as an attempt.
    pub async fn after<X: Transient>(&mut self, error: X) -> Result<(), X> {
        let Some(delay) = self.next_delay(&error) else {
            return Err(error);
        };
        drop(error);
        sleep(delay).await;
        Ok(())
    }

    /// [`retry`], or [`try_retry`], within these limits.
    ///
    /// Inside a transaction it is a savepoint that is tried again. Some refusals end the whole transaction on the
    /// server (a deadlock on MySQL): then the refusal is returned, for the outermost to try again.
    ///
    /// # Errors
    ///
    /// The closure's own; what [`Executor::enter`] and [`Finish::commit`](crate::Finish::commit) return; and the last refusal.
    ///
    /// # Cancel safety
    ///
    /// As [`transaction`](crate::transaction).
    pub async fn transaction<E, T, X, F>(mut self, mut db: E, run: F) -> Result<T, X>
    where
        E: Executor,
        X: From<Error> + Transient,
        F: AsyncFnOnce(&mut E::Tx) -> Result<T, X> + Clone,
    {
        frame::scope(async move {
            let mut refusal = None;
            loop {
                let outcome = match (frame::entering(db.enter()).await, refusal.take()) {
                    (Ok(mut tx), _) => {
                        let outcome = run.clone()(&mut tx).await;
                        end(tx, outcome).await
                    }
                    // The refusal has ended the transaction around this one too, and says more than what came of it.
                    (Err(Error::Aborted), Some(refusal)) => return Err(refusal),
                    (Err(error), _) => Err(error.into()),
                };
                let error = match outcome {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                };
                let Some(delay) = self.next_delay(&error) else {
                    return Err(error);
                };
                refusal = Some(error);
                sleep(delay).await;
            }
        })
        .await
    }

    /// How long to wait before the next attempt; `None` when there is to be none.
    fn next_delay(&mut self, error: &impl Transient) -> Option<Duration> {
        if !error.is_transient() {
            return None;
        }
        self.retries = self.retries.checked_sub(1)?;
        let longest = self.delay.min(self.max_delay);
        self.delay = longest.saturating_mul(2);
        Some(longest.mul_f64(random()))
    }
}

/// A random number from 0 to 1: the hash of nothing, under keys that the standard library takes from the system.
fn random() -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "it is a time to wait")]
    let (number, largest) = (RandomState::new().hash_one(()) as f64, u64::MAX as f64);
    number / largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Refused(bool);

    impl Transient for Refused {
        fn is_transient(&self) -> bool {
            self.0
        }
    }

    #[test]
    fn waits_are_random_double_and_end() {
        let mut longest = [Duration::ZERO; 4];
        for _ in 0..200 {
            let mut retry = Retry::new()
                .retries(4)
                .delay(Duration::from_millis(10))
                .max_delay(Duration::from_millis(25));
            for longest in &mut longest {
                let delay = retry.next_delay(&Refused(true)).expect("four retries");
                *longest = delay.max(*longest);
            }
            assert_eq!(retry.next_delay(&Refused(true)), None);
        }
        // Of 200 random times the longest is near the end of the range.
        for (longest, most) in longest.into_iter().zip([10, 20, 25, 25]) {
            let most = Duration::from_millis(most);
            assert!(
                longest <= most && longest > most.mul_f64(0.8),
                "{longest:?}"
            );
        }
    }

    #[test]
    fn what_does_not_pass_is_not_tried_again() {
        let mut retry = Retry::new();
        assert_eq!(retry.next_delay(&Refused(false)), None);
        assert_eq!(retry.retries, 3);
        assert_eq!(Retry::new().retries(0).next_delay(&Refused(true)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_by_hand_ends_with_the_last_error() {
        let mut retry = Retry::new();
        for _ in 0..3 {
            assert_eq!(retry.after(Refused(true)).await, Ok(()));
        }
        assert_eq!(retry.after(Refused(true)).await, Err(Refused(true)));
    }
}
