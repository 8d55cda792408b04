//! Why a command did not do what it was asked: for people, for programs, for the shell.

use std::io;
use std::path::{Path, PathBuf};

use packetboat_dispatch::ClientError;

use crate::client::lang::Lang;
use crate::client::terminal;

/// Why a command failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The connection could not be made, broke, or spoke another wire.
    Connection {
        /// The server.
        server: String,
        /// What went wrong.
        source: ClientError,
    },
    /// What was downloaded is not what the server said it is.
    Damaged,
    /// A file or folder of this machine.
    Local {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// No session is kept for this server.
    LoggedOut,
    /// The server refused.
    Refused {
        /// The stable code.
        code: String,
        /// The server's words.
        text: String,
    },
}

impl Failure {
    /// A failure of the file system.
    pub fn local(path: impl AsRef<Path>, source: io::Error) -> Self {
        let path = path.as_ref().to_owned();
        Self::Local { path, source }
    }

    /// For programs: the server's code, or one of ours.
    pub fn code(&self) -> &str {
        match self {
            Self::Connection { .. } => "connection",
            Self::Damaged => "damaged",
            Self::Local { .. } => "local",
            Self::LoggedOut => "not_logged_in",
            Self::Refused { code, .. } => code,
        }
    }

    /// For the shell: 1 refused, 3 connection, 4 not logged in, 5 a file of this machine, 6 a
    /// damaged download. (2 is a mistake on the command line.)
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { .. } if self.is_logged_out() => 4,
            Self::Refused { .. } => 1,
            Self::Connection { .. } => 3,
            Self::LoggedOut => 4,
            Self::Local { .. } => 5,
            Self::Damaged => 6,
        }
    }

    /// Whether a login would help.
    pub fn is_logged_out(&self) -> bool {
        self.code() == "not_logged_in"
    }

    /// For people, on one line without anything that steers the terminal.
    pub fn text(&self, lang: Lang) -> String {
        let text = match self {
            Self::Connection {
                server,
                source: ClientError::Connect(cause),
            } => {
                format!("{} {server}: {cause}", lang.no_connection())
            }
            Self::Connection {
                server,
                source: source @ ClientError::Tls { .. },
            } => {
                format!("{} {server}: {}", lang.no_connection(), with_causes(source))
            }
            Self::Connection { source, .. } => {
                format!("{}: {}", lang.server_error(), with_causes(source))
            }
            Self::Damaged => lang.damaged().to_owned(),
            Self::Local { path, source } => format!("{}: {source}", path.display()),
            Self::LoggedOut => lang.log_in_first().to_owned(),
            // Servers of this kind need not say why.
            Self::Refused { code, text } if text.is_empty() && lang.refusal(code).is_none() => {
                lang.refused().to_owned()
            }
            Self::Refused { code, text } => lang.refusal(code).unwrap_or(text).to_owned(),
        };
        terminal::line(&text)
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_said_in_the_users_language_and_cannot_steer() {
        let refused = |code: &str, text: &str| Failure::Refused {
            code: code.into(),
            text: text.into(),
        };
        let known = refused("movie_exists", "电影已存在");
        assert_eq!(known.text(Lang::En), "The movie is there already.");
        assert_eq!(known.text(Lang::Zh), "电影已存在");
        assert_eq!(known.exit_code(), 1);
        let unknown = refused("new_one", "a\u{1b}[2Jb");
        assert_eq!(unknown.text(Lang::En), "a[2Jb");
        assert_eq!(refused("not_logged_in", "").exit_code(), 4);
        assert_eq!(refused("", "").text(Lang::Zh), "服务器拒绝了请求。");
    }
}
