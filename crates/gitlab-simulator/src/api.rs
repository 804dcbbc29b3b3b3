//! The routes of `/api/v4`.

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::entity::{CiStatus, Group, Job, Pipeline, Project, Schedule};
use super::listing::{PipelineFilter, project_rows};
use super::paging::Page;
use super::query::Query;
use super::reply::Reply;
use super::retry::RetryRefused;

use super::world::World;

/// A request to a known route, with the ids or paths from its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Project(String),
    GroupProjects(String),
    Pipelines(String),
    Pipeline(String, String),
    PipelineJobs(String, String),
    PipelineBridges(String, String),
    Schedules(String),
    Schedule(String, String),
    Job(String, String),
    RetryJob(String, String),
    Trace(String, String),
    File(String, String),
    Token,
    Metadata,
    User,
}

/// The answer to a request, and the endpoint that counts it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) endpoint: &'static str,
    pub(super) reply: Reply,
}

/// Answers a request. `path` is percent-encoded and starts after `/api/v4`.
pub(super) fn answer(world: &mut World, method: &Method, path: &str, query: &Query) -> Answer {
    let Some(route) = Route::parse(method, path) else {
        return Answer {
            endpoint: "other",
            reply: Reply::no_route(),
        };
    };
    let url = format!("{}/api/v4{path}", world.base_url);
    let endpoint = route.endpoint();
    let reply = reply(world, route, query, &url).unwrap_or_else(|refusal| refusal);
    Answer { endpoint, reply }
}

/// The endpoint that counts a request: method and pattern, or `other`.
pub(super) fn endpoint(method: &Method, path: &str) -> &'static str {
    Route::parse(method, path).map_or("other", |route| route.endpoint())
}

impl Route {
    fn parse(method: &Method, path: &str) -> Option<Self> {
        let decoded: Vec<String> = path
            .trim_matches('/')
            .split('/')
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let own = |text: &str| text.to_owned();
        Some(match (method.as_str(), parts.as_slice()) {
            ("GET", ["projects", id]) => Self::Project(own(id)),
            ("GET", ["groups", id, "projects"]) => Self::GroupProjects(own(id)),
            ("GET", ["projects", id, "pipelines"]) => Self::Pipelines(own(id)),
            ("GET", ["projects", id, "pipelines", pid]) => Self::Pipeline(own(id), own(pid)),
            ("GET", ["projects", id, "pipelines", pid, "jobs"]) => {
                Self::PipelineJobs(own(id), own(pid))
            }
            ("GET", ["projects", id, "pipelines", pid, "bridges"]) => {
                Self::PipelineBridges(own(id), own(pid))
            }
            ("GET", ["projects", id, "jobs", jid, "trace"]) => Self::Trace(own(id), own(jid)),
            ("GET", ["projects", id, "repository", "files", path, "raw"]) => {
                Self::File(own(id), own(path))
            }
            ("GET", ["projects", id, "pipeline_schedules"]) => Self::Schedules(own(id)),
            ("GET", ["projects", id, "pipeline_schedules", sid]) => {
                Self::Schedule(own(id), own(sid))
            }
            ("GET", ["projects", id, "jobs", jid]) => Self::Job(own(id), own(jid)),
            ("POST", ["projects", id, "jobs", jid, "retry"]) => Self::RetryJob(own(id), own(jid)),
            ("GET", ["personal_access_tokens", "self"]) => Self::Token,
            ("GET", ["metadata" | "version"]) => Self::Metadata,
            ("GET", ["user"]) => Self::User,
            _ => return None,
        })
    }

    fn endpoint(&self) -> &'static str {
        match self {
            Self::Project(_) => "GET /projects/:id",
            Self::GroupProjects(_) => "GET /groups/:id/projects",
            Self::Pipelines(_) => "GET /projects/:id/pipelines",
            Self::Pipeline(..) => "GET /projects/:id/pipelines/:pid",
            Self::PipelineJobs(..) => "GET /projects/:id/pipelines/:pid/jobs",
            Self::PipelineBridges(..) => "GET /projects/:id/pipelines/:pid/bridges",
            Self::Schedules(_) => "GET /projects/:id/pipeline_schedules",
            Self::Schedule(..) => "GET /projects/:id/pipeline_schedules/:sid",
            Self::Job(..) => "GET /projects/:id/jobs/:jid",
            Self::Trace(..) => "GET /projects/:id/jobs/:jid/trace",
            Self::File(..) => "GET /projects/:id/repository/files/:path/raw",
            Self::RetryJob(..) => "POST /projects/:id/jobs/:jid/retry",
            Self::Token => "GET /personal_access_tokens/self",
            Self::Metadata => "GET /metadata",
            Self::User => "GET /user",
        }
    }
}

