//! What a site can be made of, and how much of it a plan pays for.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use packetboat_orm::Field;
use serde::{Deserialize, Serialize};

/// A part of a site that a company switches on or off.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Field,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    ValueEnum,
)]
#[serde(rename_all = "snake_case")]
#[clap(rename_all = "snake_case")]
pub enum Component {
    /// How often the site was visited.
    Counter,
    /// Files to download.
    Files,
    /// Visitors write, and the owner decides what is shown.
    GuestBook,
    /// Short news, the newest first.
    Notices,
    /// Pages in Markdown.
    Pages,
    /// Visitors ask, and the owner answers.
    Questions,
}

impl Component {
    /// All there are, in the order in which a site shows them.
    pub const ALL: [Self; 6] = [
        Self::Pages,
        Self::Notices,
        Self::GuestBook,
        Self::Files,
        Self::Counter,
        Self::Questions,
    ];

    /// Its name in forms, messages and the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Files => "files",
            Self::GuestBook => "guest_book",
            Self::Notices => "notices",
            Self::Pages => "pages",
            Self::Questions => "questions",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is the name of no component.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no component has this name")]
pub struct UnknownComponent;

impl FromStr for Component {
    type Err = UnknownComponent;

    fn from_str(text: &str) -> Result<Self, UnknownComponent> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.as_str() == text).ok_or(UnknownComponent)
    }
}

/// What a company pays for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Field, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Two components.
    Starter,
    /// Four.
    Business,
    /// All of them.
    Enterprise,
}

impl Plan {
    /// How many components may be on at once.
    pub const fn allows(self) -> usize {
        match self {
            Self::Starter => 2,
            Self::Business => 4,
            Self::Enterprise => Component::ALL.len(),
        }
    }

    /// Its name in the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starter => "starter",
            Self::Business => "business",
            Self::Enterprise => "enterprise",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_has_a_name_of_its_own_and_is_found_by_it() {
        for component in Component::ALL {
            assert_eq!(component.as_str().parse(), Ok(component));
            assert_eq!(
                serde_json::to_string(&component).expect("a name"),
                format!("\"{component}\"")
            );
        }
        assert_eq!("shop".parse::<Component>(), Err(UnknownComponent));
        assert_eq!(Plan::Enterprise.allows(), 6);
    }
}
