//! What befalls the disk, and what is then still sure.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

use super::{bed::Bed, films::GROUP};

/// What the list beside a part has before its values, and each of these, in bytes.
const HEAD: u64 = 64;
const VALUE: u64 = 32;

#[derive(Debug, Clone, Copy)]
pub(super) enum Tear {
    DataGrows,
    DataIsGone,
    DataIsShort,
    ListGrows,
    ListHasJunk,
    ListIsChanged,
    ListIsGone,
    ListIsShort,
}

impl Bed {
    /// Does something to the files of a part, and says what is then still sure.
    pub(super) fn tear(&mut self, key: usize, tear: Tear, at: u64) {
        let [data, list] = self.paths(key);
        let (Some(kept), Ok(data_len)) = (&mut self.kept[key], len(&data)) else {
            return;
        };
        let Ok(list_len) = len(&list) else {
            return;
        };
        let sure = kept.right.len() as u64;
        match tear {
            Tear::DataGrows if !kept.is_torn && data_len >= sure * GROUP => {
                let more = [1, GROUP, 2 * GROUP + 9][(at % 3) as usize];
                set_len(&data, data_len + more);
            }
            Tear::DataIsShort => {
                let len = at % (data_len + 1);
                set_len(&data, len);
                kept.right.truncate((len / GROUP) as usize);
            }
            Tear::DataIsGone => {
                fs::remove_file(&data).expect("it was there");
                kept.right.clear();
            }
            Tear::ListGrows => {
                let (more, end) = (at % 100, HEAD + sure * VALUE);
                // Half a value and zeros are none that is right, and zeros alone are none.
                let torn = list_len.saturating_sub(end);
                let is_value = (1..VALUE).contains(&torn)
                    && torn + more >= VALUE
                    && read(&list, end, torn).iter().any(|byte| *byte != 0);
                if is_value && data_len >= (sure + 1) * GROUP {
                    kept.right.push(false);
                }
                set_len(&list, list_len + more);
            }
            Tear::ListHasJunk if data_len >= (sure + 1) * GROUP && list_len >= HEAD => {
                let end = HEAD + sure * VALUE;
                write(&list, &[0xa5; VALUE as usize], end);
                set_len(&list, end + VALUE);
                kept.right.push(false);
            }
            Tear::ListIsChanged => {
                let at = at % (HEAD + sure * VALUE);
                write(&list, &[read(&list, at, 1)[0] ^ 1], at);
                match at.checked_sub(HEAD) {
                    None => self.kept[key] = None,
                    Some(at) => kept.right[(at / VALUE) as usize] = false,
                }
            }
            Tear::ListIsShort => {
                let len = at % (list_len + 1);
                set_len(&list, len);
                match len.checked_sub(HEAD) {
                    None => self.kept[key] = None,
                    Some(len) => kept.right.truncate((len / VALUE) as usize),
                }
            }
            Tear::ListIsGone => {
                fs::remove_file(&list).expect("it was there");
                self.kept[key] = None;
            }
            Tear::DataGrows | Tear::ListHasJunk => {}
        }
        if let Some(kept) = &mut self.kept[key] {
            kept.is_torn |= !matches!(tear, Tear::DataGrows);
        }
    }
}

fn len(path: &Path) -> io::Result<u64> {
    Ok(fs::metadata(path)?.len())
}

fn set_len(path: &Path, len: u64) {
    let file = File::options().write(true).open(path);
    file.and_then(|file| file.set_len(len)).expect("it is cut");
}

fn write(path: &Path, bytes: &[u8], at: u64) {
    let file = File::options().write(true).open(path);
    let written = file.and_then(|file| file.write_all_at(bytes, at));
    written.expect("it is writable");
}

fn read(path: &Path, at: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; len as usize];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut bytes, at));
    read.expect("it is that long");
    bytes
}
