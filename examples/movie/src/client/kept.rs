//! The kept sessions of this user, one for each server, in a file that nobody else can read.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::messages::{Secret, UserType};

/// Who is logged in at one server.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Kept {
    /// The account's name.
    pub name: String,
    /// Its kind.
    pub user_type: UserType,
    /// The session.
    pub session: Secret,
}

/// The file of sessions. A session goes to the server that gave it and to no other.
#[derive(Debug)]
pub struct SessionFile {
    path: PathBuf,
    sessions: BTreeMap<String, Kept>,
}

impl SessionFile {
    /// Where the file stands unless the user says otherwise: `~/.local/state/packetboat-movie/` on
    /// Linux, the like of it elsewhere.
    pub fn default_path() -> Option<PathBuf> {
        let dirs = etcetera::choose_base_strategy().ok()?;
        let folder = dirs.state_dir().unwrap_or_else(|| dirs.data_dir());
        Some(folder.join("packetboat-movie/sessions.json"))
    }

    /// Where it stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file. One that is not there holds no session.
    ///
    /// # Errors
    /// Those of reading; a file that others may read, or that is not ours.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let sessions = match fs::read(&path) {
            Ok(bytes) => {
                refuse_readable_by_others(&path)?;
                serde_json::from_slice(&bytes)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { path, sessions })
    }

    /// The session kept for a server.
    pub fn get(&self, server: &str) -> Option<&Kept> {
        self.sessions.get(server)
    }

    /// Keeps a session for a server, in place of an older one.
    ///
    /// # Errors
    /// Those of writing; the file is then as it was.
    pub fn set(&mut self, server: &str, kept: Kept) -> io::Result<()> {
        self.sessions.insert(server.to_owned(), kept);
        self.write()
    }

    /// Forgets the session of a server.
    ///
    /// # Errors
    /// Those of writing; the file is then as it was.
    pub fn remove(&mut self, server: &str) -> io::Result<()> {
        if self.sessions.remove(server).is_some() {
            self.write()?;
        }
        Ok(())
    }

    fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // A temporary file is made with mode 0600, so the session is never readable by others, not
        // even for a moment.
        let mut file = NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &self.sessions)?;
        file.flush()?;
        file.persist(&self.path)?;
        Ok(())
    }
}

#[cfg(unix)]
fn refuse_readable_by_others(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let what = "others may read it; chmod 600 it, or name another with --session-file";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
}

#[cfg(not(unix))]
fn refuse_readable_by_others(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(session: &str) -> Kept {
        Kept {
            name: "ann".into(),
            user_type: UserType::User,
            session: Secret(session.into()),
        }
    }

    #[test]
    fn session_is_kept_for_its_own_server_and_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state/sessions.json");
        let mut file = SessionFile::open(&path).expect("nothing there yet");
        file.set("127.0.0.1:1", kept("one")).expect("written");
        file.set("127.0.0.1:2", kept("two")).expect("written");

        let mut file = SessionFile::open(&path).expect("reads");
        let session = |file: &SessionFile, server| file.get(server).map(|k| k.session.0.clone());
        assert_eq!(session(&file, "127.0.0.1:1").as_deref(), Some("one"));
        assert_eq!(session(&file, "127.0.0.1:3"), None);
        file.remove("127.0.0.1:1").expect("written");

        let file = SessionFile::open(&path).expect("reads");
        assert_eq!(session(&file, "127.0.0.1:1"), None);
        assert_eq!(session(&file, "127.0.0.1:2").as_deref(), Some("two"));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sessions.json");
        let mut file = SessionFile::open(&path).expect("nothing there yet");
        file.set("s", kept("one")).expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
        let error = SessionFile::open(&path).expect_err("others may read it");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(!error.to_string().contains("one"));
    }

    #[test]
    fn debug_shows_no_session() {
        assert!(!format!("{:?}", kept("c0ffee")).contains("c0ffee"));
    }
}
