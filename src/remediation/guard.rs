//! Decides whether an action may happen now. Pure: the same facts give the same decision.

use std::sync::Arc;

use ci_history::{Status, Timestamp};

use super::ask::{Ask, Origin};
use super::ledger::{JobName, Ledger};
use super::listed::{Listed, ListedJob};
use super::reason::Reason;
use crate::config::{ActionKind, CircuitReset, Remediation};

/// What is decided about an ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It happens now, at this job of GitLab where it is about one.
    Act(Target),
    /// It may happen later; it is looked at again then.
    Wait {
        /// Why not now.
        reason: Reason,
        /// When it is looked at again.
        until: Timestamp,
    },
    /// It does not happen.
    Refuse(Reason),
}

/// What an action is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The job with this id is retried or played.
    Job(u64),
    /// A pipeline is started on this ref.
    Ref(Arc<str>),
    /// A schedule is started.
    Schedule(u64),
}

/// What concerns all jobs at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    /// Many jobs fail at the same time.
    pub(super) outage: bool,
    /// GitLab keeps failing.
    pub(super) gitlab_down: bool,
}

/// How long an ask waits that waits for no known time.
const LOOK_AGAIN: i64 = 30;

/// The window of the hourly limits.
const HOUR: i64 = 3600;

/// What decides, besides what GitLab lists.
pub(super) struct Guard<'a> {
    /// The configuration.
    pub(super) settings: &'a Remediation,
    /// What was done so far.
    pub(super) ledger: &'a Ledger,
    /// What concerns all jobs.
    pub(super) conditions: Conditions,
    /// The time, by GitLab's clock.
    pub(super) now: Timestamp,
}

