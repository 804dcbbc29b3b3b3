//! The attempts of an execution: nearly always one, which then needs no allocation.

use std::ops::{Deref, DerefMut};

use super::attempt::Attempt;

/// Attempts as a slice.
#[derive(Debug, Clone, Default)]
pub enum Attempts {
    /// None.
    #[default]
    None,
    /// One.
    One(Attempt),
    /// Two or more.
    Several(Box<[Attempt]>),
}

impl Attempts {
    /// Inserts an attempt at a place, at most one behind the last.
    pub(crate) fn insert(&mut self, place: usize, attempt: Attempt) {
        let mut all = match std::mem::take(self) {
            Self::None => {
                *self = Self::One(attempt);
                return;
            }
            Self::One(only) => vec![only],
            Self::Several(all) => all.into_vec(),
        };
        all.reserve_exact(1);
        all.insert(place, attempt);
        *self = Self::Several(all.into());
    }
}

impl Deref for Attempts {
    type Target = [Attempt];

    fn deref(&self) -> &[Attempt] {
        match self {
            Self::None => &[],
            Self::One(only) => std::slice::from_ref(only),
            Self::Several(all) => all,
        }
    }
}

impl DerefMut for Attempts {
    fn deref_mut(&mut self) -> &mut [Attempt] {
        match self {
            Self::None => &mut [],
            Self::One(only) => std::slice::from_mut(only),
            Self::Several(all) => all,
        }
    }
}

impl PartialEq for Attempts {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Attempts {}

impl<'a> IntoIterator for &'a Attempts {
    type Item = &'a Attempt;
    type IntoIter = std::slice::Iter<'a, Attempt>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Attempts {
    type Item = &'a mut Attempt;
    type IntoIter = std::slice::IterMut<'a, Attempt>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}
