//! Files up and down, with progress, and checked before they count.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use packetboat_dispatch::{Parts, PartsPolicy};
use packetboat_framing::native::Digest;
use packetboat_framing::{Error, Source};
use tokio::task::spawn_blocking;

use crate::client::failure::Failure;
use crate::client::lang::Lang;
use crate::client::place::place;
use crate::client::progress::Progress;
use crate::client::remote::Remote;
use crate::messages::{CheckMovie, DownloadMovie, UploadMovie};
use crate::sampled;

/// How much longer than announced a held-back movie may take to begin.
const LATE: Duration = Duration::from_secs(30);

/// How a transfer is shown.
#[derive(Clone, Copy, Debug)]
pub struct Show {
    /// In which language.
    pub lang: Lang,
    /// Whether no bar is drawn at all.
    pub quiet: bool,
}

/// A movie that has arrived.
#[derive(Debug)]
pub struct Downloaded {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// What it cost.
    pub price: i32,
    /// The wait that the server announced, in seconds.
    pub wait: u64,
    /// How long after the reply the first byte came.
    pub waited: Duration,
    /// The BLAKE3 of what came, in hexadecimal.
    pub blake3: String,
}

/// Fetches a movie into a folder, under a harmless name that was free there.
///
/// It is written under a temporary name, and renamed only when every byte has come and its digest,
/// where the server sends one, is right. What is cut on the native wire goes on from there the next
/// time, within a day; whatever else fails leaves nothing behind.
///
/// # Errors
/// A refusal, the connection, the disk, [`Failure::Damaged`].
pub async fn download(
    remote: &mut Remote,
    movie_id: i64,
    folder: &Path,
    show: Show,
) -> Result<Downloaded, Failure> {
    let local = |source| Failure::local(folder, source);
    tokio::fs::create_dir_all(folder).await.map_err(local)?;
    let parts = Parts::open(folder, PartsPolicy::default()).await;
    let parts = parts.map_err(|error| local(io::Error::other(error)))?;
    let server = remote.server().to_owned();
    let (reply, mut body) = remote.call_for_file(DownloadMovie { movie_id }).await?;

    let replied = Instant::now();
    let wait = Duration::from_secs(reply.wait_time);
    body.set_first_byte(Some(wait.saturating_add(LATE)));
    let progress = Progress::new(reply.file_size, show.lang, show.quiet);
    let begun = Arc::<OnceLock<Instant>>::default();
    let (told, first, title) = (
        progress.clone(),
        Arc::clone(&begun),
        show.lang.downloading(),
    );
    let mut had = None;
    // First it hears what was there before, so the second time is the first byte.
    let hears = move |at: u64| {
        if had.replace(at).is_some() && first.set(Instant::now()).is_ok() {
            told.begin(title);
        }
        told.set(at);
    };
    // The same movie, wherever it comes from. Without a digest there is no part.
    let key = reply.digest.clone().unwrap_or_default();
    let received = {
        // The name only says in which folder the temporary file is made.
        let place = folder.join("movie");
        let mut receiving = pin!(body.receive_resumable(&parts, &key, &place, hears));
        loop {
            let left = wait.saturating_sub(replied.elapsed());
            if left > Duration::ZERO {
                progress.wait(left);
            }
            tokio::select! {
                received = &mut receiving => break received,
                () = tokio::time::sleep(left.min(Duration::from_millis(200))), if left > Duration::ZERO => {}
            }
        }
    };
    progress.clear();
    let (file, digest) = received.map_err(|error| match error {
        Error::DigestMismatch { .. } => Failure::Damaged,
        Error::Io(source) => Failure::local(folder, source),
        error @ Error::PartInUse => Failure::local(folder, io::Error::other(error)),
        error => Failure::Connection {
            server,
            source: packetboat_dispatch::ClientError::Frame(error),
        },
    })?;

    let blake3 = digest.to_string();
    let is_right = reply
        .digest
        .as_ref()
        .is_none_or(|digest| digest.eq_ignore_ascii_case(&blake3));
    if file.len() != reply.file_size || !is_right {
        return Err(Failure::Damaged);
    }
    let (folder_, name) = (folder.to_owned(), reply.file_name);
    let (bytes, begun) = (file.len(), begun.get().copied());
    let placed = spawn_blocking(move || place(file.temporary_path(), &folder_, &name));
    let path = placed
        .await
        .map_err(io::Error::other)
        .and_then(|path| path)
        .map_err(local)?;
    Ok(Downloaded {
        path,
        bytes,
        price: reply.price,
        wait: reply.wait_time,
        waited: begun.map_or(Duration::ZERO, |begun| begun - replied),
        blake3,
    })
}

/// The sampled md5 of a file, as the server asks for it.
///
/// # Errors
/// [`Failure::Local`].
pub async fn sampled_md5(path: &Path) -> Result<String, Failure> {
    let owned = path.to_owned();
    let hash = spawn_blocking(move || sampled::md5(&mut File::open(owned)?));
    hash.await
        .map_err(io::Error::other)
        .and_then(|hash| hash)
        .map_err(|source| Failure::local(path, source))
}

/// The BLAKE3 digest of a file.
async fn blake3(path: &Path) -> Result<Digest, Failure> {
    let owned = path.to_owned();
    let hash = spawn_blocking(move || {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(owned)?)?;
        Ok(Digest(hasher.finalize().into()))
    });
    hash.await
        .map_err(io::Error::other)
        .and_then(|hash| hash)
        .map_err(|source| Failure::local(path, source))
}

async fn open(path: &Path) -> Result<File, Failure> {
    let owned = path.to_owned();
    let file = spawn_blocking(move || File::open(owned)).await;
    file.map_err(io::Error::other)
        .and_then(|file| file)
        .map_err(|source| Failure::local(path, source))
}

/// Asks whether a file is new to the server.
///
/// # Errors
/// A refusal where it is known; the connection; the file.
pub async fn check(remote: &mut Remote, path: &Path) -> Result<(), Failure> {
    let file_md5 = sampled_md5(path).await?;
    remote.call(CheckMovie { file_md5 }).await.map(drop)
}

/// Sends a file to the server: on the native wire only what that has not, from an earlier try, and
/// once more if the connection is lost.
///
/// # Errors
/// A refusal, the connection, the file.
pub async fn upload(
    remote: &mut Remote,
    path: &Path,
    is_free: bool,
    show: Show,
) -> Result<u64, Failure> {
    let file_md5 = sampled_md5(path).await?;
    let digest = match remote.takes_digests() {
        true => Some(blake3(path).await?),
        false => None,
    };
    let file = Arc::new(open(path).await?);
    let source = Source::file(Arc::clone(&file));
    let source = source.map_err(|source| Failure::local(path, source))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let file_size = source.len();
    let upload = UploadMovie {
        file_name: name.into_owned(),
        file_size,
        file_md5,
        is_free,
    };
    let progress = Progress::new(file_size, show.lang, show.quiet);
    progress.begin(show.lang.uploading());
    let sent = |sent| progress.set(sent);
    let reply = match digest {
        Some(digest) => remote.upload(upload, &file, digest, sent).await,
        None => remote.call_with_file(upload, source, sent).await,
    };
    progress.clear();
    reply.map(|_| file_size)
}
