//! Counts by outcome and by failure class, in 4 bytes each, because every history has a dozen of them.

use std::marker::PhantomData;

use super::{FailureClass, Outcome};

/// Executions by outcome.
pub type OutcomeCounts = Counts<Outcome, { Outcome::ALL.len() }>;

/// Failures by class.
pub type ClassCounts = Counts<FailureClass, { FailureClass::ALL.len() }>;

/// A count for each of `N` kinds. Counting ends at `u32::MAX`: one execution a second for 136 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts<K, const N: usize> {
    counts: [u32; N],
    kinds: PhantomData<K>,
}

impl<K, const N: usize> Default for Counts<K, N> {
    fn default() -> Self {
        Self {
            counts: [0; N],
            kinds: PhantomData,
        }
    }
}

impl<K: Kind, const N: usize> Counts<K, N> {
    /// How many there are of a kind.
    pub fn get(&self, kind: K) -> u64 {
        self.counts[kind.place()].into()
    }

    /// Replaces the count of a kind. Imported counts may be of any size.
    pub fn set(&mut self, kind: K, count: u64) {
        self.counts[kind.place()] = u32::try_from(count).unwrap_or(u32::MAX);
    }

    /// Counts one more of a kind.
    pub fn increment(&mut self, kind: K) {
        let count = &mut self.counts[kind.place()];
        *count = count.saturating_add(1);
    }

    /// Each kind with its count.
    pub fn iter(&self) -> impl Iterator<Item = (K, u64)> {
        let counts = self.counts.iter().copied().map(u64::from);
        K::KINDS.iter().copied().zip(counts)
    }

    /// How many there are of any kind.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// Adds other counts.
    pub(crate) fn add(&mut self, more: &Self) {
        self.change(more, u32::saturating_add);
    }

    /// Takes other counts away, as far as there are so many.
    pub(crate) fn take(&mut self, fewer: &Self) {
        self.change(fewer, u32::saturating_sub);
    }

    /// Keeps the greater count of each kind.
    pub(crate) fn keep_greater(&mut self, other: &Self) {
        self.change(other, u32::max);
    }

    fn change(&mut self, other: &Self, with: fn(u32, u32) -> u32) {
        for (count, other) in self.counts.iter_mut().zip(other.counts) {
            *count = with(*count, other);
        }
    }
}

/// A kind that is counted.
pub trait Kind: Copy + 'static {
    /// All kinds, in the order of their places.
    const KINDS: &[Self];

    /// Place of its count.
    fn place(self) -> usize;
}

impl Kind for Outcome {
    const KINDS: &[Self] = &Self::ALL;

    fn place(self) -> usize {
        self as usize
    }
}

impl Kind for FailureClass {
    const KINDS: &[Self] = &Self::ALL;

    fn place(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_count_overflows() {
        let mut counts = OutcomeCounts::default();
        counts.set(Outcome::Failed, u64::MAX);
        counts.increment(Outcome::Failed);
        counts.increment(Outcome::Passed);
        counts.add(&counts.clone());
        assert_eq!(counts.get(Outcome::Failed), u32::MAX.into());
        assert_eq!(counts.get(Outcome::Passed), 2);
        assert_eq!(counts.total(), u64::from(u32::MAX) + 2);
        let mut none = OutcomeCounts::default();
        none.take(&counts);
        assert_eq!(none, OutcomeCounts::default());
        none.keep_greater(&counts);
        assert_eq!(none, counts);
    }
}
