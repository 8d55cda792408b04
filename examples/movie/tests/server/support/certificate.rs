//! A certificate for a server on this machine, made when a test runs.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each program of tests uses its own part of this"
)]

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};

/// A certificate that vouches for itself, and its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one for 127.0.0.1 in this folder, over whatever stands there.
    pub fn issue(folder: &Path) -> Self {
        let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let pair = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&pair).unwrap();
        fs::write(&chain, certificate.pem()).unwrap();
        fs::write(&key, pair.serialize_pem()).unwrap();
        Self { chain, key }
    }
}
