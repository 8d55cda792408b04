//! The admin's menu, 1 to 5.

use std::fs;
use std::path::PathBuf;

use crate::client::failure::Failure;
use crate::client::menu::{End, Visitor, ask, terminal};
use crate::client::prompt;
use crate::client::report::Report;
use crate::client::terminal::line;
use crate::client::transfer;
use crate::messages::{DeleteMovie, ListMovies, MovieType, ReleaseNotice, UserType};

pub(super) async fn menu(visitor: &mut Visitor) -> Result<End, Failure> {
    let lang = visitor.lang();
    loop {
        println!("\n[{}]", lang.admin());
        let Some(choice) = ask(lang, lang.admin_menu())? else {
            return Ok(End::Input);
        };
        let result = match choice.as_str() {
            "1" => visitor.register(UserType::Admin).await,
            "2" => visitor.log_in(UserType::Admin).await.map(|_| None),
            "3" => upload(visitor).await,
            "4" => delete(visitor).await,
            "5" => publish(visitor).await,
            "0" | "q" => return Ok(End::Back),
            _ => {
                visitor.not_a_choice();
                continue;
            }
        };
        visitor.tell(result).await?;
    }
}

/// Lists the files of the folder, checks the chosen one, and then asks whether it is free.
async fn upload(visitor: &mut Visitor) -> Result<Option<Report>, Failure> {
    visitor.require_login()?;
    let lang = visitor.lang();
    let files = files(visitor)?;
    if files.is_empty() {
        let folder = line(&visitor.folders.uploads.display().to_string());
        println!("{} {folder}", lang.no_files());
        return Ok(None);
    }
    let names = files.iter().map(|path| {
        let name = path.file_name().unwrap_or_default();
        line(&name.to_string_lossy())
    });
    let Some(at) = visitor.choose_of(names, lang.which_upload())? else {
        return Ok(None);
    };
    transfer::check(&mut visitor.remote, &files[at]).await?;
    let Some(is_free) = prompt::ask_yes(lang.asked_for_free()).map_err(terminal)? else {
        return Ok(None);
    };
    transfer::upload(&mut visitor.remote, &files[at], is_free, visitor.show).await?;
    Ok(Some(Report::done(lang.uploaded())))
}

/// The files of the upload folder that are not hidden, by name.
fn files(visitor: &Visitor) -> Result<Vec<PathBuf>, Failure> {
    let folder = &visitor.folders.uploads;
    let local = |source| Failure::local(folder, source);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(local)? {
        let entry = entry.map_err(local)?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

async fn delete(visitor: &mut Visitor) -> Result<Option<Report>, Failure> {
    let lang = visitor.lang();
    let all = ListMovies {
        movie_type: MovieType::All,
        offset: 0,
        limit: None,
    };
    let list = visitor.remote.call(all).await?;
    let Some(movie) = visitor.choose(&list, lang.which_delete())? else {
        return Ok(None);
    };
    let delete = DeleteMovie {
        delete_movie_id: movie.2,
    };
    visitor.remote.call(delete).await?;
    Ok(Some(Report::done(lang.deleted())))
}

async fn publish(visitor: &mut Visitor) -> Result<Option<Report>, Failure> {
    visitor.require_login()?;
    let lang = visitor.lang();
    let Some(title) = prompt::ask(lang.ask_title()).map_err(terminal)? else {
        return Ok(None);
    };
    let Some(content) = prompt::ask(lang.ask_content()).map_err(terminal)? else {
        return Ok(None);
    };
    visitor
        .remote
        .call(ReleaseNotice { title, content })
        .await?;
    Ok(Some(Report::done(lang.published())))
}
