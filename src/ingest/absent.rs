//! Attempts that are known and that GitLab does not list: it is asked for each, and what it does not have counts no more.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::events::AbsentAttempts;
use super::reader::Reader;
use super::recheck::is_recent;
use super::sight::{Doubt, last_movement};
use crate::gitlab::Project;
use ci_history::{Absentee, CHILD_SEPARATOR, JobObservation, NotListed, PipelineObservation};

/// Attempts that are asked for at one reading of a pipeline.
const ASKED_AT_MOST: usize = 20;

/// What a trigger job leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChildScope {
    /// A child that was not read this time, or not to the end.
    NotRead,
    /// No child: it was deleted, is of another project, or does not exist yet.
    Missing,
    /// A child that was read. Children that the same trigger job started before are hidden; the ids of their jobs are
    /// lower than this, the lowest one of the child.
    Read {
        /// The lowest id of a job; `None` without jobs.
        oldest: Option<u64>,
    },
}

/// What the trigger jobs of a pipeline and of its children lead to, by the prefix of the names of the child's jobs.
#[derive(Debug, Default)]
pub(super) struct ChildScopes(HashMap<String, ChildScope>);

impl ChildScopes {
    pub(super) fn note(&mut self, prefix: String, scope: ChildScope) {
        self.0.insert(prefix, scope);
    }

    pub(super) fn note_read(&mut self, prefix: &str, jobs: &[JobObservation]) {
        let oldest = jobs.iter().map(|job| job.id).min();
        self.note(prefix.to_owned(), ChildScope::Read { oldest });
    }

    /// The scope of a job by the longest prefix of its name.
    fn of(&self, job: &str) -> Option<(usize, ChildScope)> {
        let prefixes = self.0.iter();
        let fitting = prefixes.filter(|(prefix, _)| job.starts_with(prefix.as_str()));
        let longest = fitting.max_by_key(|(prefix, _)| prefix.len());
        longest.map(|(prefix, scope)| (prefix.len(), *scope))
    }
}

/// All jobs that GitLab listed of a pipeline and of those of its children that were read.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) ids: HashSet<u64>,
    /// Names of the pipeline's own jobs and trigger jobs.
    pub(super) names: HashSet<Arc<str>>,
    /// Whether trigger jobs were listed. Without them nothing is known of jobs of other names.
    pub(super) has_trigger_jobs: bool,
    pub(super) children: ChildScopes,
}

/// What it means if GitLab does not have an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It never had it: an older version believed a webhook, or GitLab was restored from a backup.
    NeverThere,
    /// It was deleted with its child pipeline. What has ended is history and stays.
    Deleted,
}

impl Listed {
    /// What it would mean that GitLab does not have this attempt; `None` if the listing does not say that it is missing.
    fn meaning(&self, attempt: &Absentee) -> Option<Meaning> {
        let above = attempt.trigger_job.as_ref();
        let known_prefix = above.map_or(0, |name| name.len() + CHILD_SEPARATOR.len());
        let scope = match self.children.of(&attempt.job) {
            Some((length, scope)) if length >= known_prefix => Some(scope),
            // A trigger job that is known is missing in the listing.
            _ if known_prefix > 0 => Some(ChildScope::Missing),
            _ => None,
        };
        let Some(scope) = scope else {
            let is_judged = self.has_trigger_jobs || self.names.contains(&attempt.job);
            return is_judged.then_some(Meaning::NeverThere);
        };
        match scope {
            ChildScope::NotRead => None,
            ChildScope::Read { oldest } if oldest.is_some_and(|it| attempt.id > it) => {
                Some(Meaning::NeverThere)
            }
            ChildScope::Read { .. } | ChildScope::Missing => {
                attempt.is_open.then_some(Meaning::Deleted)
            }
        }
    }
}

impl Reader {
    /// Asks GitLab for the attempts of a pipeline that are known and not listed. Returns whether to read the pipeline
    /// again: some could not be asked for, or are so young that a lagging replica may not have them.
    pub(super) async fn ask_for_unlisted(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        listed: &Listed,
    ) -> Option<Doubt> {
        let known = self.observations.not_listed(project, pipeline, &listed.ids);
        let (wanted, mut is_uncertain) = self.worth_asking(pipeline, listed, &known);
        let mut absent = AbsentAttempts::default();
        for (id, meaning) in wanted {
            match self.client.has_job(project.id, id).await {
                Ok(true) => {}
                Ok(false) => {
                    match meaning {
                        Meaning::NeverThere => absent.never_there.insert(id),
                        Meaning::Deleted => absent.deleted.insert(id),
                    };
                }
                Err(error) => {
                    tracing::debug!("not known whether GitLab has job {id}: {error}");
                    is_uncertain = true;
                    break;
                }
            }
        }
        if absent != AbsentAttempts::default() {
            self.observations.absent(project, pipeline, &absent);
            // Another reading shows whether that was right.
            return Some(Doubt::Withdrawn);
        }
        is_uncertain.then_some(Doubt::Unlisted)
    }

