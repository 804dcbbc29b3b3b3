//! The jobs of a timeline as they were rendered last, for the list of jobs.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::transitions::Rank;
use crate::http::FoldedNames;

/// The owner of each job of a rendering, by the job's name.
pub(super) type Teams = HashMap<Arc<str>, Option<Arc<str>>>;

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

    /// Replaces jobs by others, which have the teams that they had. Names are seldom folded again.
    pub(super) fn replace(&mut self, range: Range<usize>, mut ranks: Vec<Rank>) {
        let before = &self.ranks[range.clone()];
        let mut pairs = before.iter().zip(&ranks);
        if before.len() == ranks.len() && pairs.all(|(before, now)| before.name == now.name) {
            let before = &mut Arc::make_mut(&mut self.ranks)[range];
            for (before, now) in before.iter_mut().zip(ranks) {
                let team = before.team.take();
                *before = now.owned_by(team);
            }
            return;
        }
        for rank in &mut ranks {
            rank.team = self.team(&rank.name);
        }
        let mut all = self.ranks.to_vec();
        all.splice(range, ranks);
        self.ranks = all.into();
        self.fold();
    }

    /// Gives jobs their teams.
    pub(super) fn give(&mut self, teams: &Teams) {
        let given = |rank: &Rank| teams.get(&rank.name).filter(|team| **team != rank.team);
        if !self.ranks.iter().any(|rank| given(rank).is_some()) {
            return;
        }
        for rank in Arc::make_mut(&mut self.ranks) {
            if let Some(team) = given(rank) {
                rank.team.clone_from(team);
            }
        }
        self.fold();
    }

    fn team(&self, job: &str) -> Option<Arc<str>> {
        let at = self.ranks.binary_search_by(|rank| (*rank.name).cmp(job));
        self.ranks[at.ok()?].team.clone()
    }

    fn fold(&mut self) {
        self.names = Arc::new(FoldedNames::of(&*self.ranks));
    }
}

#[cfg(test)]
mod tests {
    use ci_history::Absence;

    use super::*;
    use crate::http::JobFacts;

    fn ranks(names: &[&str]) -> Vec<Rank> {
        let rank = |name: &&str| {
            let facts = JobFacts::default();
            Rank::new(Arc::from(*name), facts, Absence::default())
        };
        names.iter().map(rank).collect()
    }

    fn teams(teams: &[(&str, Option<&str>)]) -> Teams {
        let teams = teams.iter();
        let pairs = teams.map(|(job, team)| (Arc::from(*job), team.map(Arc::from)));
        pairs.collect()
    }

    fn shown(jobs: &RankedJobs) -> Vec<(&str, Option<&str>)> {
        let ranks = jobs.ranks().iter();
        ranks
            .map(|rank| (&*rank.name, rank.team.as_deref()))
            .collect()
    }

    #[test]
    fn a_job_keeps_its_team_until_it_is_given_another() {
        let mut jobs = RankedJobs::default();
        jobs.replace_all(ranks(&["a", "b", "c"]));
        jobs.give(&teams(&[("a", Some("web")), ("c", Some("sre"))]));
        jobs.replace(1..2, ranks(&["b"]));
        jobs.replace(2..3, ranks(&["c", "d"]));
        let kept = [
            ("a", Some("web")),
            ("b", None),
            ("c", Some("sre")),
            ("d", None),
        ];
        assert_eq!(shown(&jobs), kept);
        jobs.give(&teams(&[("a", None), ("b", Some("qa"))]));
        jobs.replace(2..3, ranks(&[]));
        assert_eq!(shown(&jobs), [("a", None), ("b", Some("qa")), ("d", None)]);
    }

    #[test]
    fn the_names_are_folded_whenever_names_or_teams_changed() {
        let mut jobs = RankedJobs::default();
        let is_folded = |jobs: &RankedJobs| *jobs.names == FoldedNames::of(jobs.ranks());
        jobs.replace_all(ranks(&["a", "b", "c"]));
        assert!(is_folded(&jobs));
        jobs.give(&teams(&[("a", Some("web"))]));
        assert!(is_folded(&jobs));
        jobs.replace(0..1, ranks(&["A"]));
        assert!(is_folded(&jobs));
        jobs.replace(1..3, ranks(&["b"]));
        assert!(is_folded(&jobs));
        let before = Arc::clone(&jobs.names);
        jobs.replace(0..1, ranks(&["A"]));
        jobs.give(&teams(&[("A", None)]));
        assert!(Arc::ptr_eq(&before, &jobs.names));
    }
}
