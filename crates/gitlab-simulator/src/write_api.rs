//! The routes of `/api/v4` that change something.

use http::StatusCode;
use serde_json::{Value, json};

use super::entity::Job;
use super::lookup::View;
use super::params::Params;
use super::reply::Reply;
use super::retry::RetryRefused;
use super::world::World;

/// A request that changes something: the project and, if there is one, the id of its entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WriteRoute {
    RetryJob(String, String),
    PlayJob(String, String),
    CancelJob(String, String),
    RetryPipeline(String, String),
    CancelPipeline(String, String),
    CreatePipeline(String),
    PlaySchedule(String, String),
}

impl WriteRoute {
    /// The route of a `POST` to this path, split at its slashes.
    pub(super) fn parse(path: &[&str]) -> Option<Self> {
        let own = |text: &str| text.to_owned();
        Some(match path {
            ["projects", id, "jobs", jid, "retry"] => Self::RetryJob(own(id), own(jid)),
            ["projects", id, "jobs", jid, "play"] => Self::PlayJob(own(id), own(jid)),
            ["projects", id, "jobs", jid, "cancel"] => Self::CancelJob(own(id), own(jid)),
            ["projects", id, "pipelines", pid, "retry"] => Self::RetryPipeline(own(id), own(pid)),
            ["projects", id, "pipelines", pid, "cancel"] => Self::CancelPipeline(own(id), own(pid)),
            ["projects", id, "pipeline"] => Self::CreatePipeline(own(id)),
            ["projects", id, "pipeline_schedules", sid, "play"] => {
                Self::PlaySchedule(own(id), own(sid))
            }
            _ => return None,
        })
    }

    pub(super) fn endpoint(&self) -> &'static str {
        match self {
            Self::RetryJob(..) => "POST /projects/:id/jobs/:jid/retry",
            Self::PlayJob(..) => "POST /projects/:id/jobs/:jid/play",
            Self::CancelJob(..) => "POST /projects/:id/jobs/:jid/cancel",
            Self::RetryPipeline(..) => "POST /projects/:id/pipelines/:pid/retry",
            Self::CancelPipeline(..) => "POST /projects/:id/pipelines/:pid/cancel",
            Self::CreatePipeline(_) => "POST /projects/:id/pipeline",
            Self::PlaySchedule(..) => "POST /projects/:id/pipeline_schedules/:sid/play",
        }
    }

    /// What GitLab checks before it takes the lock under which it acts. Returns the job to retry.
    pub(super) fn check_retry(&self, view: View<'_>) -> Option<Result<u64, Reply>> {
        match self {
            Self::RetryJob(project, job) => Some(check_retry(view, project, job)),
            _ => None,
        }
    }
}

/// Carries out a request of `user`.
pub(super) fn perform(
    world: &mut World,
    route: &WriteRoute,
    params: &Params,
    user: u64,
) -> Result<Reply, Reply> {
    match route {
        WriteRoute::RetryJob(project, job) => {
            let job = check_retry(View { world, user }, project, job)?;
            retry_checked(world, job, user)
        }
        WriteRoute::PlayJob(project, job) => play_job(world, [project, job], params, user),
        WriteRoute::CancelJob(project, job) => {
            let view = View { world, user };
            let (job, pipeline) = view.job(project, job)?;
            if !world.may_update_pipeline(user, pipeline) || world.is_archived(job) {
                return Err(Reply::forbidden("403 Forbidden"));
            }
            let id = job.id;
            world.cancel_job_as(id, user);
            Ok(created(job_payload(world, id)))
        }
        WriteRoute::RetryPipeline(project, pipeline) => {
            let id = own_pipeline(View { world, user }, project, pipeline)?;
            // GitLab writes the pipeline as it was before the jobs started.
            let payload = pipeline_payload(world, id);
            world.retry_pipeline(id, user);
            Ok(created(payload))
        }
        WriteRoute::CancelPipeline(project, pipeline) => {
            let id = own_pipeline(View { world, user }, project, pipeline)?;
            world.cancel_pipeline_as(id, user);
            Ok(Reply::ok(pipeline_payload(world, id)))
        }
        WriteRoute::CreatePipeline(project) => create_pipeline(world, project, params, user),
        WriteRoute::PlaySchedule(project, schedule) => {
            play_schedule(world, [project, schedule], user)
        }
    }
}

