//! An authority that is trusted by nobody else, and certificates of it, made when a test runs.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part of this"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use packetboat_dispatch::tls::Certificates;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto};

/// The name in every certificate.
pub const NAME: &str = "boats.test";

/// Who vouches for certificates, and the folder that they stand in.
pub struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
    root: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a root").pem();
        let folder = tempfile::tempdir().expect("a folder");
        let issuer = Issuer::new(params, key);
        Self {
            folder,
            issuer,
            root,
        }
    }

    /// The root, as PEM.
    pub fn root(&self) -> &[u8] {
        self.root.as_bytes()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a certificate until this year, and its key, over whatever stands there. `common_name`
    /// tells it from others.
    pub fn issue(&self, common_name: &str, until: i32) {
        let mut params = CertificateParams::new(vec![NAME.to_owned()]).expect("a name");
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, common_name);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        fs::write(self.path("chain.pem"), certificate.pem()).expect("written");
        fs::write(self.path("key.pem"), key.serialize_pem()).expect("written");
    }

    /// What a server is given.
    pub fn certificates(&self) -> Certificates {
        let (chain, key) = (self.path("chain.pem"), self.path("key.pem"));
        Certificates::from_pem_files(chain, key).expect("just written")
    }

    /// A client's side that shares no code with the crate.
    pub async fn connect<T>(
        &self,
        stream: T,
        alpn: Option<&str>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.root()).expect("PEM");
        roots.add(root).expect("a root");
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(NAME).expect("a name");
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }
}

/// Whether a certificate, as DER, carries this common name.
pub fn carries(certificate: &[u8], common_name: &str) -> bool {
    let name = common_name.as_bytes();
    certificate.windows(name.len()).any(|window| window == name)
}

/// An authority and a certificate of it that is good for long.
pub fn authority() -> Authority {
    let authority = Authority::new();
    authority.issue("first", 2999);
    authority
}
