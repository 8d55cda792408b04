//! Values by type, for what middleware hands on.

use std::any::{Any, TypeId};
use std::fmt;

/// At most one value of each type.
///
/// A list and not a map: a request carries a handful at most, and most carry none.
#[derive(Default)]
pub struct Extensions {
    values: Vec<(TypeId, Box<dyn Any + Send + Sync>)>,
}

impl Extensions {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value in and returns the one of the same type that stood there.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        let old = self.remove::<T>();
        self.values.push((TypeId::of::<T>(), Box::new(value)));
        old
    }

    /// The value of this type.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.values[self.position::<T>()?].1.downcast_ref()
    }

    /// The value of this type, to change.
    pub fn get_mut<T: Send + Sync + 'static>(&mut self) -> Option<&mut T> {
        let at = self.position::<T>()?;
        self.values[at].1.downcast_mut()
    }

    /// Takes the value of this type out.
    pub fn remove<T: Send + Sync + 'static>(&mut self) -> Option<T> {
        let at = self.position::<T>()?;
        self.values
            .swap_remove(at)
            .1
            .downcast()
            .ok()
            .map(|value| *value)
    }

    fn position<T: 'static>(&self) -> Option<usize> {
        self.values
            .iter()
            .position(|(id, _)| *id == TypeId::of::<T>())
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions")
            .field("len", &self.values.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_of_each_type() {
        let mut extensions = Extensions::new();
        assert_eq!(extensions.get::<u8>(), None);
        assert_eq!(extensions.insert(1u8), None);
        assert_eq!(extensions.insert(2u8), Some(1));
        extensions.insert("text");
        *extensions.get_mut::<u8>().expect("it is there") += 1;
        assert_eq!(extensions.remove::<u8>(), Some(3));
        assert_eq!(extensions.get::<u8>(), None);
        assert_eq!(extensions.get(), Some(&"text"));
    }
}
