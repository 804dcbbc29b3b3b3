//! Health: whether the saved state is loaded, and what cannot be polled or read, and why.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::rate_news::RateNews;
use super::round_progress::RoundProgress;
use crate::base::human::span;
use crate::base::project_problem::ProjectProblem;
use crate::gitlab::{Error, ErrorKind, Project, Rejected};
use crate::http::{ProjectError, Readiness};
use crate::metrics::Limit;
use ci_history::Timestamp;

/// Rejected records that are remembered, so that each is logged once.
const REMEMBERED_REJECTIONS: usize = 10_000;

/// Projects of which a past error is remembered.
const MOST_PAST_FAILURES: usize = 1000;

/// How polling, loading and reading schedules go.
#[derive(Clone, Default)]
pub(super) struct Health {
    loading: Loading,
    first_round_ended: bool,
    /// How far polling is.
    pub(super) round: RoundProgress,
    /// Whether polling may send as many requests as it needs.
    pub(super) rate_news: RateNews,
    /// Whether any project was polled.
    any_polled: bool,
    /// When a project was last polled without an error.
    newest_poll: Option<Timestamp>,
    /// The last error of each project, or name of the configuration, by its path.
    poll_failures: BTreeMap<String, PollFailure>,
    /// The last error of projects whose last poll succeeded, by path.
    past_failures: BTreeMap<String, PollFailure>,
    /// Why projects are not watched as the configuration says, by project id.
    problems: BTreeMap<u64, (Arc<str>, ProjectProblem)>,
    /// By project id.
    schedule_failures: BTreeMap<u64, ScheduleFailure>,
    logged_rejections: HashSet<(&'static str, Option<u64>)>,
    /// By project id.
    logged_limits: HashSet<(u64, Limit)>,
}

#[derive(Clone, Default)]
enum Loading {
    #[default]
    UnderWay,
    /// So many timelines of all that were read are exposed.
    Restoring {
        done: usize,
        of: usize,
    },
    /// To be tried again; why.
    Failed(String),
    Done,
}

/// How far the first round of polling came.
pub(super) struct Progress {
    pub(super) watched: usize,
    /// Projects that were polled without an error.
    pub(super) read: usize,
    /// Since the start.
    pub(super) seconds: i64,
}

#[derive(Clone)]
struct PollFailure {
    reason: &'static str,
    message: String,
    at: Timestamp,
}

#[derive(Clone)]
struct ScheduleFailure {
    reason: &'static str,
    /// The reading that failed is still to report the schedules that are known all the same.
    is_under_way: bool,
}

/// What is new about a failed poll.
pub(super) struct FailureNews {
    /// Whether the project fails for another reason than before.
    pub(super) is_news: bool,
    /// CI/CD was switched off since the last poll.
    pub(super) ci_was_disabled: bool,
}

impl Health {
    pub(super) fn restoring(&mut self, done: usize, of: usize) {
        self.loading = Loading::Restoring { done, of };
    }

    pub(super) fn is_loaded(&self) -> bool {
        matches!(self.loading, Loading::Done)
    }

    pub(super) fn loaded(&mut self) {
        self.loading = Loading::Done;
    }

    /// The saved state could not be read; returns whether the error is a new one.
    pub(super) fn not_loaded(&mut self, error: &str) -> bool {
        let former = std::mem::replace(&mut self.loading, Loading::Failed(error.to_owned()));
        !matches!(former, Loading::Failed(former) if former == error)
    }

    pub(super) fn first_round_ended(&mut self) {
        self.first_round_ended = true;
    }

    pub(super) fn has_first_round_ended(&self) -> bool {
        self.first_round_ended
    }

    pub(super) fn any_polled(&self) -> bool {
        self.any_polled
    }

    /// When a watched project was last polled without an error.
    pub(super) fn newest_poll(&self) -> Option<Timestamp> {
        self.newest_poll
    }

    /// A cycle succeeded; `path` unless the project is no longer watched. Returns whether the one before failed.
    pub(super) fn polled(&mut self, path: Option<&str>, at: Timestamp) -> bool {
        self.any_polled = true;
        if path.is_some() {
            self.newest_poll = self.newest_poll.max(Some(at));
        }
        let failure = path.and_then(|path| self.poll_failures.remove_entry(path));
        let has_recovered = failure.is_some();
        if let Some((path, failure)) = failure {
            if self.past_failures.len() >= MOST_PAST_FAILURES {
                let oldest = self.past_failures.iter().min_by_key(|(_, it)| it.at);
                let oldest = oldest.map(|(path, _)| path.clone());
                oldest.and_then(|path| self.past_failures.remove(&path));
            }
            self.past_failures.insert(path, failure);
        }
        has_recovered
    }

    pub(super) fn poll_failed(&mut self, name: &str, error: &Error, at: Timestamp) -> FailureNews {
        let (reason, message) = (error.reason(), error.to_string());
        let known = self.poll_failures.get(name);
        // Not by the message: it may count down seconds.
        let is_known = known.is_some_and(|known| known.reason == reason);
        let ci_is_disabled = matches!(error.kind(), ErrorKind::CiDisabled);
        // Without CI/CD there is nothing to poll, and no last poll that could be too long ago.
        self.any_polled |= ci_is_disabled;
        // The error that opened the circuit was told, and stays to be seen.
        let is_left_alone = matches!(error.kind(), ErrorKind::CircuitOpen { .. });
        if !is_left_alone || known.is_none() {
            let failure = PollFailure {
                reason,
                message,
                at,
            };
            self.past_failures.remove(name);
            self.poll_failures.insert(name.to_owned(), failure);
        }
        FailureNews {
            is_news: !is_left_alone && !is_known,
            ci_was_disabled: ci_is_disabled && !is_known,
        }
    }

