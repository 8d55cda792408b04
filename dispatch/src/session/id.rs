//! The id of a session: 128 random bits for the peer, their SHA-256 for the server.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::hex;

/// Whoever holds this is logged in: 128 bits from the operating system's generator.
///
/// On the wire it is 32 lower-case hexadecimal characters. It has no `Display` and its `Debug`
/// hides the value, so it does not reach a log by accident; [`expose`](Self::expose) gives the text.
#[derive(Clone)]
pub struct SessionId([u8; 16]);

/// What the server keeps of a [`SessionId`]: its SHA-256.
///
/// Finding an id for a given key means inverting the hash, so a store that leaks logs nobody in.
/// Two keys are compared in constant time.
#[derive(Clone, Copy, Eq)]
pub struct SessionKey([u8; 32]);

/// A text that is no session id. It does not say which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session id has 32 hexadecimal characters")]
#[non_exhaustive]
pub struct InvalidSessionId;

impl SessionId {
    /// A new id out of the operating system's randomness.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give: then nothing here can be safe.
    #[must_use]
    pub fn generate() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("an operating system that serves has randomness");
        Self(bytes)
    }

    /// The 32 characters that go to the peer. They belong in a reply and in no log.
    #[must_use]
    pub fn expose(&self) -> String {
        hex::encode(&self.0)
    }

    /// What the server keeps of this id.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        SessionKey(Sha256::digest(self.0).into())
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        hex::decode(text).map(Self).ok_or(InvalidSessionId)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.expose())
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The error must not quote the text: it may be a session mistyped by one character.
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl SessionKey {
    /// The 32 bytes, for a store to write down.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal characters, for a store that keeps text.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }
}

impl From<[u8; 32]> for SessionKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl PartialEq for SessionKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Hash for SessionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Enough to tell two sessions apart in a log.
        write!(f, "SessionKey({}..)", hex::encode(&self.0[..4]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher as _;

    use md5::Md5;

    use super::*;

    const TOKENS: usize = 1_000_000;

    fn tokens() -> Vec<[u8; 16]> {
        (0..TOKENS).map(|_| SessionId::generate().0).collect()
    }

    #[test]
    fn a_million_ids_have_no_duplicate_and_look_random() {
        let tokens = tokens();

        let mut sorted: Vec<u128> = tokens.iter().map(|t| u128::from_be_bytes(*t)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), TOKENS, "duplicates");

        // Monobit, for each of the 128 places: ones are binomial, five deviations are 1 in 10^6.
        for place in 0..128 {
            let ones = tokens
                .iter()
                .filter(|token| token[place / 8] >> (place % 8) & 1 == 1)
                .count() as f64;
            let z = (2.0 * ones - TOKENS as f64) / (TOKENS as f64).sqrt();
            assert!(z.abs() < 6.0, "bit {place}: z = {z:.1}");
        }

        // Chi-square over the 256 values of each byte: mean 255, deviation 22.6.
        for place in 0..16 {
            let mut counts = [0u32; 256];
            for token in &tokens {
                counts[usize::from(token[place])] += 1;
            }
            let expected = TOKENS as f64 / 256.0;
            let chi2: f64 = counts
                .iter()
                .map(|&n| (f64::from(n) - expected).powi(2) / expected)
                .sum();
            assert!((130.0..410.0).contains(&chi2), "byte {place}: {chi2:.0}");
        }
    }

    /// The tokens of servers that hash a name and a clock: `md5(name + str(time.clock()))`.
    fn token_of_name_and_clock(name: &str, microseconds: u64) -> [u8; 16] {
        let clock = format!(
            "{}.{:06}",
            microseconds / 1_000_000,
            microseconds % 1_000_000
        );
        Md5::digest(format!("{name}{clock}")).into()
    }

    /// Tries every microsecond around the moment at which a login was seen.
    fn predict(name: &str, seen: u64, token: &[u8; 16]) -> Option<u64> {
        (seen.saturating_sub(20_000)..seen + 20_000)
            .find(|&clock| token_of_name_and_clock(name, clock) == *token)
    }

    #[test]
    fn predictor_of_name_and_clock_finds_the_old_token_and_not_ours() {
        let login = 1_234_567;
        let old = token_of_name_and_clock("ann", login);
        assert_eq!(predict("ann", login + 9_000, &old), Some(login));
        for _ in 0..8 {
            let ours = SessionId::generate().0;
            assert_eq!(predict("ann", login, &ours), None);
        }
    }

    #[test]
    fn id_survives_the_wire_in_either_case() {
        let id = SessionId::generate();
        let text = id.expose();
        assert_eq!(text.len(), 32);
        assert_eq!(text.parse::<SessionId>().expect("valid").key(), id.key());
        let upper = text.to_uppercase();
        assert_eq!(upper.parse::<SessionId>().expect("valid").key(), id.key());
        let json = serde_json::to_string(&id).expect("serialises");
        assert_eq!(json, format!("\"{text}\""));
        let back: SessionId = serde_json::from_str(&json).expect("deserialises");
        assert_eq!(back.key(), id.key());
    }

    #[test]
    fn keys_are_spread_over_a_table() {
        let table = std::hash::RandomState::new();
        let hashes: HashSet<u64> = (0..100)
            .map(|_| table.hash_one(SessionId::generate().key()))
            .collect();
        assert_eq!(hashes.len(), 100);
    }

    #[test]
    fn what_is_no_id_is_refused_and_not_quoted() {
        let short = "f".repeat(31);
        let long = "f".repeat(33);
        let letter = format!("{}g", "f".repeat(31));
        let wide = "é".repeat(16);
        for text in ["", &short, &long, &letter, &wide] {
            assert_eq!(text.parse::<SessionId>().map(|_| ()), Err(InvalidSessionId));
            let json = serde_json::to_string(text).expect("serialises");
            let error = serde_json::from_str::<SessionId>(&json).expect_err("no id");
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }

    #[test]
    fn debug_hides_the_id_and_shortens_the_key() {
        let id = SessionId::generate();
        assert_eq!(format!("{id:?}"), "SessionId(..)");
        let key = format!("{:?}", id.key());
        assert!(key.len() < 30 && key.starts_with("SessionKey("), "{key}");
    }

    #[test]
    fn key_is_the_sha256_of_the_sixteen_bytes() {
        // printf '' | xxd: sixteen zero bytes, as sha256sum says.
        let id: SessionId = "0".repeat(32).parse().expect("valid");
        let expected = "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb";
        let key = id.key();
        assert_eq!(key.to_hex(), expected);
        // What a store writes down is the same key when it is read again.
        assert_eq!(hex::encode(key.as_bytes()), expected);
        assert_eq!(SessionKey::from(*key.as_bytes()), key);
    }
}
