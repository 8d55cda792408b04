//! A server's certificate and key, which may be replaced while it serves.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, InconsistentKeys};

use crate::tls::error::TlsError;

/// A certificate chain and its private key, out of two files. Clones are the same one, so that one
/// may serve while another reloads.
///
/// ```no_run
/// # fn f() -> Result<(), packetboat_dispatch::tls::TlsError> {
/// use packetboat_dispatch::tls::Certificates;
///
/// let certificates = Certificates::from_pem_files("chain.pem", "key.pem")?;
/// // Later, when the files are new: connections that come from now on see them.
/// certificates.reload()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Certificates {
    inner: Arc<Inner>,
}

struct Inner {
    chain: PathBuf,
    key: PathBuf,
    // A std lock: held to clone or to replace what it guards, never across an await.
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads PEM: the server's certificate first and then those that vouch for it, root not
    /// needed; and the private key (PKCS#8, PKCS#1 or SEC1, without a password).
    ///
    /// It blocks for as long as reading two small files takes.
    ///
    /// # Errors
    ///
    /// [`TlsError::Certificate`], [`TlsError::Key`], [`TlsError::Mismatch`], each with the file.
    pub fn from_pem_files(
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let (chain, key) = (chain.into(), key.into());
        let current = RwLock::new(Arc::new(read(&chain, &key)?));
        Ok(Self {
            inner: Arc::new(Inner {
                chain,
                key,
                current,
            }),
        })
    }

    /// Reads the files again. Handshakes from now on show what is in them; connections that are
    /// open stay as they are.
    ///
    /// It blocks for as long as reading two small files takes.
    ///
    /// # Errors
    ///
    /// As [`from_pem_files`](Self::from_pem_files); what was read before then stays in use. So it
    /// does when one file is new and the other not yet.
    pub fn reload(&self) -> Result<(), TlsError> {
        let read = Arc::new(read(&self.inner.chain, &self.inner.key)?);
        let mut current = self.inner.current.write();
        *current
            .as_deref_mut()
            .unwrap_or_else(|poisoned| poisoned.get_mut()) = read;
        Ok(())
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let current = self.inner.current.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("chain", &self.inner.chain)
            .field("key", &self.inner.key)
            .finish_non_exhaustive()
    }
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let of_chain = |source| TlsError::Certificate {
        path: chain.to_owned(),
        source,
    };
    let certificates = certificates(chain).map_err(|error| of_chain(error.into()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::Key {
        path: key.to_owned(),
        source: error.into(),
    })?;
    let provider = default_provider();
    let signing = provider.key_provider.load_private_key(private);
    let signing = signing.map_err(|error| TlsError::Key {
        path: key.to_owned(),
        source: error.into(),
    })?;
    let certified = CertifiedKey::new(certificates, signing);
    match certified.keys_match() {
        // A key that does not tell its public half has to be believed.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => Err(TlsError::Mismatch {
            certificate: chain.to_owned(),
            key: key.to_owned(),
        }),
        Err(error) => Err(of_chain(error.into())),
    }
}

/// All certificates of a file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let certificates = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
    match certificates.is_empty() {
        true => Err(pem::Error::NoItemsFound),
        false => Ok(certificates),
    }
}
