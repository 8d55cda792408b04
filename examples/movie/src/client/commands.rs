//! One command: connect, do it, report.

use std::io;

use serde_json::json;

use crate::client::args::{Account, Command, Options};
use crate::client::failure::Failure;
use crate::client::kept::{Kept, SessionFile};
use crate::client::lang::Lang;
use crate::client::prompt;
use crate::client::remote::Remote;
use crate::client::report::Report;
use crate::client::terminal::line;
use crate::client::transfer::{self, Downloaded, Show};
use crate::messages::{BuyVip, DeleteMovie, ListMovies, ListNotices, ListRecords, ReleaseNotice};

/// Does one thing and says what came of it.
///
/// # Errors
/// A refusal, the connection, a file of this machine.
pub async fn run(command: Command, options: &Options) -> Result<Report, Failure> {
    let lang = options.lang();
    let show = Show {
        lang,
        quiet: options.json,
    };
    let mut sessions = open_sessions(options)?;
    match command {
        Command::Register(account) => {
            let password = password(lang)?;
            let mut remote = Remote::open(options).await?;
            remote
                .register(&account.name, &password, account.user_type())
                .await?;
            Ok(Report::done(lang.registered()))
        }
        Command::Login(account) => login(&account, options, &mut sessions).await,
        Command::Logout => {
            let mut remote = resume(options, &sessions).await?;
            // A session that the server no longer knows is forgotten here all the same.
            match remote.logout().await {
                Err(failure) if !failure.is_logged_out() => return Err(failure),
                _ => {}
            }
            let forgotten = sessions.remove(&options.server);
            forgotten.map_err(|source| Failure::local(sessions.path(), source))?;
            Ok(Report::done(lang.logged_out()))
        }
        command => {
            let mut remote = resume(options, &sessions).await?;
            logged_in(command, &mut remote, show).await
        }
    }
}

/// The commands that need a session.
async fn logged_in(command: Command, remote: &mut Remote, show: Show) -> Result<Report, Failure> {
    let lang = show.lang;
    match command {
        Command::BuyVip => {
            remote.call_once(BuyVip {}).await?;
            Ok(Report::done(lang.bought_vip()))
        }
        Command::Check { file } => {
            transfer::check(remote, &file).await?;
            Ok(Report::done(lang.not_known()))
        }
        Command::Delete { id } => {
            let delete = DeleteMovie {
                delete_movie_id: id,
            };
            remote.call(delete).await?;
            Ok(Report::done(lang.deleted()))
        }
        Command::Download { id, to } => {
            let downloaded = transfer::download(remote, id, &to, show).await?;
            Ok(saved(&downloaded, lang))
        }
        Command::List { which } => {
            let list = ListMovies {
                movie_type: which.into(),
                offset: 0,
                limit: None,
            };
            Ok(Report::movies(&remote.call(list).await?, lang))
        }
        Command::Notices => Ok(Report::notices(
            &remote.call(ListNotices::default()).await?,
            lang,
        )),
        Command::Publish { title, content } => {
            remote.call(ReleaseNotice { title, content }).await?;
            Ok(Report::done(lang.published()))
        }
        Command::Records => Ok(Report::records(
            &remote.call(ListRecords::default()).await?,
            lang,
        )),
        Command::Upload { file, price } => {
            transfer::check(remote, &file).await?;
            let bytes = transfer::upload(remote, &file, price.free, show).await?;
            Ok(Report {
                text: lang.uploaded().to_owned(),
                json: json!({ "ok": true, "bytes": bytes }),
            })
        }
        Command::Login(_) | Command::Logout | Command::Register(_) => {
            unreachable!("these three were matched before a session was resumed")
        }
    }
}

/// Where a download went, and what it cost.
pub(super) fn saved(downloaded: &Downloaded, lang: Lang) -> Report {
    let path = line(&downloaded.path.display().to_string());
    let mut text = format!("{} {path}", lang.saved());
    if downloaded.price > 0 {
        text = format!("{text} ({} {})", lang.paid(), downloaded.price);
    }
    let json = json!({
        "ok": true,
        "path": downloaded.path.to_string_lossy(),
        "bytes": downloaded.bytes,
        "price": downloaded.price,
        "wait": downloaded.wait,
        "blake3": downloaded.blake3,
    });
    Report { text, json }
}

async fn login(
    account: &Account,
    options: &Options,
    sessions: &mut SessionFile,
) -> Result<Report, Failure> {
    let lang = options.lang();
    let password = password(lang)?;
    let mut remote = Remote::open(options).await?;
    if let Some(old) = sessions.get(&options.server) {
        // The server ends it when the new one is made.
        remote.resume(&old.session).await;
    }
    let user_type = account.user_type();
    let reply = remote
        .login(&account.name, &password, user_type, true)
        .await?;
    let kept = Kept {
        name: account.name.clone(),
        user_type,
        session: reply.session,
    };
    let written = sessions.set(&options.server, kept);
    written.map_err(|source| Failure::local(sessions.path(), source))?;
    Ok(Report {
        text: format!("{} {}", lang.logged_in(), line(&account.name)),
        json: json!({ "ok": true, "vip": reply.is_vip, "notices": reply.notices }),
    })
}

async fn resume(options: &Options, sessions: &SessionFile) -> Result<Remote, Failure> {
    let kept = sessions.get(&options.server).ok_or(Failure::LoggedOut)?;
    let mut remote = Remote::open(options).await?;
    remote.resume(&kept.session).await;
    Ok(remote)
}

fn open_sessions(options: &Options) -> Result<SessionFile, Failure> {
    let path = options
        .session_file
        .clone()
        .or_else(SessionFile::default_path);
    let path = path.ok_or_else(|| Failure::local("~", io::ErrorKind::NotFound.into()))?;
    SessionFile::open(&path).map_err(|source| Failure::local(&path, source))
}

fn password(lang: Lang) -> Result<String, Failure> {
    let terminal = |source| Failure::local("stdin", source);
    let answer = prompt::ask_password(lang.ask_password()).map_err(terminal)?;
    let none = || io::Error::new(io::ErrorKind::UnexpectedEof, "no password was given");
    answer.ok_or_else(|| terminal(none()))
}
