//! The life cycle of pipelines and jobs: creation, queue, runner, end, cancellation.

use std::sync::Arc;
use std::time::Duration;

use super::accounts::Accounts;
use super::entity::{CiStatus, GitRef, Job, Pipeline};
use super::plan::{Ending, JobPlan, PipelinePlan};
use super::world::World;

/// Reasons with which GitLab fails a job without running it.
const NEVER_RAN: [&str; 3] = [
    "ci_quota_exceeded",
    "no_matching_runner",
    "failed_outdated_deployment_job",
];

impl World {
    /// Creates a pipeline in a project. Returns its id, or 0 if the project does not exist.
    pub fn push_pipeline(&mut self, project: u64, plan: PipelinePlan) -> u64 {
        self.push_pipeline_as(Accounts::OWNER, project, plan)
    }

    /// Gives the commit of a pipeline a title.
    pub fn set_title(&mut self, pipeline: u64, title: &str) {
        if let Some(pipeline) = self.pipelines.get(&pipeline) {
            self.titles.insert(pipeline.sha.clone(), title.to_owned());
        }
    }

    /// Creates a pipeline that this user started.
    pub(super) fn push_pipeline_as(&mut self, user: u64, project: u64, plan: PipelinePlan) -> u64 {
        let before_sha = self.head_of(project, plan.ref_name.as_deref());
        let sha = plan.sha.clone().unwrap_or_else(|| self.new_commit());
        let Some(project) = self.projects.get_mut(&project) else {
            return 0;
        };
        project.last_iid += 1;
        self.last_pipeline_id += 1;
        let id = self.last_pipeline_id;
        let pipeline = Pipeline {
            id,
            iid: project.last_iid,
            project_id: project.id,
            stages: plan.stages(),
            ref_name: plan
                .ref_name
                .unwrap_or_else(|| project.default_branch.clone()),
            tag: plan.tag,
            sha,
            before_sha,
            source: plan.source,
            // Without jobs GitLab has failed it for its configuration.
            status: if plan.jobs.is_empty() {
                CiStatus::Failed
            } else {
                CiStatus::Created
            },
            created_at: self.now,
            updated_at: self.now,
            started_at: None,
            finished_at: None,
            duration: None,
            visible_from: self.now + plan.hidden_for,
            user,
        };
        self.move_ref(&pipeline);
        // Later pipelines of the commit show the same title, child pipelines too.
        let title = self.titles.entry(pipeline.sha.clone());
        title.or_insert_with(|| format!("Change {}", pipeline.iid));
        let known = self.pipelines_by_project.entry(pipeline.project_id);
        known.or_default().insert(id);
        self.pipelines.insert(id, pipeline);
        for job in plan.jobs {
            self.create_job(id, Arc::new(job), 0, user);
        }
        self.process(id);
        id
    }

    /// Moves the branch or tag of a new pipeline to its commit. Child pipelines are on an old one.
    fn move_ref(&mut self, pipeline: &Pipeline) {
        if pipeline.source == "parent_pipeline" {
            return;
        }
        let key = (pipeline.project_id, pipeline.ref_name.clone());
        let plan = self.refs.remove(&key).and_then(|known| known.plan);
        let moved = GitRef {
            head: pipeline.sha.clone(),
            tag: pipeline.tag,
            newest_pipeline: pipeline.id,
            plan,
        };
        self.refs.insert(key, moved);
    }

    /// Sets the status of a job by hand and updates its times.
    pub fn set_job_status(&mut self, job: u64, status: CiStatus) {
        match status {
            CiStatus::Failed => self.finish_job(job, status, Some("script_failure".to_owned())),
            CiStatus::Success | CiStatus::Canceled | CiStatus::Skipped => {
                self.finish_job(job, status, None);
            }
            _ => self.move_job(job, status),
        }
    }

    /// Makes a job fail with this reason. An automatic retry follows if the plan has one left.
    pub fn fail_job(&mut self, job: u64, reason: &str) {
        self.finish_job(job, CiStatus::Failed, Some(reason.to_owned()));
    }

    /// Cancels all unfinished jobs of a pipeline.
    pub fn cancel_pipeline(&mut self, pipeline: u64) {
        let open: Vec<u64> = self
            .jobs_of(pipeline)
            .filter(|job| !job.status.is_terminal())
            .map(|job| job.id)
            .collect();
        for job in open {
            self.finish_job(job, CiStatus::Canceled, None);
        }
    }

