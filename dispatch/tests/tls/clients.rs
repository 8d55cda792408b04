//! The crate's own clients: whom they trust, and that they never speak plain.

use packetboat_dispatch::client::{Client, ClientError, Distrust, Wait};
use packetboat_dispatch::tls::TlsMode::{Optional, Required};
use packetboat_dispatch::tls::rustls::ClientConfig;
use packetboat_dispatch::tls::{ClientTls, TlsError};
use packetboat_dispatch::{Disconnect, Limits, Server, Wire};
use packetboat_framing::native::Preface;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

use crate::authority::{Authority, NAME, authority};
use crate::world::{AskHow, GetFilm, Plan};

fn trusting(authority: &Authority) -> ClientTls {
    ClientTls::with_pem(authority.root(), NAME).expect("a root")
}

const HOW: AskHow = AskHow { padding: 0 };

/// Connects with either client, and makes a call.
async fn try_both(addr: std::net::SocketAddr, tls: &ClientTls) -> [Result<bool, ClientError>; 2] {
    let classic = async {
        let builder = Client::builder().tls(tls.clone());
        let mut client = builder.connect(addr).await?;
        client.call(HOW).await.map(|how| how.encrypted)
    };
    let native = async {
        let builder = Client::builder().tls(tls.clone());
        let client = builder.connect_native(addr).await?;
        client.call(HOW).await.map(|how| how.encrypted)
    };
    [classic.await, native.await]
}

