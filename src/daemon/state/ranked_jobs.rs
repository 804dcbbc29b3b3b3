//! The jobs of a timeline as they were rendered last, for the list of jobs.

use std::ops::Range;
use std::sync::Arc;

use super::transitions::Rank;
use crate::http::FoldedNames;

/// Jobs, sorted by name. A clone shares them.
#[derive(Clone, Default)]
pub(super) struct RankedJobs {
    ranks: Arc<[Rank]>,
    names: Arc<FoldedNames>,
}

impl RankedJobs {
    pub(super) fn ranks(&self) -> &[Rank] {
        &self.ranks
    }

    /// In the order of [`Self::ranks`].
    pub(super) fn names(&self) -> &FoldedNames {
        &self.names
    }

    pub(super) fn replace_all(&mut self, ranks: Vec<Rank>) {
        self.replace(0..self.ranks.len(), ranks);
    }

    /// Folds the names again only if they changed, which is seldom.
    pub(super) fn replace(&mut self, range: Range<usize>, ranks: Vec<Rank>) {
        let before = &self.ranks[range.clone()];
        if before.len() == ranks.len() {
            let mut pairs = before.iter().zip(&ranks);
            let are_same = pairs.all(|(before, now)| before.name == now.name);
            Arc::make_mut(&mut self.ranks)[range].clone_from_slice(&ranks);
            if are_same {
                return;
            }
        } else {
            let mut all = self.ranks.to_vec();
            all.splice(range, ranks);
            self.ranks = all.into();
        }
        self.names = Arc::new(FoldedNames::of(self.ranks.iter().map(|rank| &*rank.name)));
    }
}
