//! What came of actions: unclear ones, results, and the circuits of jobs.

use std::sync::Arc;

use ci_history::{FailureClass, Status, Timestamp};

use super::ask::{Ask, FailedJob, Origin};
use super::executor::Executor;
use super::facts::Result as ActionResult;
use super::ledger::{Action, Circuit, Ledger, Progress};
use crate::config::{ActionKind, CircuitReset};

/// After this time an intention without a result is looked into, in seconds: the exporter that recorded it is gone, or
/// GitLab's answer was lost.
const UNCLEAR_AFTER: i64 = 15;

/// After this time an action that GitLab does not list never reached it, in seconds. GitLab ends requests after 60.
const LOST_AFTER: i64 = 150;

/// What is to be noted about an action.
struct Note {
    number: u64,
    /// How far it was when this was found out. Another exporter may have noted something else meanwhile.
    from: Progress,
    progress: Progress,
    started: Option<u64>,
}

impl Executor {
    /// Notes the results of actions, and opens and closes circuits.
    pub(super) async fn follow_up(&self) {
        let now = self.failures.now();
        let ledger = self.ledger();
        let mut notes = Vec::new();
        for action in ledger.actions() {
            notes.extend(self.news_of(action, now).await);
        }
        let opening = self.circuits_to_open(&ledger, now);
        let is_over = |circuit: &Circuit| self.is_over(circuit);
        let closes = ledger.circuits().iter().any(is_over);
        if notes.is_empty() && opening.is_empty() && !closes {
            return;
        }
        let apply = |ledger: &mut Ledger| {
            let mut changed = ledger.forget_circuits(is_over);
            for job in &opening {
                changed |= ledger.open_circuit(job, now);
            }
            let is_new = |note: &&Note| {
                let known = ledger.action(note.number);
                known.is_some_and(|action| action.progress == note.from)
                    && ledger.note(note.number, note.progress, note.started, None)
            };
            let new: Vec<u64> = notes
                .iter()
                .filter(is_new)
                .map(|note| note.number)
                .collect();
            (changed || !new.is_empty(), new)
        };
        match self.record.change(apply).await {
            Err(why) => self.not_saved(&why),
            Ok((ledger, change)) => {
                for number in change.into_inner() {
                    if let Some(action) = ledger.action(number) {
                        self.observer.acted(action);
                    }
                }
                self.remember(ledger);
            }
        }
    }

    async fn news_of(&self, action: &Action, now: Timestamp) -> Option<Note> {
        let note = |progress, started| Note {
            number: action.number,
            from: action.progress,
            progress,
            started,
        };
        match action.progress {
            Progress::Intended => {
                let age = now.unix() - action.at.unix();
                if age < UNCLEAR_AFTER {
                    return None;
                }
                // While an action of this process is on its way, it is not unclear.
                let _turn = self.turn.try_lock().ok()?;
                match self.started_by(action).await {
                    Some(Some(started)) => Some(note(Progress::Started, Some(started))),
                    Some(None) if age > LOST_AFTER => Some(note(Progress::NotDone, None)),
                    _ => None,
                }
            }
            Progress::Started => self.failures.result(action).map(|result| {
                let progress = match result {
                    ActionResult::Passed => Progress::Recovered,
                    ActionResult::Failed => Progress::FailedAgain,
                };
                note(progress, None)
            }),
            _ => None,
        }
    }

    /// What an unclear action has started, as GitLab lists it; the outer `None` if GitLab could not be asked.
    async fn started_by(&self, action: &Action) -> Option<Option<u64>> {
        let project = action.job.project_id;
        if action.kind == ActionKind::RunSchedule {
            let last = self.client.schedule_last_run(project, action.job_id).await;
            let ran = last.ok()?.filter(|at| at.unix() >= action.at.unix());
            return Some(ran.map(|_| action.job_id));
        }
        let ask = Ask {
            origin: Origin::Rule(action.by.clone()),
            kind: action.kind,
            play: action.play.clone(),
            job: failure_of(action),
        };
        let listed = self.listed(&ask).await.ok()?;
        Some(match action.kind {
            ActionKind::Recover => {
                let name = &listed.attempt(action.job_id)?.name;
                listed.mine_after(name, action.job_id).map(|job| job.id)
            }
            ActionKind::Play => {
                let job = listed.newest_of(action.play.as_deref().unwrap_or_default())?;
                let is_mine = job.status != Status::Blocked && job.user == Some(listed.me);
                is_mine.then_some(job.id)
            }
            // A pipeline that somebody else started meanwhile does as well: it is on the head of the ref, too.
            ActionKind::Restart => listed.newest.filter(|newest| *newest > action.pipeline_id),
            ActionKind::RunSchedule => None,
        })
    }

    /// The jobs whose circuits open now.
    fn circuits_to_open(&self, ledger: &Ledger, now: Timestamp) -> Vec<FailedJob> {
        let since = self.oldest(now);
        let jobs = self.failures.failed_jobs(since).into_iter();
        let opens = |job: &FailedJob| {
            let circuit = ledger.circuit(job);
            circuit.opened.is_none()
                && job.streak.saturating_sub(circuit.reset_at_streak)
                    >= self.settings.circuit.failures
                && self.settings.rule_for(&job.facts()).is_some()
        };
        jobs.filter(opens).collect()
    }

    /// Whether nothing is left to know about a circuit: its job passed, or is gone. Other shards know about jobs of
    /// projects that this exporter does not watch.
    fn is_over(&self, circuit: &Circuit) -> bool {
        let is_watched = || self.failures.project_id(&circuit.job.project).is_some();
        let streak = self.failures.streak(&circuit.job);
        let has_passed = streak.map_or_else(is_watched, |streak| streak == 0);
        let is_manual = self.settings.circuit.reset == CircuitReset::Manual;
        has_passed && !(is_manual && circuit.opened.is_some())
    }
}

/// The failure that an action was about, as far as the record has it.
fn failure_of(action: &Action) -> FailedJob {
    let job = &action.job;
    FailedJob {
        project_id: job.project_id,
        project: job.project.clone(),
        ref_name: job.ref_name.clone(),
        track: job.track.clone(),
        name: job.job.clone(),
        stage: Arc::default(),
        team: None,
        pipeline_id: action.pipeline_id,
        job_id: action.job_id,
        failed_at: action.at,
        class: FailureClass::Unknown,
        reason: None,
        log_rule: None,
        streak: 0,
    }
}
