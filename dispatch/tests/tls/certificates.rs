//! Certificates that are replaced while a server serves.

use std::fs;

use packetboat_dispatch::tls::{Certificates, TlsError, TlsMode::Required};
use tokio_rustls::rustls::ALL_VERSIONS;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::authority::{Authority, authority, carries};
use crate::world::{Plan, Running, is_encrypted};

/// The common name of what a server shows now.
async fn shows(server: &Running, authority: &Authority, name: &str) -> bool {
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let stream = server.connect().await;
        let stream = authority
            .connect(stream, None, versions)
            .await
            .expect("TLS");
        let shown = stream.get_ref().1.peer_certificates().expect("one");
        if !carries(&shown[0], name) {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_who_comes_and_nobody_is_cut_off() {
    let authority = authority();
    let certificates = authority.certificates();
    let server = Plan::tls(certificates.clone(), Required).serve().await;
    let stream = server.connect().await;
    let stream = authority.connect(stream, None, ALL_VERSIONS).await;
    let mut old = stream.expect("TLS");
    assert!(shows(&server, &authority, "first").await);

    authority.issue("second", 2999);
    assert!(shows(&server, &authority, "first").await, "not told yet");
    certificates.reload().expect("just written");
    assert!(shows(&server, &authority, "second").await);
    assert!(is_encrypted(&mut old).await, "it goes on");
}

#[tokio::test]
async fn what_cannot_be_used_is_named_and_the_old_certificate_stays() {
    let authority = authority();
    let certificates = authority.certificates();
    let server = Plan::tls(certificates.clone(), Required).serve().await;
    let (chain, key) = (authority.path("chain.pem"), authority.path("key.pem"));
    let good = (
        fs::read(&chain).unwrap_or_default(),
        fs::read(&key).unwrap_or_default(),
    );

    let no_der = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let broken: [(&[u8], &[u8], &str); 7] = [
        (b"", &good.1, "chain.pem"),
        (b"no certificate", &good.1, "chain.pem"),
        (no_der, &good.1, "chain.pem"),
        (&good.0[..good.0.len() / 2], &good.1, "chain.pem"),
        (&good.0, b"", "key.pem"),
        (&good.0, no_key, "key.pem"),
        (&good.0, &good.1[..good.1.len() / 2], "key.pem"),
    ];
    for (of_chain, of_key, named) in broken {
        fs::write(&chain, of_chain).expect("written");
        fs::write(&key, of_key).expect("written");
        let error = certificates.reload().expect_err("it cannot be used");
        assert!(error.to_string().contains(named), "{error}");
        let also = Certificates::from_pem_files(&chain, &key);
        also.expect_err("nor can a server start with it");
        assert!(shows(&server, &authority, "first").await, "{error}");
    }
    fs::remove_file(&chain).expect("there");
    let error = certificates.reload().expect_err("it is gone");
    assert!(matches!(error, TlsError::Certificate { .. }), "{error:?}");

    // One file is new, and the other not yet.
    authority.issue("second", 2999);
    fs::write(&key, &good.1).expect("written");
    let error = certificates.reload().expect_err("the key is another's");
    assert!(matches!(error, TlsError::Mismatch { .. }), "{error:?}");
    assert!(error.to_string().contains("key.pem"), "{error}");
    assert!(shows(&server, &authority, "first").await);

    authority.issue("third", 2999);
    certificates.reload().expect("whole again");
    assert!(shows(&server, &authority, "third").await);
}

/// A session that is resumed would not see the new one.
#[tokio::test]
async fn no_session_is_resumed() {
    use std::sync::Arc;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore};

    let authority = authority();
    let plan = Plan::tls(authority.certificates(), Required);
    let server = plan.serve().await;
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.root()).expect("PEM");
    roots.add(root).expect("a root");
    for versions in [&[&TLS12][..], &[&TLS13]] {
        // A client that would resume.
        let config = ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        for _ in 0..3 {
            let name = ServerName::try_from(crate::authority::NAME).expect("a name");
            let stream = connector.connect(name, server.connect().await).await;
            let mut stream = stream.expect("TLS");
            assert!(is_encrypted(&mut stream).await);
            let kind = stream.get_ref().1.handshake_kind();
            assert_eq!(kind, Some(HandshakeKind::Full));
        }
    }
}
