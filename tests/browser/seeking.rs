//! A player seeks in a file of a gibibyte, and reads little of it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::middleware::map_response;
use axum::response::{Html, Response};
use axum::routing::get;
use http_body_util::BodyExt;
use packetboat_dispatch::{Dispatcher, Server};
use tower_http::services::ServeFile;

use crate::chrome::Driver;

const SIZE: u64 = 1 << 30;
/// What the page does: seconds in all, and where it has come to.
const SEEK: &str = "
    const audio = new Audio('/sound.wav');
    const wait = (name) => new Promise((done, failed) => {
        audio.addEventListener(name, done, { once: true });
        audio.addEventListener('error', () => failed(audio.error.message), { once: true });
    });
    return (async () => {
        audio.preload = 'metadata';
        audio.load();
        await wait('loadedmetadata');
        const at = [];
        for (const part of [0.9, 0.5, 0.97]) {
            audio.currentTime = audio.duration * part;
            await wait('seeked');
            at.push(audio.currentTime / audio.duration);
        }
        audio.removeAttribute('src');
        audio.load();
        return [Math.round(audio.duration || 0), at];
    })();";

#[tokio::test(flavor = "multi_thread")]
async fn a_player_seeks_in_a_gibibyte_and_reads_little_of_it() {
    let Some(driver) = Driver::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound.wav");
    silence(&path);
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let count = map_response(move |response: Response| {
        let sent = Arc::clone(&counted);
        async move {
            response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let bytes = frame.data_ref().map_or(0, bytes::Bytes::len);
                    sent.fetch_add(bytes as u64, Ordering::Relaxed);
                    frame
                }))
            })
        }
    });
    let router = Router::new()
        .route(
            "/",
            get(|| async { Html("<!doctype html><title>seek</title>") }),
        )
        .route_service("/sound.wav", ServeFile::new(&path))
        .layer(count);
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let addr = server.local_addr().unwrap();
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.web(router).serve(Dispatcher::new(())));

    let window = driver.window("seek").await;
    window.open(&format!("http://{addr}/")).await;
    let found = window.run(SEEK).await;
    window.close().await;
    stop.shutdown();
    serving.await.unwrap().unwrap();

    for (at, wanted) in [0.9, 0.5, 0.97].into_iter().enumerate() {
        let came = found[1][at].as_f64().unwrap_or_default();
        assert!((came - wanted).abs() < 0.01, "{found}");
    }
    let sent = sent.load(Ordering::Relaxed);
    println!("{sent} bytes of {SIZE} were sent");
    assert!(sent < SIZE / 20, "{sent} bytes of {SIZE}");
    assert!(sent > 100_000, "it was read here: {sent}");
}

/// An hour and more of it, of which the disk holds only the beginning.
fn silence(path: &Path) {
    const RATE: u32 = 44_100;
    const FRAME: u16 = 4;
    let data = u32::try_from(SIZE - 44).unwrap();
    let mut file = File::create(path).unwrap();
    let header = [
        b"RIFF",
        &(data + 36).to_le_bytes()[..],
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        // Samples as they are, two channels of 16 bits.
        &1_u16.to_le_bytes(),
        &2_u16.to_le_bytes(),
        &RATE.to_le_bytes(),
        &(RATE * u32::from(FRAME)).to_le_bytes(),
        &FRAME.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &data.to_le_bytes(),
    ];
    file.write_all(&header.concat()).unwrap();
    file.set_len(SIZE).unwrap();
}