impl Guard<'_> {
    /// What can be decided without asking GitLab. `None`: nothing speaks against it so far.
    pub(super) fn before_listing(&self, ask: &Ask) -> Option<Decision> {
        let job = &ask.job;
        let age = self.now.unix() - job.failed_at.unix();
        let longest = seconds(self.settings.limits.younger_than);
        if age > longest {
            return Some(Decision::Refuse(Reason::TooOld));
        }
        if self.ledger.is_stopped(job.project_id, self.now) {
            return Some(Decision::Refuse(Reason::NoRights));
        }
        if self.has_open_circuit(ask) {
            return Some(Decision::Refuse(Reason::CircuitOpen));
        }
        let acted_since = match ask.kind {
            // A schedule that was started is not started again at once.
            ActionKind::RunSchedule => self.now.unix() - HOUR,
            _ => 0,
        };
        if self
            .ledger
            .has_acted_on(job.project_id, ask.kind, job.job_id, acted_since)
        {
            return Some(Decision::Refuse(Reason::AlreadyDone));
        }
        if let Origin::Alert { id, .. } = &ask.origin
            && self.ledger.has_followed(id, &JobName::of(job))
        {
            return Some(Decision::Refuse(Reason::AlreadyDone));
        }
        if let Some(decision) = self.delay(ask, self.ledger.tries(job)) {
            return Some(decision);
        }
        self.bounds(ask)
    }

    /// Decides about a failed job by what GitLab lists of its pipeline, or about a schedule.
    pub(super) fn after_listing(&self, ask: &Ask, listed: &Listed) -> Decision {
        if let Some(decision) = self.before_listing(ask) {
            return decision;
        }
        if ask.kind == ActionKind::RunSchedule {
            return Decision::Act(Target::Schedule(ask.job.job_id));
        }
        let Some(attempt) = listed.attempt(ask.job.job_id) else {
            return Decision::Refuse(Reason::Gone);
        };
        if let Some(reason) = obstacle(ask, attempt, listed) {
            return self.later_or_never(reason);
        }
        let tries = listed
            .tries_of_mine(&attempt.name)
            .max(self.ledger.tries(&ask.job));
        if let Some(decision) = self.delay(ask, tries) {
            return decision;
        }
        match ask.kind {
            ActionKind::Play => self.play(ask, listed),
            ActionKind::Restart => self.restart(ask, listed),
            ActionKind::Recover | ActionKind::RunSchedule => self.recover(attempt, listed),
        }
    }

    fn recover(&self, attempt: &ListedJob, listed: &Listed) -> Decision {
        let allowed = self.settings.allow_deployments;
        if listed.has_failed_upstream(attempt) {
            self.later_or_never(Reason::UpstreamFailed)
        } else if attempt.deploys && !allowed {
            self.later_or_never(Reason::Deployment)
        } else if listed.revives_deployment(attempt) && !allowed {
            self.later_or_never(Reason::RevivesDeployment)
        } else {
            Decision::Act(Target::Job(attempt.id))
        }
    }

    fn play(&self, ask: &Ask, listed: &Listed) -> Decision {
        let wanted = ask.play.as_deref().unwrap_or_default();
        let fallback = listed.newest_of(wanted);
        match fallback.filter(|job| job.status == Status::Blocked) {
            None => self.later_or_never(Reason::NothingToPlay),
            Some(job) if job.deploys && !self.settings.allow_deployments => {
                self.later_or_never(Reason::Deployment)
            }
            Some(job) if job.archived => self.later_or_never(Reason::Archived),
            Some(job) => Decision::Act(Target::Job(job.id)),
        }
    }

    fn restart(&self, ask: &Ask, listed: &Listed) -> Decision {
        let deploys = listed.jobs.iter().any(|job| job.deploys);
        if listed
            .newest
            .is_some_and(|newest| newest > ask.job.pipeline_id)
        {
            self.later_or_never(Reason::NewerPipeline)
        } else if deploys && !self.settings.allow_deployments {
            self.later_or_never(Reason::RevivesDeployment)
        } else {
            match &listed.ref_name {
                Some(ref_name) => Decision::Act(Target::Ref(ref_name.clone())),
                None => Decision::Refuse(Reason::Gone),
            }
        }
    }

    /// Whether the next try of a rule is used up or not due. People and Alertmanager decide themselves when to ask.
    fn delay(&self, ask: &Ask, tries: usize) -> Option<Decision> {
        let Origin::Rule(name) = &ask.origin else {
            return None;
        };
        let rule = self.settings.rules.iter().find(|rule| rule.name == *name)?;
        let Some(delay) = rule.delays.get(tries) else {
            return Some(Decision::Refuse(Reason::TriesUsedUp));
        };
        let jitter = jitter(ask.job.job_id, seconds(*delay));
        let due = ask.job.failed_at.unix() + seconds(*delay) + jitter;
        (due > self.now.unix()).then(|| Decision::Wait {
            reason: Reason::Delay,
            until: Timestamp::of_clock(due),
        })
    }

    /// What concerns more than this job.
    fn bounds(&self, ask: &Ask) -> Option<Decision> {
        let (ledger, limits) = (self.ledger, &self.settings.limits);
        let project = ask.job.project_id;
        let since = Timestamp::of_clock(self.now.unix() - HOUR);
        let reason = if ledger.halt().is_some() {
            Reason::Halted
        } else if self.conditions.gitlab_down {
            Reason::GitlabDown
        } else if self.conditions.outage {
            Reason::Outage
        } else if ledger.is_busy(project) {
            Reason::Busy
        } else if ledger.count_since(since, None) >= limits.actions_per_hour {
            Reason::HourlyLimit
        } else if ledger.count_since(since, Some(project)) >= limits.per_project_per_hour {
            Reason::ProjectLimit
        } else if ledger.count_in_pipeline(project, ask.job.pipeline_id) >= limits.per_pipeline {
            Reason::PipelineLimit
        } else {
            return None;
        };
        Some(self.later_or_never(reason))
    }

    fn has_open_circuit(&self, ask: &Ask) -> bool {
        let circuit = self.settings.circuit;
        let state = self.ledger.circuit(&ask.job);
        let failures = ask.job.streak.saturating_sub(state.reset_at_streak);
        let stays_open = circuit.reset == CircuitReset::Manual && state.opened.is_some();
        failures >= circuit.failures || stays_open
    }

    fn later_or_never(&self, reason: Reason) -> Decision {
        if reason.is_passing() {
            later(reason, self.now)
        } else {
            Decision::Refuse(reason)
        }
    }
}

/// Why the failed attempt is not to be touched.
fn obstacle(ask: &Ask, attempt: &ListedJob, listed: &Listed) -> Option<Reason> {
    let newest = listed.newest_of(&attempt.name);
    if newest.is_some_and(|newest| newest.id > attempt.id) {
        Some(Reason::NewerAttempt)
    } else if attempt.status != Status::Failed {
        Some(Reason::NotFailed)
    } else if attempt.archived {
        Some(Reason::Archived)
    } else if (listed.newest_finished).is_some_and(|newest| newest > ask.job.pipeline_id) {
        Some(Reason::NewerPipeline)
    } else {
        None
    }
}

/// Not now, and perhaps later.
pub(super) fn later(reason: Reason, now: Timestamp) -> Decision {
    let after = match reason {
        // Each look takes some requests, and a person may have to mend what failed before.
        Reason::UpstreamFailed => 4 * LOOK_AGAIN,
        _ => LOOK_AGAIN,
    };
    let until = Timestamp::of_clock(now.unix() + after);
    Decision::Wait { reason, until }
}

/// Up to a tenth of the delay, by the job's id: the replicas and repetitions of one decision agree.
fn jitter(job_id: u64, delay: i64) -> i64 {
    let spread = u64::try_from(delay / 10).unwrap_or(0);
    if spread == 0 {
        return 0;
    }
    // Consecutive ids spread over the whole range.
    let mixed = job_id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    i64::try_from(mixed % (spread + 1)).unwrap_or(0)
}

pub(super) fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
