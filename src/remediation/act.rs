//! One action: read what GitLab lists, record the intention, do it, record the result.

use std::sync::Arc;
use std::time::Duration;

use ci_history::{Status, Timestamp};
use tokio::sync::MutexGuard;

use super::ask::Ask;
use super::executor::{Executor, JobNames};
use super::guard::{Decision, Target};
use super::ledger::{Action, Ledger, Progress};
use super::ledger_store::Change;
use super::listed::{Listed, ListedJob};
use super::reason::Reason;
use crate::config::ActionKind;
use crate::gitlab::{Attempt, Error, ErrorKind, Order, PipelineQuery};

/// How long the jobs of a project's deployments are believed.
const DEPLOYED_FOR: Duration = Duration::from_mins(10);

/// Seconds after its intention at which an action is still sent. Later, such as after the process was suspended or the
/// store was slow, another exporter may soon take it for lost.
const LATEST: i64 = 60;

/// Pipelines of a ref that are looked at.
const PIPELINES: usize = 20;

/// GitLab's words where a job was retried already.
const NOT_RETRYABLE: &str = "not retryable";

/// GitLab's words where too many pipelines were started.
const TOO_MANY_PIPELINES: &str = "Too many pipelines";

/// What GitLab answered to an action.
struct Outcome {
    progress: Progress,
    started: Option<u64>,
    answer: Option<String>,
    /// Whether the token lacks rights.
    lacks_rights: bool,
    /// Whether GitLab refused the token as a whole.
    is_of_the_token: bool,
}

impl Executor {
    /// Acts, unless something speaks against it by now: that is the error. Returns the number of the action.
    pub(super) async fn act(&self, ask: &Ask) -> Result<Action, Decision> {
        let turn = self.turn.lock().await;
        self.act_in_turn(ask, &turn).await
    }

    /// Acts while the turn is held.
    pub(super) async fn act_in_turn(
        &self,
        ask: &Ask,
        _: &MutexGuard<'_, ()>,
    ) -> Result<Action, Decision> {
        if !self.record.is_exclusive() {
            return Err(self.unrecorded(
                "the store does not honour conditional writes, so a second exporter would not notice this one",
            ));
        }
        let listed = self.listed(ask).await?;
        let intended_at = self.failures.now();
        let (number, target) = self.intend(ask, &listed, intended_at).await?;
        let age = self.failures.now().unix() - intended_at.unix();
        if age > LATEST {
            return Ok(self.finish(ask, number, Outcome::too_late()).await);
        }
        let deploys = matches!(target, Target::Job(id) if listed.deploys(id));
        let mut outcome = self.send(ask, target).await;
        // GitLab refuses a deployment that a newer one has overtaken in the same words.
        outcome.lacks_rights &= !deploys || outcome.is_of_the_token;
        Ok(self.finish(ask, number, outcome).await)
    }

    /// Records that an action is about to happen, under the condition that nobody else has recorded it.
    async fn intend(
        &self,
        ask: &Ask,
        listed: &Listed,
        now: Timestamp,
    ) -> Result<(u64, Target), Decision> {
        let intend = |ledger: &mut Ledger| match self.guard(ledger).after_listing(ask, listed) {
            Decision::Act(target) => (true, Ok((ledger.intend(ask, now), target))),
            other => (false, Err(other)),
        };
        match self.record.change(intend).await {
            Ok((ledger, Change::Saved(intended) | Change::Kept(intended))) => {
                self.remember(ledger);
                intended
            }
            Err(why) => Err(self.unrecorded(&why)),
        }
    }

    fn unrecorded(&self, why: &str) -> Decision {
        self.not_saved(why);
        self.later(Reason::NotSaved)
    }

