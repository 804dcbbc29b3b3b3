//! Entities in the JSON format of GitLab's API.

use serde_json::{Map, Value, json};

use super::entity::{CiStatus, Job, Pipeline, Project};
use super::moment::Moment;
use super::world::World;

/// What GitLab says of a configuration without jobs.
const NO_VISIBLE_JOB: &str = "jobs config should contain at least one visible job";

impl World {
    /// A row of `GET /projects/:id/pipelines`.
    pub(super) fn pipeline_row(&self, pipeline: &Pipeline) -> Value {
        json!({
            "id": pipeline.id,
            "iid": pipeline.iid,
            "project_id": pipeline.project_id,
            "sha": pipeline.sha,
            "ref": pipeline.ref_name,
            "status": pipeline.status.as_str(),
            "source": pipeline.source,
            "created_at": pipeline.created_at.iso(),
            "updated_at": pipeline.updated_at.iso(),
            "web_url": self.pipeline_url(pipeline),
            "name": null,
        })
    }

    /// The answer of `GET /projects/:id/pipelines/:pid`.
    pub(super) fn pipeline_detail(&self, pipeline: &Pipeline) -> Value {
        let queued = pipeline.started_at.map(|started| {
            let millis = started.millis() - pipeline.created_at.millis();
            millis / 1000
        });
        let too_old = |after| pipeline.created_at + after <= self.now;
        let archived = self.settings.archive_after.is_some_and(too_old);
        let detail = json!({
            "before_sha": pipeline.before_sha,
            "tag": pipeline.tag,
            "yaml_errors": pipeline.stages.is_empty().then_some(NO_VISIBLE_JOB),
            "user": self.user_payload(pipeline.user),
            "started_at": iso(pipeline.started_at),
            "finished_at": iso(pipeline.finished_at),
            "committed_at": null,
            "duration": pipeline.duration,
            "queued_duration": queued.filter(|seconds| *seconds > 0),
            "coverage": null,
            "detailed_status": self.detailed_status(pipeline),
            "archived": archived,
        });
        merged(self.pipeline_row(pipeline), detail)
    }

    /// A job, in lists and in single answers.
    pub(super) fn job_payload(&self, job: &Job, pipeline: &Pipeline) -> Value {
        let own = json!({
            "artifacts": artifacts(job),
            "artifacts_expire_at": null,
            "runner": runner(job),
            "runner_manager": null,
            "tag_list": ["docker"],
        });
        merged(self.common_job(job, pipeline), own)
    }

    /// A row of `GET /projects/:id/pipelines/:pid/bridges`.
    pub(super) fn bridge(&self, job: &Job, pipeline: &Pipeline) -> Value {
        let downstream = job
            .downstream
            .and_then(|id| self.pipeline(id))
            .map(|child| self.pipeline_row(child));
        merged(
            self.common_job(job, pipeline),
            json!({ "downstream_pipeline": downstream }),
        )
    }

    fn common_job(&self, job: &Job, pipeline: &Pipeline) -> Value {
        let mut value = json!({
            "id": job.id,
            "status": job.status.as_str(),
            "stage": job.plan.stage,
            "name": job.plan.name,
            "ref": pipeline.ref_name,
            "tag": pipeline.tag,
            "coverage": null,
            "allow_failure": job.plan.allow_failure,
            "created_at": job.created_at.iso(),
            "started_at": iso(job.started_at),
            "finished_at": iso(job.finished_at),
            "erased_at": iso(self.erased_logs.get(&job.id).copied()),
            "duration": self.job_duration(job),
            "queued_duration": self.job_queued_duration(job),
            "user": self.user_payload(job.user),
            "commit": self.commit(pipeline),
            "pipeline": self.embedded_pipeline(pipeline),
            "web_url": format!("{}/-/jobs/{}", self.project_url(pipeline.project_id), job.id),
            "project": { "ci_job_token_scope_enabled": false },
            "archived": self.is_archived(job),
            "source": pipeline.source,
        });
        // GitLab omits the key unless the job failed.
        if let (CiStatus::Failed, Some(reason), Value::Object(fields)) =
            (job.status, &job.failure_reason, &mut value)
        {
            fields.insert("failure_reason".to_owned(), json!(reason));
        }
        value
    }

    /// Seconds on the runner, so far.
    pub(super) fn job_duration(&self, job: &Job) -> Option<f64> {
        let end = job.finished_at.unwrap_or(self.now);
        job.started_at.map(|start| end.seconds_since(start))
    }

    /// Seconds in the queue, so far.
    pub(super) fn job_queued_duration(&self, job: &Job) -> Option<f64> {
        let end = job.started_at.unwrap_or(self.now);
        job.queued_at.map(|start| end.seconds_since(start))
    }

    fn embedded_pipeline(&self, pipeline: &Pipeline) -> Value {
        let mut value = self.pipeline_row(pipeline);
        if let Value::Object(fields) = &mut value {
            fields.remove("name");
        }
        value
    }

