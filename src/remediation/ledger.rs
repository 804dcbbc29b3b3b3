//! The record of actions: what is intended, done and came of it, and the circuits of jobs.
//!
//! All exporters of one store share it. An action is recorded before it happens, under the condition that nobody else
//! has changed the record meanwhile: so two exporters never act on one failure.

use std::sync::Arc;

use ci_history::Timestamp;
use serde::{Deserialize, Serialize};

use super::ask::{Ask, FailedJob, Origin};
use crate::config::ActionKind;

/// Most actions that are remembered.
const MOST_ACTIONS: usize = 2000;

/// How long an action is remembered, in seconds.
const REMEMBERED: i64 = 30 * 24 * 3600;

/// How long nothing is done in a project whose rights are missing, in seconds.
const STOPPED_FOR: i64 = 6 * 3600;

/// The record of actions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// In the order of their numbers.
    actions: Vec<Action>,
    /// Circuits that are open, or were closed by an operator.
    circuits: Vec<Circuit>,
    /// Projects in which GitLab refused an action.
    stopped: Vec<Stop>,
    /// Who stopped everything, if somebody did.
    #[serde(default)]
    halt: Option<Halt>,
    /// Number of the newest action.
    last: u64,
}

/// Everything is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// The caller who stopped it.
    pub by: Arc<str>,
    /// When.
    pub at: Timestamp,
}

/// An action, from its intention to its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Counts up.
    pub number: u64,
    /// Who asked: the name of a rule or caller.
    pub by: Arc<str>,
    /// Whether that is a rule.
    pub by_rule: bool,
    /// The alert that asked, and since when it fires.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alert: Option<Arc<str>>,
    /// What was done.
    pub kind: ActionKind,
    /// To which job.
    pub job: JobName,
    /// The manual job that [`ActionKind::Play`] starts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub play: Option<Arc<str>>,
    /// The pipeline of the failure; 0 for a schedule.
    pub pipeline_id: u64,
    /// The failed attempt; of [`ActionKind::RunSchedule`] the schedule.
    pub job_id: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// How far it is.
    pub progress: Progress,
    /// The attempt or pipeline that it started.
    pub started: Option<u64>,
    /// What GitLab answered where that is no success.
    pub answer: Option<Arc<str>>,
}

/// A job by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobName {
    /// GitLab's project id.
    pub project_id: u64,
    /// Path of the project.
    pub project: Arc<str>,
    /// Branch or tag.
    #[serde(rename = "ref")]
    pub ref_name: Arc<str>,
    /// Track of the ref.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub track: Option<Arc<str>>,
    /// The job; of a schedule its description.
    pub job: Arc<str>,
}

/// How far an action is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Progress {
    /// Recorded, and perhaps sent.
    Intended,
    /// GitLab has started it.
    Started,
    /// What it started has passed.
    Recovered,
    /// What it started has failed.
    FailedAgain,
    /// GitLab refused it.
    Refused,
    /// It never reached GitLab.
    NotDone,
}

/// The circuit of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circuit {
    /// The job.
    pub job: JobName,
    /// Since when it is open.
    pub opened: Option<Timestamp>,
    /// The streak at which an operator closed it; only failures after that count.
    pub reset_at_streak: u64,
}

/// A project in which GitLab refused an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stop {
    project_id: u64,
    until: Timestamp,
}

/// The state of a circuit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CircuitState {
    /// Since when it is open.
    pub opened: Option<Timestamp>,
    /// The streak at which an operator closed it.
    pub reset_at_streak: u64,
}

impl JobName {
    /// Of a failed job.
    pub fn of(job: &FailedJob) -> Self {
        Self {
            project_id: job.project_id,
            project: job.project.clone(),
            ref_name: job.ref_name.clone(),
            track: job.track.clone(),
            job: job.name.clone(),
        }
    }
}

impl Action {
    /// The label `rule`.
    pub fn rule(&self) -> &str {
        if self.by_rule { &self.by } else { "manual" }
    }

