//! Message types as numbers.

use std::collections::HashMap;

use crate::error::Error;

/// The number of a message type: FNV-1a, 32 bits, over the name in UTF-8, and 1 where that is 0,
/// because 0 says "look into the message".
///
/// ```
/// assert_eq!(packetboat_framing::native::type_hash("login"), 0xc97f_2f32);
/// ```
pub const fn type_hash(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let (mut hash, mut i) = (0x811c_9dc5_u32, 0);
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    if hash == 0 { 1 } else { hash }
}

/// The message types of an application, each by its number.
///
/// Two names with one number cannot live in one table: the second is refused when the application
/// starts, never guessed at when a message comes.
#[derive(Debug, Clone, Default)]
pub struct Types {
    names: HashMap<u32, String>,
}

impl Types {
    /// A table with no type in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a type and gives its number. The same name may be added again.
    ///
    /// # Errors
    ///
    /// [`Error::TypeCollision`] if another name has that number.
    pub fn register(&mut self, name: &str) -> Result<u32, Error> {
        let hash = type_hash(name);
        let known = self.names.entry(hash).or_insert_with(|| name.to_owned());
        if known != name {
            return Err(Error::TypeCollision {
                name: name.to_owned(),
                other: known.clone(),
                hash,
            });
        }
        Ok(hash)
    }

    /// The name with this number.
    pub fn name(&self, hash: u32) -> Option<&str> {
        self.names.get(&hash).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collision_is_refused_with_both_names() {
        let mut types = Types::new();
        let costarring = types.register("costarring").expect("the first");
        assert_eq!(types.register("costarring").ok(), Some(costarring));
        let error = types.register("liquid").expect_err("one number, two names");
        assert!(
            matches!(&error, Error::TypeCollision { name, other, hash }
                if name == "liquid" && other == "costarring" && *hash == costarring),
            "{error}"
        );
        assert_eq!(types.name(costarring), Some("costarring"));
        assert_eq!(types.name(0), None);
    }

    #[test]
    fn hashes_are_those_of_fnv_1a() {
        for (name, hash) in [
            ("", 0x811c_9dc5),
            ("a", 0xe40c_292c),
            ("foobar", 0xbf9c_f968),
        ] {
            assert_eq!(type_hash(name), hash);
        }
    }
}
