//! Files through TLS, which no kernel sends by itself: in slices, out of the server's budget.

use std::io::Write;

use packetboat_dispatch::BodyExt;
use packetboat_dispatch::client::Client;
use packetboat_dispatch::tls::ClientTls;
use packetboat_dispatch::tls::TlsMode::Required;
use packetboat_framing::Source;
use tempfile::NamedTempFile;
use tokio::io::copy_bidirectional;

use crate::authority::{NAME, authority};
use crate::world::{Compare, GetFilm, PATIENCE, Plan};

const LEN: usize = 64 * 1024 * 1024;

/// A file in which no two places look alike.
fn film() -> (NamedTempFile, Vec<u8>) {
    let mut film = NamedTempFile::new().expect("a file");
    let words = (0..LEN as u32 / 4).map(|n| n.wrapping_mul(0x9e37_79b9));
    let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    film.write_all(&bytes).expect("written");
    (film, bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_mebibytes_come_and_go_as_they_are() {
    let authority = authority();
    let (film, bytes) = film();
    let mut plan = Plan::tls(authority.certificates(), Required);
    plan.film = film.path().to_owned();
    // Far less than the file: it is not read as a whole.
    plan.limits.attachment_buffers = 4 * 1024 * 1024;
    let server = plan.serve().await;
    let tls = ClientTls::with_pem(authority.root(), NAME).expect("a root");
    let size = LEN as u64;

    let builder = Client::builder().tls(tls);
    let mut classic = builder.clone().connect(server.addr).await.expect("TLS");
    let (reply, mut body) = classic.call_for_file(GetFilm {}).await.expect("a film");
    assert_eq!(reply.size, size);
    let mut got = Vec::new();
    body.copy_to(&mut got).await.expect("all of it");
    assert!(got == bytes, "other bytes on the classic wire");
    let source = Source::open(film.path()).await.expect("a file");
    let sent = classic
        .call_with_file(Compare { size }, source, |_| ())
        .await;
    assert!(sent.expect("an answer"), "other bytes on the classic wire");

    let native = builder.connect_native(server.addr).await.expect("TLS");
    let (_, mut body) = native.call_for_file(GetFilm {}).await.expect("a film");
    got.clear();
    body.copy_to(&mut got).await.expect("all of it");
    assert!(got == bytes, "other bytes on the native wire");
    let source = Source::open(film.path()).await.expect("a file");
    let sent = native
        .call_with_file(Compare { size }, source, |_| ())
        .await;
    assert!(sent.expect("an answer"), "other bytes on the native wire");
}

/// TLS takes more than what is below it has room for. That leaves before an answer is waited for.
#[tokio::test]
async fn what_tls_has_taken_leaves_through_a_narrow_pipe() {
    let authority = authority();
    let mut film = NamedTempFile::new().expect("a file");
    let bytes: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
    film.write_all(&bytes).expect("written");
    let mut plan = Plan::tls(authority.certificates(), Required);
    plan.film = film.path().to_owned();
    let server = plan.serve().await;
    let narrow = async || {
        let (ours, mut theirs) = tokio::io::duplex(256);
        let mut stream = server.connect().await;
        tokio::spawn(async move { copy_bidirectional(&mut theirs, &mut stream).await });
        ours
    };
    let tls = ClientTls::with_pem(authority.root(), NAME).expect("a root");
    let builder = Client::builder().tls(tls);
    let size = bytes.len() as u64;
    let sending = async {
        let classic = builder.clone().over(narrow().await).await;
        let source = Source::bytes(bytes.clone());
        let compare = Compare { size };
        let mut classic = classic.expect("TLS");
        let sent = classic.call_with_file(compare, source, |_| ()).await;
        assert!(sent.expect("an answer"));
        let native = builder.over_native(narrow().await).await.expect("TLS");
        let (source, compare) = (Source::bytes(bytes), Compare { size });
        let sent = native.call_with_file(compare, source, |_| ()).await;
        assert!(sent.expect("an answer"));
    };
    let sent = tokio::time::timeout(PATIENCE, sending).await;
    sent.expect("it leaves");
}
