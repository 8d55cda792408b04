//! What can stand on the client's command line.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::client::lang::Lang;
use crate::messages::{MovieType, UserType};

/// Options of every client command.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The server; tls://ADDR to encrypt, classic://ADDR and classic+tls://ADDR for one that speaks
    /// the classic wire alone
    #[arg(
        long,
        global = true,
        value_name = "ADDR",
        env = "MOVIE_SERVER",
        default_value = "127.0.0.1:7878"
    )]
    pub server: String,
    /// Trust the certificates in this file, as PEM, and not those that this machine trusts
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Print one JSON object, for scripts
    #[arg(long, global = true)]
    pub json: bool,
    /// The language [default: by locale]
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Lang>,
    /// The file that keeps sessions [default: in the user's state folder]
    #[arg(long, global = true, value_name = "FILE", env = "MOVIE_SESSIONS")]
    pub session_file: Option<PathBuf>,
}

impl Options {
    /// The language asked for, or the locale's.
    pub fn lang(&self) -> Lang {
        self.lang.unwrap_or_else(Lang::of_locale)
    }
}

/// Who an account is for.
#[derive(Args, Clone, Debug)]
pub struct Account {
    /// The account's name
    pub name: String,
    /// An admin's account, not a user's
    #[arg(long)]
    pub admin: bool,
}

impl Account {
    /// The kind of account.
    pub fn user_type(&self) -> UserType {
        if self.admin {
            UserType::Admin
        } else {
            UserType::User
        }
    }
}

/// What a movie is to cost.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct Price {
    /// It costs nothing
    #[arg(long)]
    pub free: bool,
    /// It costs money
    #[arg(long)]
    pub charge: bool,
}

/// Which movies to list.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Which {
    /// Every movie
    All,
    /// Those that cost money
    Charge,
    /// Those that cost nothing
    Free,
}

impl From<Which> for MovieType {
    fn from(which: Which) -> Self {
        match which {
            Which::All => Self::All,
            Which::Charge => Self::Charge,
            Which::Free => Self::Free,
        }
    }
}

/// One thing to do. Passwords are asked for, or read from standard input when that is a pipe: on a
/// command line the other people of a machine would see them.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Make an account
    Register(Account),
    /// Log in; the session is kept in a file of yours
    Login(Account),
    /// End the kept session
    Logout,
    /// List movies, newest first
    List {
        /// Which movies
        #[arg(value_enum, default_value_t = Which::All)]
        which: Which,
    },
    /// Become a VIP
    BuyVip,
    /// Fetch a movie
    Download {
        /// The movie's id, out of a list
        id: i64,
        /// The folder to put it in
        #[arg(long, value_name = "DIR", default_value = ".")]
        to: PathBuf,
    },
    /// List your own downloads, newest first
    Records,
    /// List notices, newest first
    Notices,
    /// Ask whether a file is new to the server (admin)
    Check {
        /// The file
        file: PathBuf,
    },
    /// Send a movie to the server (admin)
    Upload {
        /// The file
        file: PathBuf,
        /// What it is to cost
        #[command(flatten)]
        price: Price,
    },
    /// Delete a movie (admin)
    Delete {
        /// The movie's id, out of a list
        id: i64,
    },
    /// Publish a notice (admin)
    Publish {
        /// At most 200 characters
        title: String,
        /// At most 8 KiB
        content: String,
    },
}

/// Where the menu takes movies from and puts them.
#[derive(Args, Clone, Debug)]
pub struct MenuFolders {
    /// The folder whose files an admin may upload
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub uploads: PathBuf,
    /// The folder for downloads
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub downloads: PathBuf,
}