fn reply(world: &mut World, route: Route, query: &Query, url: &str) -> Result<Reply, Reply> {
    match route {
        Route::Project(id) => {
            let project = find_project(world, &id)?;
            Ok(Reply::ok(world.project_payload(project, false)))
        }
        Route::GroupProjects(id) => {
            let group = find_group(world, &id)?;
            let simple = query.flag("simple").unwrap_or(false);
            let rows = project_rows(world, group, query);
            let payload = |project| world.project_payload(project, simple);
            Ok(paged(rows, query, url, payload))
        }
        Route::Pipelines(id) => {
            let project = find_project(world, &id)?;
            if project.ci_disabled {
                let message = json!({ "message": "403 Forbidden" });
                return Err(Reply::json(StatusCode::FORBIDDEN, message));
            }
            let rows = PipelineFilter::from_query(query)?.rows(world, project.id);
            Ok(paged(rows, query, url, |row| world.pipeline_row(row)))
        }
        Route::Pipeline(id, pid) => {
            let pipeline = find_pipeline(world, &id, &pid)?;
            Ok(Reply::ok(world.pipeline_detail(pipeline)))
        }
        Route::PipelineJobs(id, pid) => jobs(world, find_pipeline(world, &id, &pid)?, query, url),
        Route::PipelineBridges(id, pid) => {
            let pipeline = find_pipeline(world, &id, &pid)?;
            let rows = rows(world, pipeline, query, Job::is_bridge, false)?;
            let payload = |job| world.bridge(job, pipeline);
            Ok(paged(rows, query, url, payload))
        }
        Route::Schedules(id) => {
            let project = find_project(world, &id)?.id;
            let rows = world.schedules.values().filter(|s| s.project_id == project);
            let payload = |schedule| world.schedule_row(schedule);
            Ok(paged(rows.collect(), query, url, payload))
        }
        Route::Schedule(id, sid) => {
            let schedule = find_schedule(world, &id, &sid)?;
            Ok(Reply::ok(world.schedule_detail(schedule)))
        }
        Route::Job(id, jid) => {
            let (job, pipeline) = find_job(world, &id, &jid)?;
            if job.is_bridge() {
                return Err(Reply::record_not_found());
            }
            Ok(Reply::ok(world.job_payload(job, pipeline)))
        }
        Route::Trace(id, jid) => {
            let (job, _) = find_job(world, &id, &jid)?;
            if job.is_bridge() {
                return Err(Reply::record_not_found());
            }
            Ok(Reply::text(StatusCode::OK, &world.log_of(job)))
        }
        Route::File(id, path) => {
            let project = find_project(world, &id)?.id;
            let file = world.file(project, &path);
            let file = file.ok_or_else(|| Reply::not_found("File"))?;
            Ok(Reply::text(StatusCode::OK, file))
        }
        Route::RetryJob(id, jid) => retry(world, &id, &jid),
        Route::Token => Ok(Reply::ok(token(world))),
        Route::Metadata => Ok(Reply::ok(metadata())),
        Route::User => Ok(Reply::ok(world.user())),
    }
}

fn jobs(world: &World, pipeline: &Pipeline, query: &Query, url: &str) -> Result<Reply, Reply> {
    let retried = query.flag("include_retried").unwrap_or(false);
    let own = |job: &Job| !job.is_bridge();
    let rows = rows(world, pipeline, query, own, retried)?;
    let payload = |job| world.job_payload(job, pipeline);
    Ok(paged(rows, query, url, payload))
}

