//! What is measured: the works of Diesel's own benchmark suite, and the single statements beside them.

use std::{fmt, str::FromStr};

use super::BoxError;

/// One work. Its name is how it stands in the results: `trivial/100`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Work {
    /// So many rows of `users`.
    Trivial(usize),
    /// So many users, half of whom are kept, with the posts that they have not: a left join.
    Medium(usize),
    /// So many users in one statement.
    Insert(usize),
    /// Users, their posts, the posts' comments: three queries, grouped.
    Associations,
    /// One user of 10,000 by key.
    Point,
    /// One user, whose key comes back.
    InsertOne,
    /// One user of 10,000, by key.
    UpdateOne,
    /// So many users, in as many statements as it takes, all or nothing.
    Bulk(usize),
}

impl Work {
    pub(super) const ALL: [Self; 20] = [
        Self::Trivial(1),
        Self::Trivial(10),
        Self::Trivial(100),
        Self::Trivial(1_000),
        Self::Trivial(10_000),
        Self::Medium(1),
        Self::Medium(10),
        Self::Medium(100),
        Self::Medium(1_000),
        Self::Medium(10_000),
        Self::Insert(1),
        Self::Insert(10),
        Self::Insert(25),
        Self::Insert(50),
        Self::Insert(100),
        Self::Associations,
        Self::Point,
        Self::InsertOne,
        Self::UpdateOne,
        Self::Bulk(10_000),
    ];

    /// How many users stand in the table before.
    pub(super) const fn users(self, associated: usize) -> usize {
        match self {
            Self::Trivial(users) | Self::Medium(users) => users,
            Self::Associations => associated,
            Self::Point | Self::UpdateOne => KEYS,
            Self::Insert(_) | Self::InsertOne | Self::Bulk(_) => 0,
        }
    }

    /// How many rows come back, or are written, each user, post and comment counted once.
    pub(super) const fn rows(self, associated: usize) -> usize {
        match self {
            Self::Trivial(rows) | Self::Insert(rows) | Self::Bulk(rows) => rows,
            // The even ones, the first of which is 0.
            Self::Medium(users) => users.div_ceil(2),
            Self::Associations => associated * (1 + POSTS * (1 + COMMENTS)),
            Self::Point | Self::InsertOne | Self::UpdateOne => 1,
        }
    }

    /// Whether it adds rows, which are then taken away again.
    pub(super) const fn inserts(self) -> bool {
        matches!(self, Self::Insert(_) | Self::InsertOne | Self::Bulk(_))
    }
}

/// How many users a point select and an update choose from.
pub(super) const KEYS: usize = 10_000;
/// Posts of a user.
pub(super) const POSTS: usize = 10;
/// Comments of a post.
pub(super) const COMMENTS: usize = 10;

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trivial(rows) => write!(f, "trivial/{rows}"),
            Self::Medium(rows) => write!(f, "medium/{rows}"),
            Self::Insert(rows) => write!(f, "insert/{rows}"),
            Self::Associations => f.write_str("associations"),
            Self::Point => f.write_str("point"),
            Self::InsertOne => f.write_str("insert-one"),
            Self::UpdateOne => f.write_str("update-one"),
            Self::Bulk(rows) => write!(f, "bulk/{rows}"),
        }
    }
}

impl FromStr for Work {
    type Err = BoxError;

    fn from_str(name: &str) -> Result<Self, BoxError> {
        let found = Self::ALL.into_iter().find(|work| work.to_string() == name);
        found.ok_or_else(|| {
            let names: Vec<String> = Self::ALL.iter().map(ToString::to_string).collect();
            format!("no such work; there are {}", names.join(", ")).into()
        })
    }
}

/// A user to insert.
#[derive(Clone, Debug)]
pub(super) struct NewUser {
    pub(super) name: String,
    pub(super) hair_color: Option<String>,
}

/// Users to insert, every second with black hair, the others with brown.
pub(super) fn new_users(count: usize) -> Vec<NewUser> {
    (0..count)
        .map(|at| NewUser {
            name: format!("User {at}"),
            hair_color: Some(if at % 2 == 0 { "black" } else { "brown" }.to_owned()),
        })
        .collect()
}

/// Keys in an order that is the same for everyone and jumps about.
#[derive(Debug)]
pub(super) struct Keys(usize);

impl Keys {
    pub(super) const fn new() -> Self {
        Self(0)
    }

    /// The next key, from 1 to [`KEYS`].
    pub(super) fn next(&mut self) -> i64 {
        // 7,919 is a prime that does not divide the number of keys, so that each comes once in a cycle.
        self.0 = (self.0 + 7_919) % KEYS;
        i64::try_from(self.0 + 1).expect("a small number")
    }
}
