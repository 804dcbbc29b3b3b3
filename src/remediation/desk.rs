//! Takes the wishes of people, tools and alerts.

use std::sync::Arc;

use ci_history::FailureClass;

use super::ask::{Ask, FailedJob, Origin};
use super::decisions::{Verdict, verdict_of};
use super::executor::Executor;
use super::guard::Decision;
use super::ledger::{Halt, JobName, Ledger};
use super::reason::Reason;
use super::request::{Answer, Refusal, Wish};
use crate::config::ActionKind;

/// Most failures that one request may be about.
const MOST_ASKS: usize = 100;

impl Executor {
    /// Does what somebody wishes for, as far as the guard lets it. A trial changes nothing.
    pub async fn ask(&self, wishes: &[Wish], by: &Arc<str>, is_trial: bool) -> Answer {
        let mut answer = Answer::default();
        let mut asks: Vec<Ask> = Vec::new();
        for wish in wishes {
            let found = self.asks_of(wish, by);
            if found.is_empty() {
                answer.refused.push(Refusal::unmatched(wish));
            }
            let is_new = |ask: &Ask| !asks.iter().any(|known| known.job == ask.job);
            let new: Vec<_> = found.into_iter().filter(is_new).collect();
            asks.extend(new);
        }
        for (before, ask) in asks.into_iter().enumerate() {
            if answer.has_restarted(&ask) {
                let decision = Decision::Refuse(Reason::NewerPipeline);
                answer.refused.push(Refusal::of(&ask, &decision));
            } else if before >= MOST_ASKS {
                answer.refused.push(Refusal::too_many(&ask));
            } else {
                self.take(ask, is_trial, &mut answer).await;
            }
        }
        answer
    }

    /// Waits for an action that is on its way, so that it is no obstacle.
    async fn take(&self, ask: Ask, is_trial: bool, answer: &mut Answer) {
        let turn = self.turn.lock().await;
        let decision = self.decide(&ask).await;
        if !matches!(decision, Decision::Act(_)) {
            answer.refused.push(Refusal::of(&ask, &decision));
        } else if is_trial || !self.acts() {
            answer.would.push(ask);
        } else {
            match self.act_in_turn(&ask, &turn).await {
                Ok(action) => answer.actions.push(action),
                Err(decision) => answer.refused.push(Refusal::of(&ask, &decision)),
            }
        }
    }

    /// The failures that a wish is about.
    fn asks_of(&self, wish: &Wish, by: &Arc<str>) -> Vec<Ask> {
        let origin = match &wish.alert {
            None => Origin::Caller(by.clone()),
            Some(id) => Origin::Alert {
                caller: by.clone(),
                id: id.clone(),
            },
        };
        let ask = |job| Ask {
            origin: origin.clone(),
            kind: wish.kind,
            play: wish.play.clone(),
            job,
        };
        if wish.kind == ActionKind::RunSchedule {
            return self.schedule_of(wish).map(ask).into_iter().collect();
        }
        let now = self.failures.now();
        let since = self.oldest(now);
        let mut jobs = self.failures.failed_jobs(since);
        jobs.retain(|job| wish.is_about(job));
        jobs.sort_unstable_by_key(|job| (job.pipeline_id, job.job_id));
        jobs.into_iter().map(ask).collect()
    }

    fn schedule_of(&self, wish: &Wish) -> Option<FailedJob> {
        let project = wish.project.as_ref()?;
        Some(FailedJob {
            project_id: self.failures.project_id(project)?,
            project: project.clone(),
            ref_name: wish.ref_name.clone().unwrap_or_default(),
            track: None,
            name: wish.job.clone().unwrap_or_default(),
            stage: Arc::default(),
            team: None,
            pipeline_id: 0,
            job_id: wish.schedule_id?,
            failed_at: self.failures.now(),
            class: FailureClass::Unknown,
            reason: None,
            log_rule: None,
            streak: 0,
        })
    }

    /// Closes the circuit of a job, although it has not passed. Returns whether it was open.
    ///
    /// # Errors
    ///
    /// Why the record cannot be saved.
    pub async fn reset_circuit(&self, job: &JobName) -> Result<bool, String> {
        let streak = self.failures.streak(job).unwrap_or(0);
        let reset = |ledger: &mut Ledger| {
            let was_open = ledger.reset_circuit(job, streak);
            (was_open, was_open)
        };
        let (ledger, change) = self.record.change(reset).await?;
        self.remember(ledger);
        self.wake();
        Ok(change.into_inner())
    }
}

impl Executor {
    /// Stops everything in all exporters that share the record, or lets it go on.
    ///
    /// # Errors
    ///
    /// Why the record cannot be saved.
    pub async fn halt(&self, by: Option<Arc<str>>) -> Result<(), String> {
        let at = self.failures.now();
        let set = |ledger: &mut Ledger| {
            let halt = by.clone().map(|by| Halt { by, at });
            (ledger.set_halt(halt), ())
        };
        let (ledger, _) = self.record.change(set).await?;
        self.remember(ledger);
        self.wake();
        Ok(())
    }
}

impl Wish {
    fn is_about(&self, job: &FailedJob) -> bool {
        let is = |wanted: Option<u64>, found| wanted.is_none_or(|wanted| wanted == found);
        let is_ref = self.ref_name.as_ref().is_none_or(|ref_name| {
            *ref_name == job.ref_name && (self.track.is_none() || self.track == job.track)
        });
        (self.project.as_ref()).is_none_or(|project| *project == job.project)
            && is_ref
            && (self.job.as_ref()).is_none_or(|name| *name == job.name)
            && is(self.pipeline_id, job.pipeline_id)
            && is(self.job_id, job.job_id)
    }
}

impl Answer {
    /// Whether a new pipeline was started for another failed job of the same pipeline: GitLab need not be asked.
    fn has_restarted(&self, ask: &Ask) -> bool {
        let job = &ask.job;
        ask.kind == ActionKind::Restart
            && self.actions.iter().any(|action| {
                action.kind == ActionKind::Restart
                    && action.started.is_some()
                    && (action.job.project_id, action.pipeline_id)
                        == (job.project_id, job.pipeline_id)
            })
    }
}

impl Refusal {
    fn of(ask: &Ask, decision: &Decision) -> Self {
        let (verdict, _) = verdict_of(decision, false);
        let why = match verdict {
            Verdict::Wait(reason) | Verdict::Refuse(reason) => reason.explain(),
            Verdict::Act { .. } | Verdict::NoRule => Reason::AlreadyDone.explain(),
        };
        Self {
            job: Some(JobName::of(&ask.job)),
            verdict: Some(verdict),
            why: why.to_owned(),
        }
    }

    fn unmatched(wish: &Wish) -> Self {
        let name = |text: &Option<Arc<str>>| text.as_deref().unwrap_or("any").to_owned();
        let id = |id: Option<u64>| id.map_or_else(|| "any".to_owned(), |id| id.to_string());
        Self {
            job: None,
            verdict: None,
            why: format!(
                "nothing failed lately that fits project {}, ref {}, job {}, pipeline {}, job id {}",
                name(&wish.project),
                name(&wish.ref_name),
                name(&wish.job),
                id(wish.pipeline_id),
                id(wish.job_id),
            ),
        }
    }

    fn too_many(ask: &Ask) -> Self {
        Self {
            job: Some(JobName::of(&ask.job)),
            verdict: None,
            why: format!(
                "one request starts at most {MOST_ASKS} actions; ask again for the others"
            ),
        }
    }
}