    pub(super) fn create_job(
        &mut self,
        pipeline: u64,
        plan: Arc<JobPlan>,
        attempt: usize,
        user: u64,
    ) -> u64 {
        self.last_job_id += 1;
        let id = self.last_job_id;
        let ending = self.ending_of(pipeline, &plan, attempt);
        let job = Job {
            id,
            pipeline_id: pipeline,
            plan,
            attempt,
            status: CiStatus::Created,
            created_at: self.now,
            queued_at: None,
            started_at: None,
            finished_at: None,
            failure_reason: None,
            retried: false,
            downstream: None,
            user,
            ending,
            started_by_hand: false,
            archived: false,
        };
        self.jobs.insert(id, job);
        self.jobs_by_pipeline.entry(pipeline).or_default().push(id);
        id
    }

    /// Makes a job pending, or manual if its plan says so and nobody has started it.
    pub(super) fn enqueue(&mut self, id: u64) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if job.plan.manual && !job.started_by_hand {
            job.status = CiStatus::Manual;
            self.send_job_hook(id);
            return;
        }
        job.status = CiStatus::Pending;
        job.queued_at = Some(now);
        let (wait, waits) = (job.plan.wait, job.ending == Ending::Waits);
        let is_bridge = job.is_bridge();
        self.send_job_hook(id);
        if is_bridge {
            self.after(Duration::ZERO, move |world| world.trigger(id));
        } else if !waits {
            self.after(wait, move |world| world.begin(id));
        }
    }

    fn begin(&mut self, id: u64) {
        let Some(job) = self.jobs.get(&id).filter(|j| j.status == CiStatus::Pending) else {
            return;
        };
        let (run, ending) = (job.plan.run, job.ending.clone());
        if self.is_outdated(job) {
            let reason = "failed_outdated_deployment_job".to_owned();
            self.finish_job(id, CiStatus::Failed, Some(reason));
            return;
        }
        self.move_job(id, CiStatus::Running);
        if ending != Ending::Runs {
            self.after(run, move |world| world.end(id, ending));
        }
    }

    fn end(&mut self, id: u64, ending: Ending) {
        if self
            .jobs
            .get(&id)
            .is_none_or(|job| job.status != CiStatus::Running)
        {
            return;
        }
        match ending {
            Ending::Passes => self.finish_job(id, CiStatus::Success, None),
            Ending::Fails(reason) => self.finish_job(id, CiStatus::Failed, Some(reason)),
            Ending::IsCanceled => self.finish_job(id, CiStatus::Canceled, None),
            Ending::Runs | Ending::Waits => {}
        }
    }

    pub(super) fn move_job(&mut self, id: u64, status: CiStatus) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.status = status;
        match status {
            CiStatus::Pending => job.queued_at = Some(now),
            CiStatus::Running => job.started_at = job.started_at.or(Some(now)),
            _ => {}
        }
        let pipeline = job.pipeline_id;
        self.send_job_hook(id);
        self.process_later(pipeline);
    }

    pub(super) fn finish_job(&mut self, id: u64, status: CiStatus, reason: Option<String>) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let never_ran = reason.as_deref().is_some_and(|r| NEVER_RAN.contains(&r));
        if matches!(status, CiStatus::Success | CiStatus::Failed) && !never_ran {
            job.started_at = job.started_at.or(Some(now));
        }
        job.status = status;
        job.finished_at = (status != CiStatus::Skipped).then_some(now);
        job.failure_reason = reason;
        let pipeline = job.pipeline_id;
        let retries_itself = job.retries_itself();
        self.send_job_hook(id);
        if retries_itself {
            self.retry_itself(id);
        }
        self.process_later(pipeline);
    }

    pub(super) fn process_later(&mut self, pipeline: u64) {
        if self.status_lag.is_zero() {
            self.process(pipeline);
        } else {
            let lag = self.status_lag;
            self.after(lag, move |world| world.process(pipeline));
        }
    }

    fn head_of(&self, project: u64, ref_name: Option<&str>) -> String {
        let default = self.projects.get(&project).map(|p| &*p.default_branch);
        self.pipelines_of(project)
            .rfind(|pipeline| Some(&*pipeline.ref_name) == ref_name.or(default))
            .map_or_else(|| "0".repeat(40), |pipeline| pipeline.sha.clone())
    }

    pub(super) fn new_commit(&mut self) -> String {
        let high = self.random.u128(..);
        let low = self.random.u32(..);
        format!("{high:032x}{low:08x}")
    }
}