/// Retries a job that was found retryable before.
pub(super) fn retry_checked(world: &mut World, job: u64, user: u64) -> Result<Reply, Reply> {
    let new = world.retry_through_api(job, user);
    let new = new.ok_or_else(Reply::record_not_found)?;
    Ok(created(job_payload(world, new)))
}

fn check_retry(view: View<'_>, project: &str, job: &str) -> Result<u64, Reply> {
    let job = own_job(view, project, job)?;
    if job.is_retryable() {
        return Ok(job.id);
    }
    let refused = RetryRefused::NotRetryable;
    Err(Reply::forbidden(&format!("403 Forbidden - {refused}")))
}

/// A job that the user may retry, play and cancel.
fn own_job<'a>(view: View<'a>, project: &str, job: &str) -> Result<&'a Job, Reply> {
    let (job, _) = view.job(project, job)?;
    if !view.world.may_update_job(view.user, job) {
        return Err(Reply::forbidden("403 Forbidden"));
    }
    Ok(job)
}

fn own_pipeline(view: View<'_>, project: &str, pipeline: &str) -> Result<u64, Reply> {
    let pipeline = view.pipeline(project, pipeline)?;
    if !view.world.may_update_pipeline(view.user, pipeline) {
        return Err(Reply::forbidden("403 Forbidden"));
    }
    Ok(pipeline.id)
}

fn play_job(
    world: &mut World,
    [project, job]: [&String; 2],
    params: &Params,
    user: u64,
) -> Result<Reply, Reply> {
    let view = View { world, user };
    let job = own_job(view, project, job)?;
    let owner = view.project(project)?;
    let role = world.accounts.role(user, owner.id);
    if params.has_variables("job_variables_attributes") && role < Some(owner.variables_from) {
        return Err(Reply::forbidden("403 Forbidden"));
    }
    if !job.is_playable() {
        return Err(Reply::bad_request("400 Bad request - Unplayable Job"));
    }
    let id = job.id;
    world.play_job(id, user);
    // GitLab writes the job that was asked for, also if it made another attempt of it.
    Ok(Reply::ok(job_payload(world, id)))
}

fn create_pipeline(
    world: &mut World,
    project: &str,
    params: &Params,
    user: u64,
) -> Result<Reply, Reply> {
    let owner = View { world, user }.project(project)?;
    let Some(ref_name) = params.text("ref") else {
        return Err(Reply::bad_parameter("ref", "is missing"));
    };
    if owner.ci_disabled || !world.may_run(user, owner) {
        return Err(Reply::forbidden("403 Forbidden"));
    }
    let (project, variables) = (owner.id, params.has_variables("variables"));
    let pipeline = world
        .create_pipeline(project, ref_name, variables, user)
        .map_err(|complaint| {
            let message = json!({ "message": { "base": [complaint] } });
            Reply::json(StatusCode::BAD_REQUEST, message)
        })?;
    Ok(created(pipeline_payload(world, pipeline)))
}

fn play_schedule(
    world: &mut World,
    [project, schedule]: [&String; 2],
    user: u64,
) -> Result<Reply, Reply> {
    let view = View { world, user };
    let schedule = view.schedule(project, schedule)?;
    let owner = view.project(project)?;
    // The service refuses an archived project with an object that the route takes for success.
    let allowed = owner.archived
        || (world.may_run(user, owner) && world.may_write_ref(user, owner, &schedule.ref_name));
    if !allowed {
        return Err(Reply::forbidden("403 Forbidden"));
    }
    let id = schedule.id;
    if !world.play_schedule(id, user) {
        let message = "Unable to schedule pipeline run immediately";
        return Err(Reply::json(
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({ "message": message }),
        ));
    }
    Ok(created(json!({ "message": "201 Created" })))
}

fn created(payload: Value) -> Reply {
    Reply::json(StatusCode::CREATED, payload)
}

fn job_payload(world: &World, id: u64) -> Value {
    let job = world.job(id);
    let found = job.and_then(|job| Some((job, world.pipeline(job.pipeline_id)?)));
    match found {
        Some((job, pipeline)) if job.is_bridge() => world.bridge(job, pipeline),
        Some((job, pipeline)) => world.job_payload(job, pipeline),
        None => Value::Null,
    }
}

fn pipeline_payload(world: &World, id: u64) -> Value {
    let pipeline = world.pipeline(id);
    pipeline.map_or(Value::Null, |pipeline| world.pipeline_detail(pipeline))
}