    /// Sends the request, once.
    async fn send(&self, ask: &Ask, target: Target) -> Outcome {
        let project = ask.job.project_id;
        let client = &self.client;
        let sent = match target {
            Target::Job(job) if ask.kind == ActionKind::Play => {
                client.play_job(project, job).await.map(|job| Some(job.id))
            }
            Target::Job(job) => client.retry_job(project, job).await.map(|job| Some(job.id)),
            Target::Ref(ref ref_name) => client.start_pipeline(project, ref_name).await.map(Some),
            Target::Schedule(id) => client.run_schedule(project, id).await.map(|()| None),
        };
        match sent {
            Ok(started) => Outcome {
                progress: Progress::Started,
                started,
                answer: None,
                lacks_rights: false,
                is_of_the_token: false,
            },
            Err(error) => Outcome::of(&error),
        }
    }

    /// Records what GitLab answered. Where that cannot be saved, the intention stays and is looked into later.
    async fn finish(&self, ask: &Ask, number: u64, outcome: Outcome) -> Action {
        let now = self.failures.now();
        let project = ask.job.project_id;
        let note = |ledger: &mut Ledger| {
            let answer = outcome.answer.as_deref();
            let mut changed = ledger.note(number, outcome.progress, outcome.started, answer);
            if outcome.lacks_rights {
                ledger.stop(project, now);
                changed = true;
            }
            (changed, ())
        };
        let ledger = match self.record.change(note).await {
            Ok((saved, _)) => saved,
            Err(why) => {
                self.not_saved(&why);
                let mut ledger = Ledger::clone(&self.ledger());
                ledger.note(
                    number,
                    outcome.progress,
                    outcome.started,
                    outcome.answer.as_deref(),
                );
                ledger
            }
        };
        let action = ledger.action(number).cloned();
        self.remember(ledger);
        let action = action.unwrap_or_else(|| Action::intended(number, ask, now));
        if outcome.lacks_rights {
            tracing::warn!(
                project = &*ask.job.project,
                answer = action.answer.as_deref().unwrap_or_default(),
                "GitLab refuses to let the token of `remediation.token_file` act in this project: grant it the scope \
                 `api` and a role that may merge into the protected branch; nothing is done here for 6 hours"
            );
        }
        self.observer.acted(&action);
        action
    }

    /// What GitLab lists about a failure; the error is a decision that needs no listing.
    pub(super) async fn listed(&self, ask: &Ask) -> Result<Listed, Decision> {
        if ask.kind == ActionKind::RunSchedule {
            return Ok(Listed::default());
        }
        let project = ask.job.project_id;
        let error = match self.read_listed(ask).await {
            Ok(listed) => {
                self.note_access(project, false);
                return Ok(listed);
            }
            Err(error) => error,
        };
        let is_refused = if error.is_not_found() {
            match self.sees(project).await {
                Ok(true) => return Err(Decision::Refuse(Reason::Gone)),
                Ok(false) => true,
                Err(_) => false,
            }
        } else {
            error.is_refusal() || error.is_of_the_token()
        };
        if !is_refused {
            return Err(self.later(Reason::GitlabDown));
        }
        let advice = if error.is_of_the_token() {
            ""
        } else {
            "; make the token's user a member of it"
        };
        if self.note_access(project, true) {
            tracing::warn!(
                project = &*ask.job.project,
                "GitLab does not let the acting token read this project, so nothing is brought back here: {error}{advice}"
            );
        }
        Err(Decision::Refuse(Reason::NoRights))
    }

