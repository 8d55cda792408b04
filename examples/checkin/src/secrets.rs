//! What only its owner may know: made, kept out of logs, and told apart.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use packetboat_orm::Field;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A string that no log may show: its `Debug` prints `[redacted]`.
#[derive(Clone, Deserialize, Field, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// `N` bytes of the system's randomness, in hexadecimal.
///
/// # Panics
///
/// If the operating system has no randomness to give: then nothing here can be safe.
pub fn random<const N: usize>() -> Secret {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("an operating system that serves has randomness");
    Secret(hex(&bytes))
}

/// The HMAC-SHA-256 of these parts, each with its length before it, so that no two lists of parts
/// are the same bytes.
pub fn mac(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.0.as_bytes()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The SHA-256 of a token, in hexadecimal: what the database keeps of one.
pub fn digest(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

/// Whether two texts are the same, in a time that does not tell where they differ.
pub fn same(one: &str, two: &str) -> bool {
    one.as_bytes().ct_eq(two.as_bytes()).into()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        use fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = random::<32>();
        assert_ne!(mac(&key, &[b"1", b"23"]), mac(&key, &[b"12", b"3"]));
        assert_eq!(mac(&key, &[b"1", b"23"]), mac(&key, &[b"1", b"23"]));
        assert_ne!(mac(&key, &[b"1"]), mac(&random::<32>(), &[b"1"]));
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret("hush".to_owned())), "[redacted]");
        assert_eq!(random::<16>().0.len(), 32);
        assert!(same("one", "one") && !same("one", "two") && !same("one", "on"));
    }
}
