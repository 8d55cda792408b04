//! The user's menu, 1 to 8.

use crate::client::commands::saved;
use crate::client::failure::Failure;
use crate::client::menu::{End, Visitor, ask, terminal};
use crate::client::prompt;
use crate::client::report::Report;
use crate::client::transfer;
use crate::messages::{
    BuyVip, ListMovies, ListNotices, ListRecords, MovieType, NoticeList, UserType,
};

pub(super) async fn menu(visitor: &mut Visitor) -> Result<End, Failure> {
    let lang = visitor.lang();
    loop {
        println!("\n[{}]", lang.user());
        let Some(choice) = ask(lang, lang.user_menu())? else {
            return Ok(End::Input);
        };
        let result = match choice.as_str() {
            "1" => visitor.register(UserType::User).await,
            "2" => log_in(visitor).await,
            "3" => buy_vip(visitor).await,
            "4" => list(visitor).await,
            "5" => download(visitor, MovieType::Free).await,
            "6" => download(visitor, MovieType::Charge).await,
            "7" => records(visitor).await,
            "8" => notices(visitor).await,
            "0" | "q" => return Ok(End::Back),
            _ => {
                visitor.not_a_choice();
                continue;
            }
        };
        visitor.tell(result).await?;
    }
}

/// Logs in, and shows the newest notices.
async fn log_in(visitor: &mut Visitor) -> Result<Option<Report>, Failure> {
    let Some(reply) = visitor.log_in(UserType::User).await? else {
        return Ok(None);
    };
    if reply.notices.is_empty() {
        return Ok(None);
    }
    let notices = NoticeList {
        notices: reply.notices,
        more: reply.more,
    };
    Ok(Some(Report::notices(&notices, visitor.lang())))
}

/// Offers VIP to those who are not.
async fn buy_vip(visitor: &mut Visitor) -> Result<Option<Report>, Failure> {
    let lang = visitor.lang();
    visitor.require_login()?;
    if visitor.vip == Some(true) {
        return Ok(Some(Report::done(lang.already_vip())));
    }
    if prompt::ask_yes(lang.ask_vip()).map_err(terminal)? != Some(true) {
        return Ok(None);
    }
    visitor.remote.call_once(BuyVip {}).await?;
    visitor.vip = Some(true);
    Ok(Some(Report::done(lang.bought_vip())))
}

async fn list(visitor: &mut Visitor) -> Result<Option<Report>, Failure> {
    let list = visitor.remote.call(movies(MovieType::All)).await?;
    Ok(Some(Report::movies(&list, visitor.lang())))
}

/// Lists the movies of a kind, and fetches the chosen one.
async fn download(visitor: &mut Visitor, movie_type: MovieType) -> Result<Option<Report>, Failure> {
    let lang = visitor.lang();
    let list = visitor.remote.call(movies(movie_type)).await?;
    let Some(movie) = visitor.choose(&list, lang.which_download())? else {
        return Ok(None);
    };
    let folder = visitor.folders.downloads.clone();
    let show = visitor.show;
    let downloaded = transfer::download(&mut visitor.remote, movie.2, &folder, show).await?;
    Ok(Some(saved(&downloaded, lang)))
}

async fn records(visitor: &mut Visitor) -> Result<Option<Report>, Failure> {
    let list = visitor.remote.call(ListRecords::default()).await?;
    Ok(Some(Report::records(&list, visitor.lang())))
}

async fn notices(visitor: &mut Visitor) -> Result<Option<Report>, Failure> {
    let list = visitor.remote.call(ListNotices::default()).await?;
    Ok(Some(Report::notices(&list, visitor.lang())))
}

fn movies(movie_type: MovieType) -> ListMovies {
    ListMovies {
        movie_type,
        offset: 0,
        limit: None,
    }
}
