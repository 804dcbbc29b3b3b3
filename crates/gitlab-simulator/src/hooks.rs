//! Webhooks of jobs and pipelines, with GitLab's payloads.

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::delivery::Hook;
use super::entity::{CiStatus, Job, Pipeline};
use super::moment::Moment;
use super::world::World;

impl World {
    /// Adds a receiver of all further webhooks.
    pub(super) fn add_hook_receiver(&mut self, receiver: mpsc::UnboundedSender<Hook>) {
        self.hooks.push(receiver);
    }

    /// Sends the webhook of a job whose status changed.
    pub(super) fn send_job_hook(&mut self, id: u64) {
        if self.hooks.is_empty() {
            return;
        }
        let Some(job) = self.job(id).filter(|job| !job.is_bridge()) else {
            return;
        };
        if let Some(pipeline) = self.pipeline(job.pipeline_id) {
            let body = self.job_hook(job, pipeline);
            self.send_hook("Job Hook", &body);
        }
    }

    /// Sends the webhook of a pipeline whose status changed.
    pub(super) fn send_pipeline_hook(&mut self, id: u64) {
        if self.hooks.is_empty() {
            return;
        }
        if let Some(pipeline) = self.pipeline(id) {
            let body = self.pipeline_hook(pipeline);
            self.send_hook("Pipeline Hook", &body);
        }
    }

    fn send_hook(&mut self, event: &'static str, body: &Value) {
        self.hooks.retain(|receiver| {
            let body = body.clone();
            receiver.send(Hook { event, body }).is_ok()
        });
    }

    fn job_hook(&self, job: &Job, pipeline: &Pipeline) -> Value {
        let row = self.job_payload(job, pipeline);
        let reason = job.failure_reason.as_deref();
        let environment = job.plan.environment.as_ref();
        let environment = environment.map(|name| json!({ "name": name, "action": "start" }));
        json!({
            "object_kind": "build",
            "ref": pipeline.ref_name,
            "tag": pipeline.tag,
            "before_sha": pipeline.before_sha,
            "sha": pipeline.sha,
            "retries_count": job.attempt,
            "build_id": job.id,
            "build_name": job.plan.name,
            "build_stage": job.plan.stage,
            "build_status": job.status.as_str(),
            "build_created_at": utc(Some(job.created_at)),
            "build_started_at": utc(job.started_at),
            "build_finished_at": utc(job.finished_at),
            "build_duration": row.get("duration"),
            "build_queued_duration": row.get("queued_duration"),
            "build_allow_failure": job.plan.allow_failure,
            "build_failure_reason": reason.unwrap_or("unknown_failure"),
            "pipeline_id": pipeline.id,
            "project_id": pipeline.project_id,
            "user": self.user_payload(job.user),
            "commit": {"id": pipeline.id, "sha": pipeline.sha, "status": pipeline.status.as_str()},
            "project": self.hook_project(pipeline.project_id),
            "environment": environment,
        })
    }

    fn pipeline_hook(&self, pipeline: &Pipeline) -> Value {
        let latest = self.jobs_of(pipeline.id);
        let latest = latest.filter(|job| !job.retried && !job.is_bridge());
        let builds: Vec<Value> = latest.map(|job| self.build(job, pipeline)).collect();
        json!({
            "object_kind": "pipeline",
            "object_attributes": {
                "id": pipeline.id,
                "iid": pipeline.iid,
                "ref": pipeline.ref_name,
                "tag": pipeline.tag,
                "sha": pipeline.sha,
                "before_sha": pipeline.before_sha,
                "source": pipeline.source,
                "status": pipeline.status.as_str(),
                "stages": pipeline.stages,
                "created_at": utc(Some(pipeline.created_at)),
                "finished_at": utc(pipeline.finished_at),
                "duration": pipeline.duration,
                "variables": [{"key": "DEPLOY_TOKEN", "value": "not-for-your-eyes"}],
            },
            "user": self.user_payload(pipeline.user),
            "project": self.hook_project(pipeline.project_id),
            "builds": builds,
        })
    }

    fn build(&self, job: &Job, pipeline: &Pipeline) -> Value {
        let row = self.job_payload(job, pipeline);
        let ended_badly = job.status == CiStatus::Failed;
        let reason = job.failure_reason.as_deref().filter(|_| ended_badly);
        json!({
            "id": job.id,
            "stage": job.plan.stage,
            "name": job.plan.name,
            "status": job.status.as_str(),
            "created_at": utc(Some(job.created_at)),
            "started_at": utc(job.started_at),
            "finished_at": utc(job.finished_at),
            "duration": row.get("duration"),
            "queued_duration": row.get("queued_duration"),
            "failure_reason": reason,
            "when": if job.plan.manual { "manual" } else { "on_success" },
            "manual": job.plan.manual,
            "allow_failure": job.plan.allow_failure,
        })
    }

    fn hook_project(&self, id: u64) -> Value {
        let project = self.project(id);
        json!({
            "id": id,
            "path_with_namespace": project.map(|project| &project.path),
            "default_branch": project.map(|project| &project.default_branch),
            "web_url": self.project_url(id),
        })
    }
}

fn utc(moment: Option<Moment>) -> Option<String> {
    moment.map(Moment::utc)
}
