//! A tenant's name, which can do no harm in a path or a URL.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};

/// The name of a tenant: 1 to 63 of `a-z`, `0-9`, `-` and `_`, beginning with a letter or digit.
///
/// Whatever a request says can be given to [`new`](Self::new): what passes names no other folder, host or database than
/// its own, and is the same on file systems that do not tell case. 63 is what a host's label and PostgreSQL's names
/// may have.
///
/// ```
/// use packetboat_orm::TenantName;
///
/// assert!(TenantName::new("acme-2").is_ok());
/// for refused in ["", "../acme", "acme/../b", "Acme", "a?b", "-a", "a.b", "a\0"] {
///     assert!(TenantName::new(refused).is_err());
/// }
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TenantName(Arc<str>);

const LONGEST: usize = 63;

impl TenantName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`Error::TenantName`] for one of other characters, or too long.
    pub fn new(name: &str) -> Result<Self> {
        let is_inner = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        let is_first = |byte: &u8| byte.is_ascii_alphanumeric();
        let bytes = name.as_bytes();
        let fits = bytes.len() <= LONGEST
            && bytes.first().is_some_and(is_first)
            && bytes.iter().all(is_inner);
        if fits {
            Ok(Self(name.into()))
        } else {
            Err(Error::TenantName)
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TenantName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever passes stays in its folder, and in its part of a URL.
        #[test]
        fn a_name_is_one_part_of_a_path(name in prop_oneof![any::<String>(), "[a-z0-9_./-]{0,70}"]) {
            let Ok(tenant) = TenantName::new(&name) else {
                return Ok(());
            };
            prop_assert_eq!(tenant.as_str(), &name);
            let parts: Vec<_> = Path::new(tenant.as_str()).components().collect();
            prop_assert_eq!(parts, [Component::Normal(name.as_ref())]);
            prop_assert!(!name.contains(['?', '#', '%', ':', '@', '\0', '.', ' ']));
            prop_assert_eq!(name.to_lowercase(), name);
        }
    }

    #[test]
    fn names_have_a_length_and_a_beginning() {
        for good in ["a", "0", "acme", "a-b_c", &"x".repeat(63)] {
            assert_eq!(good.parse::<TenantName>().expect("good").to_string(), good);
        }
        for bad in [
            "",
            "-a",
            "_a",
            "A",
            "é",
            "a b",
            "..",
            "a.b",
            &"x".repeat(64),
        ] {
            assert!(TenantName::new(bad).is_err(), "{bad}");
        }
    }
}