    /// The intention to do what is asked for.
    pub fn intended(number: u64, ask: &Ask, now: Timestamp) -> Self {
        let (by, by_rule, alert) = match &ask.origin {
            Origin::Rule(name) => (name.clone(), true, None),
            Origin::Caller(name) => (name.clone(), false, None),
            Origin::Alert { caller, id } => (caller.clone(), false, Some(id.clone())),
        };
        Self {
            number,
            by,
            by_rule,
            alert,
            kind: ask.kind,
            job: JobName::of(&ask.job),
            play: ask.play.clone(),
            pipeline_id: ask.job.pipeline_id,
            job_id: ask.job.job_id,
            at: now,
            progress: Progress::Intended,
            started: None,
            answer: None,
        }
    }

    /// Whether it may have changed something in GitLab.
    fn counts(&self) -> bool {
        !matches!(self.progress, Progress::NotDone | Progress::Refused)
    }
}

impl Ledger {
    /// Who stopped everything, if somebody did.
    pub fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    /// Stops everything, or lets it go on, also in projects that lacked rights. Returns whether anything changed.
    pub fn set_halt(&mut self, halt: Option<Halt>) -> bool {
        let mut changed = self.halt.is_some() != halt.is_some();
        if halt.is_none() {
            changed |= !self.stopped.is_empty();
            self.stopped.clear();
        }
        if changed {
            self.halt = halt;
        }
        changed
    }

    /// The actions, the newest last.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// The circuits that are open, or were closed by an operator.
    pub fn circuits(&self) -> &[Circuit] {
        &self.circuits
    }

    /// Records that an action is about to happen. Returns its number.
    pub fn intend(&mut self, ask: &Ask, now: Timestamp) -> u64 {
        self.forget_old(now);
        self.last += 1;
        self.actions.push(Action::intended(self.last, ask, now));
        self.last
    }

    /// An action.
    pub fn action(&self, number: u64) -> Option<&Action> {
        self.actions.iter().rfind(|action| action.number == number)
    }

    /// Records what came of an action. Returns whether anything changed.
    pub fn note(
        &mut self,
        number: u64,
        progress: Progress,
        started: Option<u64>,
        answer: Option<&str>,
    ) -> bool {
        let Some(action) = self
            .actions
            .iter_mut()
            .find(|action| action.number == number)
        else {
            return false;
        };
        let before = action.clone();
        action.progress = progress;
        action.started = started.or(action.started);
        action.answer = answer.map(Arc::from).or(action.answer.take());
        *action != before
    }

    /// Stops acting in a project for some hours.
    pub fn stop(&mut self, project_id: u64, now: Timestamp) {
        self.stopped.retain(|stop| stop.project_id != project_id);
        self.stopped.push(Stop {
            project_id,
            until: Timestamp::of_clock(now.unix() + STOPPED_FOR),
        });
    }

    /// Whether nothing is done in a project.
    pub fn is_stopped(&self, project_id: u64, now: Timestamp) -> bool {
        let mut stopped = self.stopped.iter();
        stopped.any(|stop| stop.project_id == project_id && stop.until > now)
    }

    /// The projects that are stopped.
    pub fn stopped_projects(&self, now: Timestamp) -> impl Iterator<Item = u64> {
        let stopped = self.stopped.iter().filter(move |stop| stop.until > now);
        stopped.map(|stop| stop.project_id)
    }

    /// Whether an action on a failed attempt, or a start of a schedule, was recorded since a time. Each failure gets
    /// one action, whatever its kind.
    pub fn has_acted_on(&self, project_id: u64, kind: ActionKind, id: u64, since: i64) -> bool {
        let is_schedule = |kind| kind == ActionKind::RunSchedule;
        let mut actions = self.actions.iter().rev();
        actions.any(|action| {
            action.job.project_id == project_id
                && action.job_id == id
                && is_schedule(action.kind) == is_schedule(kind)
                && action.progress != Progress::NotDone
                && action.at.unix() >= since
        })
    }

    /// Whether an alert was followed since it began to fire: Alertmanager repeats what it tells.
    pub fn has_followed(&self, alert: &str, job: &JobName) -> bool {
        self.actions.iter().rev().any(|action| {
            action.alert.as_deref() == Some(alert)
                && action.job == *job
                && action.progress != Progress::NotDone
        })
    }

