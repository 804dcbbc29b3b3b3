//! Looks at every failure again and again, and acts when the guard lets it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ci_history::{Timestamp, Tracks};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ask::{Ask, FailedJob, Origin};
use super::decisions::{Decided, Decisions, Verdict, verdict_of};
use super::facts::{Condition, Failures, Observer};
use super::guard::{Conditions, Decision, Guard, later, seconds};
use super::ledger::{Action, Ledger, Progress};
use super::ledger_store::LedgerStore;
use super::reason::Reason;
use crate::config::{ActionLimits, CircuitRule, Mode, Remediation};
use crate::gitlab::Client;
use crate::store::Store;

/// Longest time between two looks at all failures.
const LONGEST_INTERVAL: Duration = Duration::from_secs(5);

/// Jobs that ran in this time tell whether there is an outage, in seconds.
const RECENT: i64 = 3600;

/// After this time the record is read again, since other exporters change it, too.
const BELIEVED: Duration = Duration::from_secs(30);

/// Failures that were not seen for this time are forgotten, in seconds.
const UNSEEN: i64 = 600;

/// What an executor works with.
pub struct Parts {
    /// GitLab, with the token that acts.
    pub client: Client,
    /// What was counted.
    pub failures: Arc<dyn Failures>,
    /// Where the record of actions is kept.
    pub store: Store,
    /// The configuration.
    pub settings: Remediation,
    /// The tracks of pipelines.
    pub tracks: Tracks,
    /// Time between two polls of an active project: what failed is not known sooner.
    pub poll_interval: Duration,
    /// Sees what is decided and done.
    pub observer: Arc<dyn Observer>,
}

/// See the module.
pub struct Executor {
    pub(super) client: Client,
    pub(super) failures: Arc<dyn Failures>,
    pub(super) settings: Remediation,
    pub(super) tracks: Tracks,
    interval: Duration,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) record: LedgerStore,
    /// Held from the decision about an action to its result: one at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
    wake: Notify,
}

/// Names of jobs.
pub(super) type JobNames = BTreeSet<Arc<str>>;

/// What is known between two looks.
#[derive(Default)]
struct Memory {
    /// As it was last read or written.
    ledger: Arc<Ledger>,
    /// When it was; `None`: not yet.
    ledger_at: Option<Instant>,
    decisions: Decisions,
    /// The user of the token.
    user: Option<u64>,
    /// The jobs of deployments, by project, and when they were read.
    deployed: HashMap<u64, (Instant, Arc<JobNames>)>,
    /// Whether the record could not be read or saved the last time.
    is_unsaved: bool,
    /// Projects whose pipelines the token may not read, and when it was last refused.
    denied: BTreeMap<u64, Timestamp>,
    /// Whether there was an outage, and when that was looked at.
    outage: Option<(Instant, bool)>,
}

