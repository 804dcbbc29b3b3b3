//! Which histories fit what is watched now, and a ref's histories under another name.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::key::TimelineKey;
use super::timeline::{Job, Timeline};
use super::{JobNames, Rules};

/// Stands between the names of a trigger job and of a job in its child pipeline.
pub const CHILD_SEPARATOR: &str = " / ";

impl Timeline {
    /// The histories that a poll would not create now: no job that shares them is watched, their names are grouped
    /// differently, or none of the `sources` had them.
    pub fn histories_out_of_scope(
        &self,
        is_watched: impl Fn(&str) -> bool,
        sources: &[Arc<str>],
        rules: &Rules,
    ) -> BTreeSet<Arc<str>> {
        let jobs = self.jobs.iter();
        let fits = |name: &str, job: &Job| {
            job.fits(name, &is_watched, rules.job_names) && job.ran_in_any(sources)
        };
        jobs.filter(|(name, job)| !fits(name, job))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Jobs of child pipelines, and the trigger jobs that started these, as far as names show them.
    pub fn family_jobs(&self) -> BTreeSet<Arc<str>> {
        let mut found = BTreeSet::new();
        for name in self.jobs.keys() {
            for (at, _) in name.match_indices(CHILD_SEPARATOR) {
                if let Some((trigger, _)) = self.jobs.get_key_value(&name[..at]) {
                    found.insert(trigger.clone());
                    found.insert(name.clone());
                }
            }
        }
        found
    }

    /// Takes over the histories of another ref of the project, whose successor this ref is.
    pub fn succeed(&mut self, mut former: Self, rules: &Rules) {
        former.key = self.key.clone();
        // Pipelines of documents that do not name their sources may be known to both.
        if self.finished.0.is_empty() || former.finished.0.is_empty() {
            self.merge(&former);
            self.trim(rules);
        } else {
            self.absorb(former, rules);
        }
    }

    /// The same histories as those of another ref.
    #[must_use]
    pub fn renamed(mut self, key: TimelineKey) -> Self {
        self.key = key;
        self
    }
}

impl Job {
    /// Whether the job ran in pipelines of any of these sources, or it is not known in which.
    fn ran_in_any(&self, sources: &[Arc<str>]) -> bool {
        let mut own = self.sources.iter();
        self.sources.is_empty() || own.any(|(source, _)| sources.iter().any(|it| **it == **source))
    }

    fn fits(&self, name: &str, is_watched: impl Fn(&str) -> bool, names: JobNames) -> bool {
        let attempts = self.history.kept.iter();
        let mut members = attempts
            .flat_map(|execution| &execution.attempts)
            .map(|attempt| attempt.member().unwrap_or(name))
            .peekable();
        if members.peek().is_none() {
            // Without attempts only the name of the history is known, which grouping may have shortened.
            let may_be_watched = names != JobNames::Full || is_watched(name);
            return names.history_name(name) == name && may_be_watched;
        }
        members.any(|member| names.history_name(member) == name && is_watched(member))
    }
}