    /// How often the job was acted on in the pipeline of its failure. If that was started by an action, too, the
    /// tries in the pipeline before count as well.
    pub fn tries(&self, job: &FailedJob) -> usize {
        let own_actions = || {
            let counted =
                |action: &&Action| action.counts() && action.job.project_id == job.project_id;
            self.actions.iter().filter(counted)
        };
        let tries_in = |pipeline| {
            let of_job =
                |action: &&Action| action.pipeline_id == pipeline && action.job.job == job.name;
            own_actions().filter(of_job).count()
        };
        let (mut pipeline, mut tries) = (job.pipeline_id, tries_in(job.pipeline_id));
        while let Some(before) = own_actions().find(|action| {
            action.kind == ActionKind::Restart
                && action.started == Some(pipeline)
                && action.pipeline_id < pipeline
        }) {
            pipeline = before.pipeline_id;
            tries += tries_in(pipeline).max(1);
        }
        tries
    }

    /// Whether an action in the project is not finished.
    pub fn is_busy(&self, project_id: u64) -> bool {
        let mut actions = self.actions.iter().rev();
        actions.any(|action| {
            action.job.project_id == project_id && action.progress == Progress::Intended
        })
    }

    /// How many actions happened since a time, in all projects or in one.
    pub fn count_since(&self, since: Timestamp, project_id: Option<u64>) -> usize {
        let counted = |action: &&Action| {
            action.counts()
                && action.at > since
                && project_id.is_none_or(|id| action.job.project_id == id)
        };
        self.actions.iter().filter(counted).count()
    }

    /// How many actions happened in a pipeline.
    pub fn count_in_pipeline(&self, project_id: u64, pipeline_id: u64) -> usize {
        let counted = |action: &&Action| {
            action.counts()
                && action.job.project_id == project_id
                && action.pipeline_id == pipeline_id
        };
        self.actions.iter().filter(counted).count()
    }

    /// The circuit of a job.
    pub fn circuit(&self, job: &FailedJob) -> CircuitState {
        let circuit = self.circuits.iter().find(|it| it.job == JobName::of(job));
        circuit.map_or_else(CircuitState::default, |circuit| CircuitState {
            opened: circuit.opened,
            reset_at_streak: circuit.reset_at_streak,
        })
    }

    /// Records that a circuit opened. Returns whether it was closed.
    pub fn open_circuit(&mut self, job: &FailedJob, now: Timestamp) -> bool {
        let name = JobName::of(job);
        match self.circuits.iter_mut().find(|circuit| circuit.job == name) {
            Some(circuit) if circuit.opened.is_some() => false,
            Some(circuit) => {
                circuit.opened = Some(now);
                true
            }
            None => {
                self.circuits.push(Circuit {
                    job: name,
                    opened: Some(now),
                    reset_at_streak: 0,
                });
                true
            }
        }
    }

    /// Closes the circuit of a job whose streak is now this long, although it has not passed. Returns whether it was
    /// open.
    pub fn reset_circuit(&mut self, job: &JobName, streak: u64) -> bool {
        let Some(circuit) = self.circuits.iter_mut().find(|circuit| circuit.job == *job) else {
            return false;
        };
        circuit.reset_at_streak = streak;
        circuit.opened.take().is_some()
    }

    /// Forgets the circuits of jobs that `is_over`: they passed, or are no longer watched.
    pub fn forget_circuits(&mut self, is_over: impl Fn(&Circuit) -> bool) -> bool {
        let before = self.circuits.len();
        self.circuits.retain(|circuit| !is_over(circuit));
        self.circuits.len() != before
    }

    fn forget_old(&mut self, now: Timestamp) {
        let oldest = now.unix() - REMEMBERED;
        self.actions.retain(|action| action.at.unix() > oldest);
        let excess = self.actions.len().saturating_sub(MOST_ACTIONS - 1);
        self.actions.drain(..excess);
        self.stopped.retain(|stop| stop.until > now);
    }
}