impl Executor {
    /// Asks GitLab and the store nothing.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            client,
            failures,
            store,
            settings,
            tracks,
            poll_interval,
            observer,
        } = parts;
        Self {
            client,
            failures,
            settings,
            tracks,
            interval: poll_interval.min(LONGEST_INTERVAL),
            observer,
            record: LedgerStore::new(store),
            turn: tokio::sync::Mutex::new(()),
            memory: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Decides and acts until `stop`. An action that has begun is recorded to its end.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            self.look(&stop).await;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    /// Looks at all failures soon.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// The id of a watched project.
    pub fn project_id(&self, path: &str) -> Option<u64> {
        self.failures.project_id(path)
    }

    /// How far it goes.
    pub fn mode(&self) -> Mode {
        self.settings.mode
    }

    /// Most actions.
    pub fn limits(&self) -> ActionLimits {
        self.settings.limits
    }

    /// When jobs are given up.
    pub fn circuit_rule(&self) -> CircuitRule {
        self.settings.circuit
    }

    /// Actions of the last hour, which count against the limits.
    pub fn used(&self) -> usize {
        let hour_ago = Timestamp::of_clock(self.failures.now().unix() - 3600);
        self.ledger().count_since(hour_ago, None)
    }

    /// The record of actions, and the newest decision about each failure with the time of the next look.
    pub fn shown(&self) -> (Arc<Ledger>, Vec<(Decided, Option<Timestamp>)>) {
        let memory = self.memory();
        let decisions = memory.decisions.all();
        let decisions = decisions.map(|(decided, again)| (decided.clone(), again));
        (memory.ledger.clone(), decisions.collect())
    }

    /// Looks at all failures once.
    async fn look(&self, stop: &CancellationToken) {
        if let Err(why) = self.load().await {
            self.not_saved(&why);
            self.tell_conditions();
            return;
        }
        self.follow_up().await;
        let now = self.failures.now();
        let since = self.oldest(now);
        let mut jobs = self.failures.failed_jobs(since);
        // The jobs of earlier stages first: GitLab creates them first.
        jobs.sort_unstable_by_key(|job| (job.pipeline_id, job.job_id));
        for job in &jobs {
            if stop.is_cancelled() {
                return;
            }
            if self.memory().decisions.is_due(job, now) {
                self.consider(job).await;
            }
        }
        let unseen_since = Timestamp::of_clock(now.unix() - UNSEEN);
        let mut memory = self.memory();
        memory.decisions.forget(unseen_since);
        // A project that was deleted is not asked for again.
        memory
            .denied
            .retain(|_, refused_at| *refused_at >= unseen_since);
        drop(memory);
        self.tell_conditions();
    }

    /// Older failures are left alone.
    pub(super) fn oldest(&self, now: Timestamp) -> Timestamp {
        Timestamp::of_clock(now.unix() - seconds(self.settings.limits.younger_than))
    }

    fn tell_conditions(&self) {
        let pauses = self.pauses();
        let waiting = self.memory().decisions.waiting();
        self.observer.waiting(waiting, &pauses);
    }

    /// What stops everything: 1 or 0, or in how many projects.
    pub fn pauses(&self) -> [(Condition, usize); 5] {
        let conditions = self.conditions();
        let now = self.failures.now();
        let memory = self.memory();
        let mut stopped: BTreeSet<u64> = memory.denied.keys().copied().collect();
        stopped.extend(memory.ledger.stopped_projects(now));
        [
            (Condition::Outage, conditions.outage.into()),
            (Condition::GitlabDown, conditions.gitlab_down.into()),
            (Condition::NotSaved, memory.is_unsaved.into()),
            (Condition::Halted, memory.ledger.halt().is_some().into()),
            (Condition::NoRights, stopped.len()),
        ]
    }

    /// Decides about one failure, and acts if nothing speaks against it.
    async fn consider(&self, job: &FailedJob) {
        let Some(rule) = self.settings.rule_for(&job.facts()) else {
            self.decided(job, None, Verdict::NoRule, None);
            return;
        };
        let ask = Ask {
            origin: Origin::Rule(rule.name.clone()),
            kind: rule.action,
            play: rule.play.clone(),
            job: job.clone(),
        };
        let mut decision = self.decide(&ask).await;
        if self.acts() && matches!(decision, Decision::Act(_)) {
            decision = match self.act(&ask).await {
                Ok(action) => self.decision_after(&action, decision),
                Err(instead) => instead,
            };
        }
        let (verdict, again) = verdict_of(&decision, self.acts());
        self.decided(job, Some(&rule.name), verdict, again);
    }

    /// The decision that stands after an action: one that GitLab did not take, or perhaps not, is looked at again.
    fn decision_after(&self, action: &Action, acted: Decision) -> Decision {
        match action.progress {
            Progress::Started | Progress::Recovered | Progress::FailedAgain => acted,
            Progress::Intended => self.later(Reason::Busy),
            Progress::NotDone => self.later(Reason::NotTaken),
            Progress::Refused => Decision::Refuse(Reason::GitlabRefused),
        }
    }

    /// What would be done now about an ask.
    pub(super) async fn decide(&self, ask: &Ask) -> Decision {
        let ledger = self.ledger();
        if let Some(decision) = self.guard(&ledger).before_listing(ask) {
            return decision;
        }
        match self.listed(ask).await {
            Ok(listed) => self.guard(&ledger).after_listing(ask, &listed),
            Err(decision) => decision,
        }
    }

    pub(super) fn guard<'a>(&'a self, ledger: &'a Ledger) -> Guard<'a> {
        Guard {
            settings: &self.settings,
            ledger,
            conditions: self.conditions(),
            now: self.failures.now(),
        }
    }

    /// Not now.
    pub(super) fn later(&self, reason: Reason) -> Decision {
        later(reason, self.failures.now())
    }

    /// Whether anything is changed in GitLab.
    pub(super) fn acts(&self) -> bool {
        self.settings.mode == Mode::Act
    }

    fn conditions(&self) -> Conditions {
        Conditions {
            outage: self.is_outage(),
            gitlab_down: self.failures.gitlab_is_down(),
        }
    }

    /// Goes through all jobs, so once in the time in which they are polled.
    fn is_outage(&self) -> bool {
        if let Some((at, is_outage)) = self.memory().outage
            && at.elapsed() < self.interval
        {
            return is_outage;
        }
        let since = Timestamp::of_clock(self.failures.now().unix() - RECENT);
        let recent = self.failures.recent(since);
        let is_outage = recent.is_outage(&self.settings.pause_when);
        self.memory().outage = Some((Instant::now(), is_outage));
        is_outage
    }

    fn decided(
        &self,
        job: &FailedJob,
        rule: Option<&Arc<str>>,
        verdict: Verdict,
        again: Option<Timestamp>,
    ) {
        let now = self.failures.now();
        let in_time = |after| Timestamp::of_clock(now.unix() + after);
        let again = again.or_else(|| verdict.may_change_after().map(in_time));
        let decisions = &mut self.memory().decisions;
        if let Some(decided) = decisions.note(job, rule, verdict, again, now) {
            self.observer.decided(&decided);
        }
    }

    /// Reads the record of actions, unless it was read or changed just now.
    async fn load(&self) -> Result<(), String> {
        let at = self.memory().ledger_at;
        if at.is_some_and(|at| at.elapsed() < BELIEVED) {
            return Ok(());
        }
        let (ledger, _) = self.record.read().await?;
        self.remember(ledger);
        Ok(())
    }

    /// Keeps the record as it was last read or written.
    pub(super) fn remember(&self, ledger: Ledger) {
        self.observer.recorded(&ledger);
        let mut memory = self.memory();
        memory.ledger = Arc::new(ledger);
        memory.ledger_at = Some(Instant::now());
        memory.is_unsaved = false;
    }

    /// The record as it was last read or written.
    pub(super) fn ledger(&self) -> Arc<Ledger> {
        self.memory().ledger.clone()
    }

    /// Tells once that the record cannot be used.
    pub(super) fn not_saved(&self, why: &str) {
        if !std::mem::replace(&mut self.memory().is_unsaved, true) {
            tracing::error!("nothing is brought back: {why}");
        }
    }

    pub(super) fn known_user(&self) -> Option<u64> {
        self.memory().user
    }

    pub(super) fn remember_user(&self, user: u64) {
        self.memory().user = Some(user);
    }

    /// Notes whether the token may read the pipelines of a project. Returns whether that is news.
    pub(super) fn note_access(&self, project: u64, is_denied: bool) -> bool {
        let now = self.failures.now();
        let denied = &mut self.memory().denied;
        if is_denied {
            denied.insert(project, now).is_none()
        } else {
            denied.remove(&project).is_some()
        }
    }

    /// The jobs of a project's deployments, if they were read after `oldest`.
    pub(super) fn known_deployed(&self, project: u64, oldest: Duration) -> Option<Arc<JobNames>> {
        let memory = self.memory();
        let (at, jobs) = memory.deployed.get(&project)?;
        (at.elapsed() < oldest).then(|| jobs.clone())
    }

    pub(super) fn remember_deployed(&self, project: u64, jobs: Arc<JobNames>) {
        let mut memory = self.memory();
        memory.deployed.insert(project, (Instant::now(), jobs));
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