    /// Whether GitLab shows a project to the acting token. To others than members, all of a private project is not found.
    async fn sees(&self, project: u64) -> Result<bool, Error> {
        match self.client.project_access(&project.to_string()).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() || error.is_refusal() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn read_listed(&self, ask: &Ask) -> Result<Listed, Error> {
        let (client, job) = (&self.client, &ask.job);
        let project = job.project_id;
        let me = if let Some(user) = self.known_user() {
            user
        } else {
            let user = client.user().await?;
            self.remember_user(user);
            user
        };
        let deployed = self.deployed(project).await?;
        let holder = client.attempt(project, job.job_id).await?.pipeline_id;
        let holder = holder.unwrap_or(job.pipeline_id);
        let pipeline = client.pipeline(project, job.pipeline_id).await?;
        let listed_job = |attempt: Attempt| ListedJob {
            deploys: deployed.contains(&attempt.name)
                || self.settings.deploys(&attempt.name, &attempt.stage),
            id: attempt.id,
            name: attempt.name,
            stage: attempt.stage,
            status: attempt.status,
            allow_failure: attempt.allow_failure,
            archived: attempt.archived,
            user: attempt.user,
        };
        let jobs = self.jobs_of(project, holder).await?;
        let parent_jobs = if holder == job.pipeline_id {
            Vec::new()
        } else {
            self.jobs_of(project, job.pipeline_id).await?
        };
        let query = PipelineQuery {
            ref_name: Some(pipeline.ref_name.to_string()),
            order: Order::Id,
            at_most: Some(PIPELINES),
            ..PipelineQuery::default()
        };
        let pipelines = client.pipelines(project, &query).await?.items;
        let track = self.tracks.of_source(pipeline.source.as_deref());
        let finished = pipelines.iter().filter(|other| {
            matches!(other.status, Status::Success | Status::Failed)
                && self.tracks.of_source(other.source.as_deref()) == track
        });
        Ok(Listed {
            me,
            ref_name: Some(pipeline.ref_name.clone()),
            jobs: jobs.into_iter().map(listed_job).collect(),
            parent_jobs: parent_jobs.into_iter().map(listed_job).collect(),
            newest_finished: finished.map(|pipeline| pipeline.id).max(),
            newest: pipelines.iter().map(|pipeline| pipeline.id).max(),
        })
    }

    /// Every attempt of every job of a pipeline, and its trigger jobs, which come back with the others.
    async fn jobs_of(&self, project: u64, pipeline: u64) -> Result<Vec<Attempt>, Error> {
        let mut jobs = self.client.attempts(project, pipeline).await?;
        let bridges = self.client.bridges(project, pipeline).await?.items;
        jobs.extend(bridges.into_iter().map(|bridge| Attempt::from(bridge.job)));
        Ok(jobs)
    }

    async fn deployed(&self, project: u64) -> Result<Arc<JobNames>, Error> {
        if let Some(known) = self.known_deployed(project, DEPLOYED_FOR) {
            return Ok(known);
        }
        let jobs = match self.client.deployed_jobs(project).await {
            Ok(jobs) => jobs,
            // A project without environments, or without the right to see them: the names decide.
            Err(error) if error.is_refusal() && !error.is_of_the_token() => JobNames::new(),
            Err(error) => return Err(error),
        };
        let jobs = Arc::new(jobs);
        self.remember_deployed(project, jobs.clone());
        Ok(jobs)
    }
}

impl Outcome {
    /// Of a request that was not sent.
    fn too_late() -> Self {
        Self {
            progress: Progress::NotDone,
            started: None,
            answer: Some("not sent: too much time has passed since it was recorded".to_owned()),
            lacks_rights: false,
            is_of_the_token: false,
        }
    }

    /// Of a request that failed.
    fn of(error: &Error) -> Self {
        let (progress, lacks_rights) = match error.kind() {
            ErrorKind::Forbidden(words) if words.contains(NOT_RETRYABLE) => {
                (Progress::Refused, false)
            }
            ErrorKind::Forbidden(_) | ErrorKind::Unauthorized(_) => (Progress::Refused, true),
            // Too early: GitLab has done nothing.
            ErrorKind::RateLimited { .. } | ErrorKind::CircuitOpen { .. } => {
                (Progress::NotDone, false)
            }
            ErrorKind::Refused { message, .. } if message.contains(TOO_MANY_PIPELINES) => {
                (Progress::NotDone, false)
            }
            ErrorKind::NotFound(_) | ErrorKind::CiDisabled | ErrorKind::Refused { .. } => {
                (Progress::Refused, false)
            }
            // Unclear: GitLab may have done it. What it lists decides later.
            _ => (Progress::Intended, false),
        };
        Self {
            progress,
            started: None,
            answer: Some(error.to_string()),
            lacks_rights,
            is_of_the_token: error.is_of_the_token(),
        }
    }
}
