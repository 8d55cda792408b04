//! The key that a client gives a request, and the argument that hands it to a handler.

use std::fmt;
use std::str::FromStr;

use crate::extract::FromCall;
use crate::hex;
use crate::rejection::Rejection;
use crate::request::Call;

/// Names one doing of something, across every time that it is asked for: 128 bits that a client
/// chooses at random, once, and sends again with each retry.
///
/// Who has the key of another's request can ask for its answer, so it has no `Display` and its
/// `Debug` hides the value. As text it is 32 lower-case hexadecimal characters.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct IdempotencyKey([u8; 16]);

/// A text that is no idempotency key. It does not say which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 32 hexadecimal characters")]
#[non_exhaustive]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// A new key out of the operating system's randomness.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("an operating system that runs has randomness");
        Self(bytes)
    }

    /// As it stands on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 32 characters, for a column with a unique index.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }
}

impl From<[u8; 16]> for IdempotencyKey {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    fn from_str(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        hex::decode(text).map(Self).ok_or(InvalidIdempotencyKey)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(..)")
    }
}

/// The idempotency key of a request, where its client has given one: an argument of a handler.
///
/// While a request with a key is at work, another one of the same type, caller and key is not
/// begun: it waits, and gets the same answer, unless that is that the other's own attachment was cut
/// or damaged; then it is begun. That is all that can be done without a memory. What was done
/// *before* only the application knows: a handler stores the key, together with its caller, **in the
/// transaction that does the work**, under a unique index. Then a second request finds it there, and
/// answers as the first did.
///
/// ```ignore
/// async fn buy(
///     State(db): State<Db>, Identity(user): Identity<User>, Idempotency(key): Idempotency, _: Buy,
/// ) -> Result<Done, Rejection> {
///     let bought = transaction(&db, async |tx| {
///         if let Some(key) = key {
///             Claim::of(user.id, key).insert(&mut *tx).await?; // unique
///         }
///         charge(&user, tx).await
///     });
///     match bought.await {
///         Err(error) if error.is_unique("claim") => Ok(Done), // done by an earlier one
///         bought => Ok(bought.map(|()| Done)?),
///     }
/// }
/// ```
///
/// The wire that carries keys is the native one. A key that is used for something else is the
/// client's error: what it says is not compared.
#[derive(Clone, Copy, Debug)]
pub struct Idempotency(pub Option<IdempotencyKey>);

#[diagnostic::do_not_recommend]
impl<S: Sync, I: Sync> FromCall<S, I> for Idempotency {
    async fn from_call(call: &mut Call, _: &S, _: &I) -> Result<Self, Rejection> {
        Ok(Self(call.idempotency_key()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_as_text_and_is_not_shown() {
        let key = IdempotencyKey::generate();
        assert_ne!(key, IdempotencyKey::generate());
        assert_eq!(key.to_hex().parse(), Ok(key));
        assert_eq!(key.to_hex().to_uppercase().parse(), Ok(key));
        assert_eq!(IdempotencyKey::from(*key.as_bytes()), key);
        assert_eq!(format!("{key:?}"), "IdempotencyKey(..)");
        for text in ["", &"f".repeat(31), &"f".repeat(34), &"é".repeat(16)] {
            assert_eq!(
                text.parse::<IdempotencyKey>(),
                Err(InvalidIdempotencyKey),
                "{text}"
            );
        }
    }
}
