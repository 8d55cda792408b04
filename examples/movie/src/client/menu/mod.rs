//! The menus: what to do next, again and again.

mod admin;
mod user;

use std::io;

use crate::client::args::{MenuFolders, Options};
use crate::client::failure::Failure;
use crate::client::lang::Lang;
use crate::client::prompt;
use crate::client::remote::Remote;
use crate::client::report::Report;
use crate::client::terminal::line;
use crate::client::transfer::Show;
use crate::messages::{LoginReply, MovieList, MovieRow, UserType};

/// Someone at the menu: one connection, and at most one account on it.
struct Visitor {
    options: Options,
    remote: Remote,
    folders: MenuFolders,
    show: Show,
    /// Whether the account that is logged in is a VIP; `None` when nobody is.
    vip: Option<bool>,
}

/// How a menu ended.
enum End {
    /// One menu up.
    Back,
    /// The input is at its end.
    Input,
}

/// Shows the menus until the user quits or the input ends.
///
/// # Errors
/// When no connection can be made, or the terminal fails. Refusals are shown, and the menu goes on.
pub async fn run(folders: MenuFolders, options: &Options) -> Result<(), Failure> {
    let lang = options.lang();
    let mut visitor = Visitor {
        remote: Remote::open(options).await?,
        options: options.clone(),
        folders,
        show: Show { lang, quiet: false },
        vip: None,
    };
    loop {
        let end = match ask(lang, lang.main_menu())?.as_deref() {
            Some("1") => admin::menu(&mut visitor).await?,
            Some("2") => user::menu(&mut visitor).await?,
            Some("0" | "q") | None => End::Input,
            Some(_) => visitor.not_a_choice(),
        };
        if let End::Input = end {
            println!("{}", lang.bye());
            return Ok(());
        }
    }
}

impl Visitor {
    fn lang(&self) -> Lang {
        self.show.lang
    }

    /// Before any question whose answer would be refused.
    fn require_login(&self) -> Result<(), Failure> {
        self.vip.map(drop).ok_or(Failure::LoggedOut)
    }

    fn not_a_choice(&self) -> End {
        println!("{}", self.lang().not_a_choice());
        End::Back
    }

    /// Prints what came of a step. A refusal is told and the menu goes on; a lost connection is made
    /// anew, and then one has to log in again.
    async fn tell(&mut self, result: Result<Option<Report>, Failure>) -> Result<(), Failure> {
        let lang = self.lang();
        match result {
            Ok(Some(report)) => println!("{}", report.text),
            Ok(None) => {}
            Err(failure) => {
                println!("{}", failure.text(lang));
                if failure.is_logged_out() {
                    self.vip = None;
                }
            }
        }
        if !self.remote.is_usable() {
            self.remote = Remote::open(&self.options).await?;
            self.vip = None;
            println!("{}", lang.connection_lost());
        }
        Ok(())
    }

    /// Asks for a name and a password, and makes an account.
    async fn register(&mut self, user_type: UserType) -> Result<Option<Report>, Failure> {
        let Some((name, password)) = self.credentials()? else {
            return Ok(None);
        };
        self.remote.register(&name, &password, user_type).await?;
        Ok(Some(Report::done(self.lang().registered())))
    }

    /// Asks for a name and a password, and logs in. The newest notices come with the reply.
    async fn log_in(&mut self, user_type: UserType) -> Result<Option<LoginReply>, Failure> {
        let Some((name, password)) = self.credentials()? else {
            return Ok(None);
        };
        let reply = self
            .remote
            .login(&name, &password, user_type, false)
            .await?;
        self.vip = Some(reply.is_vip);
        println!("{} {}", self.lang().logged_in(), line(&name));
        Ok(Some(reply))
    }

    fn credentials(&self) -> Result<Option<(String, String)>, Failure> {
        let lang = self.lang();
        let Some(name) = prompt::ask(lang.ask_name()).map_err(terminal)? else {
            return Ok(None);
        };
        let password = prompt::ask_password(lang.ask_password()).map_err(terminal)?;
        Ok(password.map(|password| (name, password)))
    }

    /// Lists movies under running numbers, and asks for one.
    fn choose<'a>(
        &self,
        list: &'a MovieList,
        question: &str,
    ) -> Result<Option<&'a MovieRow>, Failure> {
        let names = list.movie_list.iter().map(|row| {
            let fee = crate::client::report::fee(row.1, self.lang());
            format!("{} [{fee}]", line(&row.0))
        });
        let at = self.choose_of(names, question)?;
        Ok(at.map(|at| &list.movie_list[at]))
    }

    /// Lists lines under running numbers, and asks for one.
    fn choose_of(
        &self,
        lines: impl ExactSizeIterator<Item = String>,
        question: &str,
    ) -> Result<Option<usize>, Failure> {
        let count = lines.len();
        for (at, line) in lines.enumerate() {
            println!("{:>4}  {line}", at + 1);
        }
        loop {
            let Some(answer) = prompt::ask(question).map_err(terminal)? else {
                return Ok(None);
            };
            match answer.parse::<usize>() {
                Ok(0) => return Ok(None),
                Ok(n) if n <= count => return Ok(Some(n - 1)),
                _ => println!("{}", self.lang().not_a_choice()),
            }
        }
    }
}

/// Shows a menu and asks for a number.
fn ask(lang: Lang, menu: &str) -> Result<Option<String>, Failure> {
    println!();
    for choice in menu.split("  ") {
        println!("  {choice}");
    }
    prompt::ask(lang.ask_choice()).map_err(terminal)
}

fn terminal(source: io::Error) -> Failure {
    Failure::local("stdin", source)
}