    /// The commit of a pipeline.
    pub(super) fn commit(&self, pipeline: &Pipeline) -> Value {
        let project = self.project_url(pipeline.project_id);
        let written = pipeline.created_at.iso();
        let title = self.titles.get(&pipeline.sha);
        json!({
            "id": pipeline.sha,
            "short_id": pipeline.sha.get(..8),
            "created_at": written,
            "parent_ids": [pipeline.before_sha],
            "title": title,
            "message": title,
            "author_name": "Example User",
            "author_email": "user@example.com",
            "authored_date": written,
            "committer_name": "Example User",
            "committer_email": "user@example.com",
            "committed_date": written,
            "trailers": {},
            "extended_trailers": {},
            "web_url": format!("{project}/-/commit/{}", pipeline.sha),
        })
    }

    fn detailed_status(&self, pipeline: &Pipeline) -> Value {
        let path = self.project(pipeline.project_id).map(|p| p.path.as_str());
        let group = pipeline.status.as_str();
        let text = match pipeline.status {
            CiStatus::Success => "passed",
            _ => group,
        };
        json!({
            "icon": format!("status_{group}"),
            "text": text,
            "label": text,
            "group": group,
            "tooltip": text,
            "has_details": true,
            "details_path": format!("/{}/-/pipelines/{}", path.unwrap_or_default(), pipeline.id),
            "illustration": null,
            "favicon": format!("/assets/ci_favicons/favicon_status_{group}.png"),
        })
    }

    /// A project, with fewer fields if `simple`.
    pub(super) fn project_payload(&self, project: &Project, simple: bool) -> Value {
        let (namespace, path) = project.path.rsplit_once('/').unwrap_or(("", &project.path));
        let group = self.group_by_path(namespace);
        let url = format!("{}/{}", self.base_url, project.path);
        let branch = Some(&project.default_branch).filter(|branch| !branch.is_empty());
        let mut base = json!({
            "id": project.id,
            "description": null,
            "name": path,
            "name_with_namespace": project.path.replace('/', " / "),
            "path": path,
            "path_with_namespace": project.path,
            "created_at": project.created_at.iso(),
            "default_branch": branch,
            "tag_list": [],
            "topics": [],
            "ssh_url_to_repo": format!("git@gitlab.invalid:{}.git", project.path),
            "http_url_to_repo": format!("{url}.git"),
            "web_url": url,
            "readme_url": null,
            "forks_count": 0,
            "avatar_url": null,
            "star_count": 0,
            "last_activity_at": self.now.iso(),
            "namespace": {
                "id": group.map_or(1, |group| group.id),
                "name": namespace,
                "path": namespace.rsplit('/').next(),
                "kind": "group",
                "full_path": namespace,
                "parent_id": null,
                "avatar_url": null,
                "web_url": format!("{}/groups/{namespace}", self.base_url),
            },
        });
        if project.hides_default_branch
            && let Some(fields) = base.as_object_mut()
        {
            fields.remove("default_branch");
        }
        if simple {
            return base;
        }
        merged(
            base,
            json!({
                "empty_repo": branch.is_none(),
                "archived": project.archived,
                "visibility": "private",
                "jobs_enabled": !project.ci_disabled,
                "builds_access_level": if project.ci_disabled { "disabled" } else { "enabled" },
                "creator_id": 1,
                "ci_default_git_depth": 50,
                "build_timeout": 3600,
                "shared_with_groups": project.shared_with.iter().map(|id| json!({
                    "group_id": id, "group_access_level": 30, "expires_at": null,
                })).collect::<Vec<_>>(),
            }),
        )
    }

    /// Web page of a project.
    pub(super) fn project_url(&self, project: u64) -> String {
        let path = self.project(project).map(|p| p.path.as_str());
        format!("{}/{}", self.base_url, path.unwrap_or_default())
    }

    fn pipeline_url(&self, pipeline: &Pipeline) -> String {
        let project = self.project_url(pipeline.project_id);
        format!("{project}/-/pipelines/{}", pipeline.id)
    }
}

fn artifacts(job: &Job) -> Value {
    if job.finished_at.is_some() && job.started_at.is_some() {
        json!([{"file_type": "trace", "size": 2770, "filename": "job.log", "file_format": null}])
    } else {
        json!([])
    }
}

fn runner(job: &Job) -> Value {
    if job.started_at.is_none() {
        return Value::Null;
    }
    json!({
        "id": 32,
        "description": "simulated runner",
        "ip_address": null,
        "active": true,
        "paused": false,
        "is_shared": true,
        "runner_type": "instance_type",
        "name": "gitlab-runner",
        "online": true,
        "status": "online",
    })
}

fn iso(moment: Option<Moment>) -> Option<String> {
    moment.map(Moment::iso)
}

fn merged(first: Value, second: Value) -> Value {
    let fields = [first, second].into_iter().filter_map(|value| match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    Value::Object(fields.flatten().collect::<Map<_, _>>())
}
