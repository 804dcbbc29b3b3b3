//! What clients do to whole pipelines: retry, cancel, create.

use std::time::Duration;

use super::entity::{CiStatus, GitRef, Job, Project};
use super::ledger::{Action, ActionKind};
use super::plan::{JobPlan, PipelinePlan};
use super::world::World;

impl World {
    /// The configuration that the next pipeline of the API has on a ref. Without it such a pipeline repeats
    /// the newest one of the ref, and its jobs go on with the attempts of their plans.
    pub fn set_next_plan(&mut self, project: u64, ref_name: &str, plan: PipelinePlan) {
        if let Some(known) = self.refs.get_mut(&(project, ref_name.to_owned())) {
            known.plan = Some(plan);
        }
    }

    /// Moves the head of a branch without a pipeline. Returns the new commit.
    pub fn commit_to(&mut self, project: u64, ref_name: &str) -> Option<String> {
        let commit = self.new_commit();
        let known = self.refs.get_mut(&(project, ref_name.to_owned()))?;
        known.head.clone_from(&commit);
        Some(commit)
    }

    /// Deletes a branch or tag and keeps its pipelines.
    pub fn delete_ref(&mut self, project: u64, ref_name: &str) {
        self.refs.remove(&(project, ref_name.to_owned()));
    }

    /// Retries the failed and canceled jobs of a pipeline. Trigger jobs stay, manual jobs wait again.
    pub(super) fn retry_pipeline(&mut self, pipeline: u64, user: u64) {
        let again = |job: &&Job| {
            matches!(job.status, CiStatus::Failed | CiStatus::Canceled)
                && !job.is_bridge()
                && self.may_update_job(user, job)
        };
        let ended: Vec<u64> = self
            .latest_jobs(pipeline)
            .filter(again)
            .map(|job| job.id)
            .collect();
        for job in ended {
            if let Some(new) = self.clone_job(job, user) {
                self.record(ActionKind::RetryPipeline, user, job, Some(new));
                self.drop_if_hopeless(new);
            }
        }
        self.revive_all(pipeline, user);
        self.revive_bridge_of(pipeline, user);
        self.process(pipeline);
    }

    /// Cancels the unfinished jobs of a pipeline through the API.
    pub(super) fn cancel_pipeline_as(&mut self, pipeline: u64, user: u64) {
        let open: Vec<u64> = self
            .jobs_of(pipeline)
            .filter(|job| !job.status.is_terminal())
            .map(|job| job.id)
            .collect();
        for job in open {
            self.stop_job(job);
        }
        self.record_pipeline(ActionKind::CancelPipeline, user, pipeline);
    }

    /// Creates a pipeline on the head of a ref.
    ///
    /// # Errors
    ///
    /// GitLab's complaint if the ref is unknown, the user may not write to it, the project refuses, or the
    /// user created too many.
    pub(super) fn create_pipeline(
        &mut self,
        project: u64,
        ref_name: &str,
        with_variables: bool,
        user: u64,
    ) -> Result<u64, String> {
        let owner = self.projects.get(&project).ok_or("Reference not found")?;
        let key = (project, ref_name.to_owned());
        let known = self.refs.get(&key).ok_or("Reference not found")?;
        let role = self.accounts.role(user, project);
        if with_variables && role < Some(owner.variables_from) {
            return Err("Insufficient permissions to set pipeline variables".to_owned());
        }
        self.creation_refused(owner, known, ref_name, user)?;
        let repeated = || PipelinePlan::new(self.repeated_jobs(known.newest_pipeline));
        let mut plan = known.plan.clone().unwrap_or_else(repeated);
        if plan.jobs.is_empty() {
            return Err("Pipeline will not run for the selected trigger. The rules configuration prevented any jobs from being added to the pipeline.".to_owned());
        }
        plan = plan.on(ref_name).from_source("api");
        (plan.sha, plan.tag) = (Some(known.head.clone()), known.tag);
        let id = self.push_pipeline_as(user, project, plan);
        self.record_pipeline(ActionKind::CreatePipeline, user, id);
        Ok(id)
    }

    fn creation_refused(
        &self,
        project: &Project,
        known: &GitRef,
        ref_name: &str,
        user: u64,
    ) -> Result<(), String> {
        if let Some(error) = &project.pipeline_error {
            return Err(error.clone());
        }
        if !self.may_write_ref(user, project, ref_name) {
            return Err(format!(
                "You do not have sufficient permission to run a pipeline on '{ref_name}'. Please select a different branch or contact your administrator for assistance."
            ));
        }
        let since = self.now - Duration::from_mins(1);
        let recent = self.pipelines.values().rev().filter(|pipeline| {
            pipeline.project_id == project.id
                && pipeline.user == user
                && pipeline.sha == known.head
                && pipeline.created_at > since
        });
        let limit = self.settings.pipelines_per_minute;
        if limit.is_some_and(|limit| recent.count() >= limit) {
            return Err(
                "Too many pipelines created in the last minute. Try again later.".to_owned(),
            );
        }
        Ok(())
    }

    fn repeated_jobs(&self, pipeline: u64) -> Vec<JobPlan> {
        self.latest_jobs(pipeline)
            .map(|job| JobPlan::clone(&job.plan).after_attempts(job.attempt + 1))
            .collect()
    }

    /// Records what a client did to a job.
    pub(super) fn record(&mut self, kind: ActionKind, user: u64, job: u64, new_job: Option<u64>) {
        let Some(target) = self.jobs.get(&job) else {
            return;
        };
        let Some(pipeline) = self.pipelines.get(&target.pipeline_id) else {
            return;
        };
        self.ledger.record(Action {
            kind,
            project: pipeline.project_id,
            ref_name: pipeline.ref_name.clone(),
            pipeline: Some(pipeline.id),
            job: Some(job),
            job_name: Some(target.plan.name.clone()),
            new_job,
            user,
            at: self.now.unix(),
        });
    }

    fn record_pipeline(&mut self, kind: ActionKind, user: u64, id: u64) {
        let Some(pipeline) = self.pipelines.get(&id) else {
            return;
        };
        self.ledger.record(Action {
            kind,
            project: pipeline.project_id,
            ref_name: pipeline.ref_name.clone(),
            pipeline: Some(id),
            job: None,
            job_name: None,
            new_job: None,
            user,
            at: self.now.unix(),
        });
    }
}
