//! Why certificates, keys or roots cannot be used.

use std::error::Error as StdError;
use std::path::PathBuf;

type Cause = Box<dyn StdError + Send + Sync>;

/// Why certificates, a key, roots or a name cannot be used. The fault is in what the caller gave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file holds no certificate, or one that cannot be used.
    #[error("{} holds no certificate that can be used", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// A file holds no private key, or one that cannot be used.
    #[error("{} holds no private key that can be used", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The key belongs to another certificate.
    #[error("the key in {} is not that of the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// No root was given that a certificate can be checked against.
    #[error("no root certificate can be used")]
    Roots(#[source] Cause),
    /// A server cannot have this name.
    #[error("`{name}` is neither a host's name nor an address")]
    ServerName {
        /// The name.
        name: String,
    },
}