/// Jobs of a pipeline, newest first.
fn rows<'a>(
    world: &'a World,
    pipeline: &Pipeline,
    query: &Query,
    kind: impl Fn(&Job) -> bool,
    retried: bool,
) -> Result<Vec<&'a Job>, Reply> {
    let mut scope = Vec::new();
    for word in query.all("scope") {
        let complaint = || Reply::bad_parameter("scope", "does not have a valid value");
        scope.push(word.parse::<CiStatus>().map_err(|_| complaint())?);
    }
    let mut rows: Vec<&Job> = world
        .jobs_of(pipeline.id)
        .filter(|job| kind(job) && (retried || !job.retried))
        .filter(|job| scope.is_empty() || scope.contains(&job.status))
        .collect();
    rows.sort_unstable_by_key(|job| std::cmp::Reverse(job.id));
    Ok(rows)
}

fn retry(world: &mut World, project: &str, job: &str) -> Result<Reply, Reply> {
    let id = find_job(world, project, job)?.0.id;
    let new = match world.retry_job(id) {
        Ok(new) => new,
        Err(RetryRefused::NotFound) => return Err(Reply::record_not_found()),
        Err(refused @ RetryRefused::NotRetryable) => {
            let message = format!("403 Forbidden - {refused}");
            return Err(Reply::json(
                StatusCode::FORBIDDEN,
                json!({ "message": message }),
            ));
        }
    };
    let (job, pipeline) = find_job(world, project, &new.to_string())?;
    let payload = world.job_payload(job, pipeline);
    Ok(Reply::json(StatusCode::CREATED, payload))
}

fn paged<T>(rows: Vec<T>, query: &Query, url: &str, payload: impl Fn(T) -> Value) -> Reply {
    let page = Page::from_query(query);
    let headers = page.headers(rows.len(), url, query);
    let values = page.cut(rows).into_iter().map(payload).collect();
    Reply::ok(Value::Array(values)).with_headers(headers)
}

fn find_project<'a>(world: &'a World, id: &str) -> Result<&'a Project, Reply> {
    let found = match id.parse() {
        Ok(number) => world.project(number),
        Err(_) => world.project_by_path(id),
    };
    found.ok_or_else(|| Reply::not_found("Project"))
}

fn find_group<'a>(world: &'a World, id: &str) -> Result<&'a Group, Reply> {
    let found = match id.parse::<u64>() {
        Ok(number) => world.groups.get(&number),
        Err(_) => world.group_by_path(id),
    };
    found.ok_or_else(|| Reply::not_found("Group"))
}

fn find_pipeline<'a>(world: &'a World, project: &str, id: &str) -> Result<&'a Pipeline, Reply> {
    let project = find_project(world, project)?.id;
    id.parse()
        .ok()
        .and_then(|id| world.pipeline(id))
        .filter(|pipeline| pipeline.project_id == project && pipeline.visible_from <= world.now)
        .ok_or_else(Reply::record_not_found)
}

fn find_schedule<'a>(world: &'a World, project: &str, id: &str) -> Result<&'a Schedule, Reply> {
    let project = find_project(world, project)?.id;
    id.parse()
        .ok()
        .and_then(|id| world.schedule(id))
        .filter(|schedule| schedule.project_id == project)
        .ok_or_else(|| Reply::not_found("Pipeline Schedule"))
}

fn find_job<'a>(
    world: &'a World,
    project: &str,
    id: &str,
) -> Result<(&'a Job, &'a Pipeline), Reply> {
    let project = find_project(world, project)?.id;
    let id: u64 = id.parse().map_err(|_| Reply::record_not_found())?;
    let job = world.job(id).ok_or_else(Reply::record_not_found)?;
    let pipeline = world
        .pipeline(job.pipeline_id)
        .ok_or_else(Reply::record_not_found)?;
    if pipeline.project_id != project || pipeline.visible_from > world.now {
        return Err(Reply::record_not_found());
    }
    Ok((job, pipeline))
}

fn token(world: &World) -> Value {
    let day = std::time::Duration::from_hours(24);
    let expires = (world.started() + 90 * day).iso();
    json!({
        "id": 4,
        "name": "job-failure-exporter",
        "revoked": false,
        "created_at": world.started().iso(),
        "description": null,
        "scopes": ["api", "read_api"],
        "user_id": 1,
        "last_used_at": world.now().iso(),
        "active": true,
        "expires_at": expires.get(..10),
    })
}

fn metadata() -> Value {
    json!({
        "version": "18.4.0",
        "revision": "0123456789a",
        "kas": { "enabled": false, "externalUrl": null, "version": null },
        "enterprise": false,
    })
}
