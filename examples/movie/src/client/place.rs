//! Where a download ends up: in the folder asked for, under a harmless name that was free.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::names::sanitised;

/// How many names are tried (`film.mp4`, `film (2).mp4`, ...) before giving up.
const TRIES: u32 = 1_000;

/// Moves a received file into `folder` under the name that the server gave it, made harmless.
///
/// A name that is taken is never overwritten: `film.mp4` then becomes `film (2).mp4`. The name is
/// taken by creating an empty file, which fails where anything stands, a link included; the
/// received file is then renamed over it. Gives where the file is now, once that is durable.
///
/// # Errors
/// Those of the file system; `AlreadyExists` when a thousand names are taken. The received file
/// stays where it was then.
pub fn place(received: &Path, folder: &Path, name: &str) -> io::Result<PathBuf> {
    let name = sanitised(name);
    for n in 1..=TRIES {
        let target = folder.join(numbered(&name, n));
        match File::create_new(&target) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        if let Err(error) = fs::rename(received, &target) {
            // Ours, empty, and of no use. If it cannot go either, the first error says more.
            let _ = fs::remove_file(&target);
            return Err(error);
        }
        File::open(folder)?.sync_all()?;
        return Ok(target);
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// `film.mp4`, then `film (2).mp4`.
fn numbered(name: &str, n: u32) -> String {
    if n == 1 {
        return name.to_owned();
    }
    let path = Path::new(name);
    let text = |part: Option<&OsStr>| part.and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let stem = text(path.file_stem());
    match path.extension() {
        Some(ending) => format!("{stem} ({n}).{}", text(Some(ending))),
        None => format!("{stem} ({n})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(folder: &Path, bytes: &str) -> PathBuf {
        let path = folder.join(".part");
        fs::write(&path, bytes).expect("written");
        path
    }

    fn placed(folder: &Path, name: &str, bytes: &str) -> PathBuf {
        place(&received(folder, bytes), folder, name).expect("placed")
    }

    #[test]
    fn taken_name_is_numbered_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        assert_eq!(placed(folder, "film.mp4", "one"), folder.join("film.mp4"));
        assert_eq!(
            placed(folder, "film.mp4", "two"),
            folder.join("film (2).mp4")
        );
        assert_eq!(placed(folder, "film", "three"), folder.join("film"));
        assert_eq!(placed(folder, "film", "four"), folder.join("film (2)"));
        let read = |name| fs::read_to_string(folder.join(name)).expect("there");
        assert_eq!(read("film.mp4"), "one");
        assert_eq!(read("film (2).mp4"), "two");
        assert!(!folder.join(".part").exists());
    }

    #[cfg(unix)]
    #[test]
    fn link_of_that_name_is_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let outside = tempfile::tempdir().expect("a folder");
        let victim = outside.path().join("victim");
        fs::write(&victim, "precious").expect("written");
        std::os::unix::fs::symlink(&victim, folder.path().join("film.mp4")).expect("linked");
        let dangling = outside.path().join("not there");
        std::os::unix::fs::symlink(&dangling, folder.path().join("film (2).mp4")).expect("linked");

        let target = placed(folder.path(), "film.mp4", "bytes");
        assert_eq!(target, folder.path().join("film (3).mp4"));
        assert_eq!(fs::read_to_string(victim).expect("there"), "precious");
        assert!(!dangling.exists());
    }

    #[test]
    fn folder_that_is_not_there_leaves_the_received_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let part = received(folder.path(), "bytes");
        place(&part, &folder.path().join("nowhere"), "film.mp4").expect_err("no such folder");
        assert!(part.exists());
    }
}