/// Why both did not go on.
async fn distrusts(addr: std::net::SocketAddr, tls: &ClientTls, expected: Distrust) {
    for result in try_both(addr, tls).await {
        let error = result.expect_err("no handshake");
        assert!(error.is_fatal());
        let ClientError::Tls { why, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(why, expected);
    }
}

#[tokio::test]
async fn both_clients_speak_through_tls_and_close_in_good_order() {
    let authority = authority();
    let file = authority.path("root.pem");
    std::fs::write(&file, authority.root()).expect("written");
    for mode in [Optional, Required] {
        let plan = Plan::tls(authority.certificates(), mode);
        let mut server = plan.serve().await;
        let by_file = ClientTls::with_pem_file(&file, NAME).expect("a root");
        for tls in [trusting(&authority), by_file] {
            for encrypted in try_both(server.addr, &tls).await {
                assert!(encrypted.expect("an answer"));
                let end = server.end().await;
                assert!(matches!(*end, Disconnect::Closed), "{end:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_there_already_may_be_a_unix_socket() {
    let authority = authority();
    let path = authority.path("socket");
    let server = Server::bind_unix(&path).expect("a path");
    let server = server.tls(authority.certificates(), Required);
    let stop = server.shutdown_handle();
    let app = packetboat_dispatch::Dispatcher::new(());
    let serving = tokio::spawn(server.limits(Limits::default()).serve(app));
    let builder = Client::builder().tls(trusting(&authority));
    let stream = UnixStream::connect(&path).await.expect("a server");
    let mut classic = builder.clone().over(stream).await.expect("TLS");
    let stream = UnixStream::connect(&path).await.expect("a server");
    let native = builder.over_native(stream).await.expect("TLS");
    let refused = [
        classic.call(HOW).await.expect_err("nobody serves it"),
        native.call(HOW).await.expect_err("nobody serves it"),
    ];
    assert!(refused.iter().all(|e| e.code() == Some("unknown_type")));
    drop((classic, native));
    stop.shutdown();
    serving.await.expect("no panic").expect("a stop");
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_refused() {
    let ours = authority();
    let stranger = authority();
    let server = Plan::tls(ours.certificates(), Required).serve().await;
    distrusts(server.addr, &trusting(&stranger), Distrust::Certificate).await;
    let other_name = ClientTls::with_pem(ours.root(), "other.test").expect("a root");
    distrusts(server.addr, &other_name, Distrust::Certificate).await;

    ours.issue("expired", 2001);
    let server = Plan::tls(ours.certificates(), Required).serve().await;
    for result in try_both(server.addr, &trusting(&ours)).await {
        let error = result.expect_err("it is expired");
        let ClientError::Tls { why, source } = error else {
            panic!("{error:?}");
        };
        assert_eq!(why, Distrust::Certificate);
        assert!(source.to_string().contains("xpired"), "{source}");
    }
}

/// Somebody in between answers for the server, in plain. The one thing that has left is a hello.
#[tokio::test]
async fn a_client_of_tls_never_speaks_plain() {
    let authority = authority();
    let native = Preface::answer(Preface::client(), 8).to_bytes().to_vec();
    let answers = [
        native,
        b"\x0d\0\0\0{\"flag\":true}".to_vec(),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ];
    for (n, answer) in answers.into_iter().cycle().take(6).enumerate() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let between = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut seen = vec![0; 5];
            stream.read_exact(&mut seen).await.expect("a record");
            stream.write_all(&answer).await.expect("open");
            // All that it will ever say, up to its end.
            let _ = stream.read_to_end(&mut seen).await;
            seen
        });
        let builder = Client::builder().tls(trusting(&authority));
        let error = match n < 3 {
            true => builder.connect(addr).await.map(drop),
            false => builder.connect_native(addr).await.map(drop),
        };
        let error = error.expect_err("nobody shakes hands");
        let ClientError::Tls { why, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(why, Distrust::NotTls);
        let seen = between.await.expect("no panic");
        let records = records(&seen);
        assert_eq!(records[0], 22, "no hello");
        // A client may still say why it goes; nothing else.
        assert!(records[1..].iter().all(|kind| *kind == 21), "{records:?}");
    }
}

/// The kinds of the records that these bytes are, whole.
fn records(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [kind, 3, _, high, low, rest @ ..] = bytes {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        kinds.push(*kind);
        bytes = rest.get(len..).expect("a whole record");
    }
    assert!(bytes.is_empty(), "no TLS: {bytes:02x?}");
    kinds
}

#[tokio::test]
async fn a_server_without_tls_is_refused_and_learns_nothing() {
    let authority = authority();
    for only in [None, Some(Wire::Classic), Some(Wire::Native)] {
        let plan = Plan {
            only,
            ..Plan::default()
        };
        let mut server = plan.serve().await;
        let builder = Client::builder().tls(trusting(&authority));
        let error = builder.connect(server.addr).await.expect_err("no TLS");
        assert!(matches!(error, ClientError::Tls { .. }), "{error:?}");
        let end = server.end().await;
        assert!(matches!(*end, Disconnect::Failed(_)), "{end:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_has_the_time_of_a_connection() {
    let authority = authority();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    let mut timeouts = packetboat_dispatch::client::Timeouts::default();
    timeouts.connect = Duration::from_millis(200);
    let builder = Client::builder()
        .timeouts(timeouts)
        .tls(trusting(&authority));
    for native in [false, true] {
        let builder = builder.clone();
        let connecting = async {
            match native {
                true => builder.connect_native(addr).await.map(drop),
                false => builder.connect(addr).await.map(drop),
            }
        };
        let error = connecting.await.expect_err("nobody answers");
        let ClientError::Timeout { wait, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(wait, Wait::Connect);
    }
}

#[test]
fn a_program_that_is_not_async_speaks_through_tls() {
    use packetboat_dispatch::client::blocking;
    use std::io::Read;

    let authority = authority();
    let film = authority.path("film");
    std::fs::write(&film, "some bytes").expect("written");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let plan = Plan {
        film,
        ..Plan::tls(authority.certificates(), Required)
    };
    let server = runtime.block_on(plan.serve());
    let builder = Client::builder().tls(trusting(&authority));
    let mut client = blocking::Client::with_tls(builder, server.addr).expect("TLS");
    assert!(client.call(HOW).expect("an answer").encrypted);
    let (reply, mut download) = client.call_for_file(GetFilm {}).expect("a film");
    assert_eq!(reply.size, 10);
    let mut got = String::new();
    download.read_to_string(&mut got).expect("all of it");
    assert_eq!(got, "some bytes");
    let stranger = ClientTls::with_pem(crate::authority::authority().root(), NAME);
    let builder = Client::builder().tls(stranger.expect("a root"));
    let refused = blocking::Client::with_tls(builder, server.addr);
    let error = refused.expect_err("nobody vouches for it");
    assert!(matches!(error, ClientError::Tls { .. }), "{error:?}");
}

/// Nothing is left then that a last word could leave by.
#[test]
fn a_client_may_outlive_its_runtime() {
    let authority = authority();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let clients = runtime.block_on(async {
        let plan = Plan::tls(authority.certificates(), Required);
        let server = plan.serve().await;
        let builder = Client::builder().tls(trusting(&authority));
        let mut classic = builder.clone().connect(server.addr).await.expect("TLS");
        let native = builder.connect_native(server.addr).await.expect("TLS");
        assert!(classic.call(HOW).await.expect("an answer").encrypted);
        assert!(native.call(HOW).await.expect("an answer").encrypted);
        (classic, native)
    });
    drop(runtime);
    assert!(!clients.1.is_usable());
    drop(clients);
}

#[test]
fn what_is_no_root_and_no_name_is_said() {
    let authority = authority();
    let none = ClientTls::with_pem(b"nothing", NAME).expect_err("no root");
    assert!(matches!(none, TlsError::Roots(_)), "{none:?}");
    let missing = authority.path("missing.pem");
    let none = ClientTls::with_pem_file(&missing, NAME).expect_err("no file");
    assert!(none.to_string().contains("missing.pem"), "{none}");
    for name in ["", "no name", "a..b"] {
        let error = ClientTls::with_pem(authority.root(), name).expect_err("no name");
        assert!(matches!(error, TlsError::ServerName { .. }), "{error:?}");
    }
}

/// What a configuration of one's own says of ALPN and of early data is not believed.
#[tokio::test]
async fn a_configuration_of_ones_own_is_kept_to_the_rules() {
    use packetboat_dispatch::tls::rustls::RootCertStore;
    use packetboat_dispatch::tls::rustls::pki_types::CertificateDer;
    use packetboat_dispatch::tls::rustls::pki_types::pem::PemObject;

    let authority = authority();
    let server = Plan::tls(authority.certificates(), Required).serve().await;
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.root()).expect("PEM");
    roots.add(root).expect("a root");
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.enable_early_data = true;
    let tls = ClientTls::with_config(config, NAME).expect("a name");
    for encrypted in try_both(server.addr, &tls).await {
        assert!(encrypted.expect("an answer"));
    }
}
