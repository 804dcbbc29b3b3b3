//! The newest decision about each failure, so that each is told and counted once.

use std::collections::BTreeMap;
use std::sync::Arc;

use ci_history::Timestamp;

use super::ask::FailedJob;
use super::guard::Decision;
use super::reason::Reason;

/// Most failures that are remembered.
const MOST: usize = 20_000;

/// Seconds until a decision that asked GitLab nothing is looked at again.
const SOON: i64 = 30;

/// The same of one that took requests.
const LATER: i64 = 300;

/// What was decided about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The failure.
    pub job: FailedJob,
    /// The rule; `None` if no rule matches.
    pub rule: Option<Arc<str>>,
    /// The decision.
    pub verdict: Verdict,
    /// Since when it stands.
    pub at: Timestamp,
}

/// The label `decision` with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is acted on; in the mode `report` it would be.
    Act {
        /// Whether the mode is `report`.
        is_report: bool,
    },
    /// Later.
    Wait(Reason),
    /// Not at all.
    Refuse(Reason),
    /// No rule matches.
    NoRule,
}

impl Verdict {
    /// After how many seconds a later look may find another decision: an action that never reached GitLab is repeated,
    /// an operator closes circuits and grants rights, a log that is read late tells what a rule matches, and a replica
    /// of GitLab's database that lagged has caught up.
    pub(super) fn may_change_after(self) -> Option<i64> {
        match self {
            Self::Act { is_report: false }
            | Self::NoRule
            | Self::Refuse(Reason::AlreadyDone | Reason::CircuitOpen) => Some(SOON),
            Self::Refuse(Reason::NoRights | Reason::Gone | Reason::NotFailed) => Some(LATER),
            _ => None,
        }
    }

    /// The labels `decision` and `reason`.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Act { is_report: false } => ("act", ""),
            Self::Act { is_report: true } => ("would_act", Reason::ReportOnly.as_str()),
            Self::Wait(reason) => ("wait", reason.as_str()),
            Self::Refuse(reason) => ("refuse", reason.as_str()),
            Self::NoRule => ("no_rule", ""),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    /// By project and attempt.
    known: BTreeMap<(u64, u64), Known>,
}

#[derive(Debug)]
struct Known {
    decided: Decided,
    /// When it is looked at again; `None`: never.
    again: Option<Timestamp>,
    /// When the failure was last seen.
    seen: Timestamp,
}

impl Decisions {
    /// Whether a failure is to be looked at now.
    pub(super) fn is_due(&mut self, job: &FailedJob, now: Timestamp) -> bool {
        match self.known.get_mut(&key(job)) {
            None => true,
            Some(known) => {
                known.seen = now;
                known.again.is_some_and(|again| again <= now)
            }
        }
    }

    /// Notes a decision. Returns it if it differs from the one before. A failure that was acted on stays so, although
    /// nothing more is done about it.
    pub(super) fn note(
        &mut self,
        job: &FailedJob,
        rule: Option<&Arc<str>>,
        verdict: Verdict,
        again: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Decided> {
        let acted = Verdict::Act { is_report: false };
        let before = self.known.get(&key(job));
        let was_acted_on = before.is_some_and(|known| known.decided.verdict == acted);
        let verdict = if was_acted_on && verdict == Verdict::Refuse(Reason::AlreadyDone) {
            acted
        } else {
            verdict
        };
        let same = before.filter(|known| known.decided.verdict == verdict);
        let decided = Decided {
            job: job.clone(),
            rule: rule.cloned(),
            verdict,
            at: same.map_or(now, |known| known.decided.at),
        };
        let known = Known {
            decided: decided.clone(),
            again,
            seen: now,
        };
        let before = self.known.insert(key(job), known);
        before
            .is_none_or(|before| before.decided.verdict != verdict)
            .then_some(decided)
    }

    /// Forgets failures that were not seen lately, and the oldest ones of too many.
    pub(super) fn forget(&mut self, unseen_since: Timestamp) {
        self.known.retain(|_, known| known.seen >= unseen_since);
        while self.known.len() > MOST {
            self.known.pop_first();
        }
    }

    /// How many failures wait for their turn.
    pub(super) fn waiting(&self) -> usize {
        let waits = |known: &&Known| matches!(known.decided.verdict, Verdict::Wait(_));
        self.known.values().filter(waits).count()
    }

    /// The newest decision about each failure.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Decided, Option<Timestamp>)> {
        self.known
            .values()
            .map(|known| (&known.decided, known.again))
    }
}

/// The verdict of a guard's decision, and when it is looked at again.
pub(super) fn verdict_of(decision: &Decision, acts: bool) -> (Verdict, Option<Timestamp>) {
    match *decision {
        Decision::Act(_) => (Verdict::Act { is_report: !acts }, None),
        Decision::Wait { reason, until } => (Verdict::Wait(reason), Some(until)),
        Decision::Refuse(reason) => (Verdict::Refuse(reason), None),
    }
}

fn key(job: &FailedJob) -> (u64, u64) {
    (job.project_id, job.job_id)
}
