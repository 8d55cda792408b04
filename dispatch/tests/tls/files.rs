//! Files through TLS, which no kernel sends by itself: in slices, out of the server's budget.

use std::io::Write;

use packetboat_dispatch::BodyExt;
use packetboat_dispatch::client::Client;
use packetboat_dispatch::tls::ClientTls;
use packetboat_dispatch::tls::TlsMode::Required;
use packetboat_framing::Source;
use tempfile::NamedTempFile;

use crate::authority::{NAME, authority};
use crate::world::{Compare, GetFilm, Plan};

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
    drop(body);
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