    /// The attempts to ask for now, and whether there are more.
    fn worth_asking(
        &self,
        pipeline: &PipelineObservation,
        listed: &Listed,
        known: &NotListed,
    ) -> (Vec<(u64, Meaning)>, bool) {
        let now = self.observations.gitlab_now();
        let has_moved = is_recent(last_movement(pipeline), now) || is_recent(known.moved, now);
        let missing = known
            .attempts
            .iter()
            .filter_map(|it| Some((it, listed.meaning(it)?)));
        let (young, old): (Vec<_>, Vec<_>) =
            missing.partition(|(it, _)| has_moved || is_recent(it.at, now));
        let is_more = !young.is_empty() || old.len() > ASKED_AT_MOST;
        let old = old.into_iter().take(ASKED_AT_MOST);
        (old.map(|(it, meaning)| (it.id, meaning)).collect(), is_more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn absentee(id: u64, job: &str) -> Absentee {
        Absentee {
            id,
            job: job.into(),
            at: None,
            is_open: false,
            trigger_job: None,
        }
    }

    fn running(id: u64, job: &str) -> Absentee {
        Absentee {
            is_open: true,
            ..absentee(id, job)
        }
    }

    fn listed() -> Listed {
        let mut children = ChildScopes::default();
        children.note("away / ".to_owned(), ChildScope::NotRead);
        children.note("gone / ".to_owned(), ChildScope::Missing);
        let oldest = Some(100);
        children.note("api / ".to_owned(), ChildScope::Read { oldest });
        children.note("api / gone / ".to_owned(), ChildScope::Missing);
        Listed {
            ids: HashSet::new(),
            names: HashSet::from(["unit".into()]),
            has_trigger_jobs: true,
            children,
        }
    }

    #[test]
    fn an_attempt_of_the_pipeline_itself_that_is_not_listed_was_never_there() {
        for name in ["unit", "made-up", "other / unit"] {
            let meaning = listed().meaning(&absentee(7, name));
            assert_eq!(meaning, Some(Meaning::NeverThere), "{name}");
        }
    }

    #[test]
    fn a_child_that_was_not_read_says_nothing_about_its_jobs() {
        for attempt in [absentee(7, "away / unit"), running(7, "away / b / unit")] {
            assert_eq!(listed().meaning(&attempt), None);
        }
    }

    #[test]
    fn of_a_deleted_child_only_open_attempts_end() {
        for name in ["gone / unit", "api / gone / unit"] {
            assert_eq!(listed().meaning(&absentee(700, name)), None);
            let meaning = listed().meaning(&running(700, name));
            assert_eq!(meaning, Some(Meaning::Deleted));
        }
    }

    #[test]
    fn a_retried_trigger_job_hides_the_jobs_of_its_former_child() {
        assert_eq!(listed().meaning(&absentee(99, "api / unit")), None);
        let meaning = listed().meaning(&absentee(101, "api / unit"));
        assert_eq!(meaning, Some(Meaning::NeverThere));
    }

    #[test]
    fn without_trigger_jobs_only_names_that_are_listed_are_judged() {
        let own = Listed {
            has_trigger_jobs: false,
            children: ChildScopes::default(),
            ..listed()
        };
        assert_eq!(own.meaning(&absentee(7, "unit")), Some(Meaning::NeverThere));
        assert_eq!(own.meaning(&absentee(7, "deploy")), None);
    }

    #[test]
    fn the_jobs_below_a_trigger_job_that_is_not_listed_stay() {
        let below = |attempt| Absentee {
            trigger_job: Some("frontend".into()),
            ..attempt
        };
        let ended = below(absentee(700, "frontend / unit"));
        assert_eq!(listed().meaning(&ended), None);
        let open = below(running(700, "frontend / unit"));
        assert_eq!(listed().meaning(&open), Some(Meaning::Deleted));
    }
}
