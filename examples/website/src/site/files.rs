//! Files to download: their rows in the site's database, their bytes in the site's folder.

use std::io;
use std::path::PathBuf;

use chrono::Utc;
use packetboat_orm::ModelExt;
use tempfile::{NamedTempFile, TempPath};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::directory::Site;
use crate::models::{StoredFile, stored_file};
use crate::plans::Component;
use crate::refusals::Refusal;
use crate::secret;
use crate::storage::Db;
use crate::text;

/// Files of a site at most.
const MOST: u64 = 200;

/// Characters of a name at most.
const MAX_NAME: usize = 200;

/// Where the files of all sites are.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    max_file: u64,
}

impl Folder {
    /// Files below this folder, of so many bytes at most.
    pub fn new(root: PathBuf, max_file: u64) -> Self {
        Self { root, max_file }
    }

    /// Bytes of one file at most.
    pub fn max_file(&self) -> u64 {
        self.max_file
    }

    /// The folder of one site. Its name is the key of the site's database, which is one part of a path.
    fn of(&self, site: &Site) -> PathBuf {
        self.root.join(site.key.as_str())
    }

    /// Where the bytes of a file are.
    pub fn path(&self, site: &Site, file: &StoredFile) -> PathBuf {
        self.of(site).join(&file.key)
    }

    /// Deletes all files of a site.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub async fn delete_all(&self, site: &Site) -> io::Result<()> {
        match tokio::fs::remove_dir_all(self.of(site)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

/// The newest files.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], and what the database says.
pub async fn newest(site: &Site, db: &Db) -> Result<Vec<StoredFile>, Refusal> {
    site.needs(Component::Files)?;
    let all = StoredFile::select().order_by(stored_file::id.desc());
    Ok(all.limit(MOST).all(db).await?)
}

/// The file of this number.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::NotFound`], and what the database says.
pub async fn find(site: &Site, db: &Db, id: i64) -> Result<StoredFile, Refusal> {
    site.needs(Component::Files)?;
    StoredFile::find(id, db).await?.ok_or(Refusal::NotFound)
}

/// Deletes a file.
///
/// # Errors
///
/// [`Refusal::ComponentOff`], [`Refusal::NotFound`], and what the database or the file system says.
pub async fn delete(site: &Site, db: &Db, folder: &Folder, id: i64) -> Result<(), Refusal> {
    let mut file = find(site, db, id).await?;
    // The row first: a row without a file would be shown, a file without a row is only room.
    file.delete(db).await?;
    match tokio::fs::remove_file(folder.path(site, &file)).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Refusal::internal(error)),
        _ => Ok(()),
    }
}

/// A file that is being received. Dropped before [`keep`](Self::keep), it leaves nothing behind.
#[derive(Debug)]
pub struct Incoming {
    path: TempPath,
    file: File,
    size: u64,
    max: u64,
}

impl Incoming {
    /// Begins to receive a file of a site.
    ///
    /// # Errors
    ///
    /// [`Refusal::ComponentOff`], [`Refusal::NoRoom`], and what the file system says.
    pub async fn begin(site: &Site, db: &Db, folder: &Folder) -> Result<Self, Refusal> {
        site.needs(Component::Files)?;
        if StoredFile::select().count(db).await? >= MOST {
            return Err(Refusal::NoRoom);
        }
        let own = folder.of(site);
        let create = move || {
            std::fs::create_dir_all(&own)?;
            NamedTempFile::with_prefix_in(UNFINISHED, &own)
        };
        let made = tokio::task::spawn_blocking(create).await;
        let made = made
            .map_err(Refusal::internal)?
            .map_err(Refusal::internal)?;
        let (file, path) = made.into_parts();
        Ok(Self {
            path,
            file: File::from_std(file),
            size: 0,
            max: folder.max_file,
        })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooLarge`], and what the file system says.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.max {
            return Err(Refusal::TooLarge);
        }
        self.file.write_all(bytes).await.map_err(Refusal::internal)
    }

    /// Keeps it under this name, synced, and gives its number.
    ///
    /// # Errors
    ///
    /// What the database or the file system says. Nothing is kept then.
    pub async fn keep(
        mut self,
        site: &Site,
        db: &Db,
        folder: &Folder,
        name: &str,
    ) -> Result<i64, Refusal> {
        let mut row = StoredFile {
            id: 0,
            key: secret::random_hex(),
            name: file_name(name),
            size: i64::try_from(self.size).map_err(Refusal::internal)?,
            at: Utc::now(),
        };
        self.file.flush().await.map_err(Refusal::internal)?;
        self.file.sync_all().await.map_err(Refusal::internal)?;
        let path = folder.path(site, &row);
        let (from, to) = (self.path, path.clone());
        let persisted = tokio::task::spawn_blocking(move || from.persist(to)).await;
        persisted
            .map_err(Refusal::internal)?
            .map_err(Refusal::internal)?;
        if let Err(error) = row.insert(db).await {
            let _nobody_sees_it = tokio::fs::remove_file(path).await;
            return Err(error.into());
        }
        Ok(row.id)
    }
}

/// What a file's name on the disk begins with until it is whole; a process that was killed leaves these.
const UNFINISHED: &str = ".unfinished-";

/// The last part of a name from a stranger, without what cannot be seen.
fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen = last.chars().filter(|sign| !text::is_hidden(*sign));
    let tame = seen.take(MAX_NAME).collect::<String>();
    let tame = tame.trim_matches([' ', '.']);
    match tame {
        "" => "file".to_owned(),
        tame => tame.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_without_what_cannot_be_seen() {
        for (name, tame) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\x\\y.txt", "y.txt"),
            ("a\r\nSet-Cookie: x=y", "aSet-Cookie: x=y"),
            ("报告.pdf", "报告.pdf"),
            ("..", "file"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            (&"x".repeat(500), &"x".repeat(200)),
        ] {
            assert_eq!(file_name(name), tame);
        }
    }
}
