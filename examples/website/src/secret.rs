//! Randomness in hexadecimal, and the key that the server signs its forms with.

use std::fmt;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// 128 bits of the system's randomness, as 32 hexadecimal characters.
///
/// # Panics
///
/// If the operating system has no randomness to give.
pub fn random_hex() -> String {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).expect("an operating system that serves has randomness");
    hex(&random)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key that signs texts.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// The key in this file, which is made, for this user alone, where it is missing.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        Ok(Self::new(&secret_of_file(path)?))
    }

    /// The key out of a text that nobody else knows.
    pub fn new(secret: &str) -> Self {
        Self(Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length"))
    }

    /// The signature of these parts, in hexadecimal. What it is for is the first of them.
    pub fn sign(&self, parts: &[&str]) -> String {
        hex(&self.signed(parts).finalize().into_bytes())
    }

    /// Whether this is the signature of these parts; compared in constant time.
    pub fn verify(&self, parts: &[&str], signature: &str) -> bool {
        let expected = self.sign(parts);
        subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), signature.as_bytes()).into()
    }

    /// Each part with its length, so that no two lists of parts are one text.
    fn signed(&self, parts: &[&str]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The secret in this file, which is made, for this user alone, where it is missing.
///
/// # Errors
///
/// What the file system says.
pub fn secret_of_file(path: &Path) -> io::Result<String> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let secret = random_hex();
            file.write_all(secret.as_bytes())?;
            file.sync_all()?;
            Ok(secret)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let secret = std::fs::read_to_string(path)?;
            let secret = secret.trim();
            if secret.len() < 32 {
                let why = "the secret in it has fewer than 32 characters";
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            Ok(secret.to_owned())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_its_parts_and_its_key() {
        let key = Key::new("one");
        let signature = key.sign(&["form", "ab", "c"]);
        assert!(key.verify(&["form", "ab", "c"], &signature));
        assert!(!key.verify(&["form", "a", "bc"], &signature));
        assert!(!key.verify(&["form", "ab", "c"], &signature[1..]));
        assert!(!key.verify(&["form", "ab", "c"], ""));
        assert!(!Key::new("two").verify(&["form", "ab", "c"], &signature));
    }

    #[test]
    fn a_secret_is_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let made = secret_of_file(&path).expect("made");
        assert_eq!(secret_of_file(&path).expect("read"), made);
        std::fs::write(&path, "short").expect("written");
        assert!(secret_of_file(&path).is_err());
    }
}