    /// Notes why a project is not watched as the configuration says, or that it is. Returns the path that it had
    /// when there was a reason before.
    pub(super) fn project_problem(
        &mut self,
        project: &Project,
        problem: Option<ProjectProblem>,
    ) -> Option<Arc<str>> {
        let former = self.problems.remove(&project.id);
        if let Some(problem) = problem {
            self.problems
                .insert(project.id, (project.path.clone(), problem));
        }
        former.map(|(path, _)| path)
    }

    /// Why projects are not watched as the configuration says, by their paths.
    pub(super) fn problems(&self) -> impl Iterator<Item = (&Arc<str>, ProjectProblem)> {
        self.problems
            .values()
            .map(|(path, problem)| (path, *problem))
    }

    pub(super) fn project_moved(&mut self, from: &str, to: &str) {
        if let Some(failure) = self.poll_failures.remove(from) {
            self.poll_failures.insert(to.to_owned(), failure);
        }
    }

    /// Forgets the failures of all other paths, and returns them.
    pub(super) fn forget_failures_but(&mut self, paths: &BTreeSet<&str>) -> Vec<String> {
        let failures = std::mem::take(&mut self.poll_failures).into_iter();
        let (stay, go): (BTreeMap<_, _>, BTreeMap<_, _>) =
            failures.partition(|(name, _)| paths.contains(name.as_str()));
        self.poll_failures = stay;
        go.into_keys().collect()
    }

    /// Why the last poll of a path failed.
    pub(super) fn failure(&self, path: &str) -> Option<&str> {
        Some(&self.poll_failures.get(path)?.message)
    }

    /// All failures by path, with their messages.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        let failures = self.poll_failures.iter();
        failures.map(|(name, failure)| (name.as_str(), failure.message.as_str()))
    }

    /// The last error of each project and name, also where a later poll succeeded.
    pub(super) fn errors(&self) -> Vec<ProjectError> {
        let all = [(&self.poll_failures, false), (&self.past_failures, true)];
        let errors = all.into_iter().flat_map(|(failures, is_over)| {
            failures.iter().map(move |(project, failure)| ProjectError {
                project: project.clone(),
                at: failure.at,
                message: failure.message.clone(),
                is_over,
            })
        });
        errors.collect()
    }

    /// Schedules are reported; returns whether they are read again after a failure.
    pub(super) fn schedules_reported(&mut self, project_id: u64) -> bool {
        match self.schedule_failures.get_mut(&project_id) {
            Some(failure) if failure.is_under_way => {
                failure.is_under_way = false;
                false
            }
            Some(_) => self.schedule_failures.remove(&project_id).is_some(),
            None => false,
        }
    }

    /// Returns whether the schedules of the project fail for another reason than before.
    pub(super) fn schedules_failed(&mut self, project_id: u64, reason: &'static str) -> bool {
        let failure = ScheduleFailure {
            reason,
            is_under_way: true,
        };
        let known = self.schedule_failures.insert(project_id, failure);
        known.is_none_or(|known| known.reason != reason)
    }

    /// Returns whether to log that a limit of a project is reached.
    pub(super) fn limit_reached(&mut self, project_id: u64, limit: Limit) -> bool {
        self.logged_limits.len() < REMEMBERED_REJECTIONS
            && self.logged_limits.insert((project_id, limit))
    }

    /// Returns whether to log an invalid record.
    pub(super) fn rejected(&mut self, rejected: &Rejected) -> bool {
        self.logged_rejections.len() < REMEMBERED_REJECTIONS
            && self.logged_rejections.insert((rejected.kind, rejected.id))
    }

    /// `progress` is asked only if there is something to wait for.
    pub(super) fn readiness(&self, progress: impl Fn() -> Progress) -> Readiness {
        let is_polled = self.first_round_ended && self.any_polled;
        if matches!(self.loading, Loading::Done) && is_polled {
            return Readiness::Ready;
        }
        let Progress {
            watched,
            read,
            seconds,
        } = progress();
        let failures = self.poll_failures.len();
        let why = match &self.loading {
            Loading::UnderWay => format!("the saved state is being read, for {seconds} s"),
            Loading::Restoring { done, of } => {
                format!("the saved state is being read: {done} of {of} timelines, for {seconds} s")
            }
            Loading::Failed(error) => {
                format!("the saved state cannot be read, for {seconds} s: {error}")
            }
            Loading::Done if self.first_round_ended && failures == 0 && watched == 0 => {
                return Readiness::Ready;
            }
            Loading::Done => {
                let left = self.round.time_left().map(|left| {
                    let left = span(left.as_secs_f64());
                    format!(", about {left} left")
                });
                let left = left.unwrap_or_default();
                // Of a project whose past is still to be read the newest pipelines may be all that was read.
                let read = read.max(self.round.now.tried.saturating_sub(failures));
                let counts = format!(
                    "{read} of {watched} projects read, {failures} with errors, for {seconds} s{left}"
                );
                match self.failures().next() {
                    Some((name, message)) if !self.any_polled => {
                        format!("no project could be polled yet; {name}: {message} ({counts})")
                    }
                    _ => format!("the first round of polling is under way: {counts}"),
                }
            }
        };
        Readiness::NotReady(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_that_are_read_again_are_no_known_trouble_any_more() {
        let mut health = Health::default();
        assert!(health.schedules_failed(7, "forbidden"));
        assert!(!health.schedules_reported(7), "the reading that failed");
        assert!(!health.schedules_failed(7, "forbidden"), "known");
        assert!(!health.schedules_reported(7));
        assert!(health.schedules_reported(7));
        assert!(!health.schedules_reported(7), "known to be well");
    }
}
