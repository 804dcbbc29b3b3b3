//! The routes of `/api/v4`.

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::accounts::Token;
use super::entity::{CiStatus, Job, Pipeline};
use super::listing::{PipelineFilter, project_rows};
use super::lookup::View;
use super::paging::Page;
use super::params::Params;
use super::query::Query;
use super::release::Release;
use super::reply::{Content, Reply};
use super::world::World;
use super::write_api::{WriteRoute, perform};

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
    Deployments(String),
    Branches(String),
    Branch(String, String),
    Tags(String),
    Job(String, String),
    Trace(String, String),
    File(String, String),
    Token,
    Metadata,
    Version,
    User,
    Write(WriteRoute),
}

/// The answer to a request, and the endpoint that counts it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) endpoint: &'static str,
    pub(super) reply: Reply,
}

/// Answers a request with this token. `path` is percent-encoded and starts after `/api/v4`.
pub(super) fn answer(
    world: &mut World,
    method: &Method,
    path: &str,
    params: &Params,
    token: &Token,
) -> Answer {
    let Some(route) = Route::parse(method, path) else {
        return Answer {
            endpoint: "other",
            reply: Reply::no_route(),
        };
    };
    let endpoint = route.endpoint();
    let release = world.settings.release;
    if !release.has_route(endpoint) {
        let reply = Reply::no_route();
        return Answer { endpoint, reply };
    }
    let reply = match route {
        Route::Write(route) => perform(world, &route, params, token.user),
        route => {
            let url = format!("{}/api/v4{path}", world.base_url);
            reply(world, route, &params.query, &url, token)
        }
    };
    let mut reply = reply.unwrap_or_else(|refusal| refusal);
    if let Content::Json(answer) = &mut reply.content {
        release.prune(endpoint, answer);
    }
    Answer { endpoint, reply }
}

/// The route of a request that changes something.
pub(super) fn write_route(method: &Method, path: &str) -> Option<WriteRoute> {
    match Route::parse(method, path)? {
        Route::Write(route) => Some(route),
        _ => None,
    }
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
            ("GET", ["projects", id, "deployments"]) => Self::Deployments(own(id)),
            ("GET", ["projects", id, "repository", "branches"]) => Self::Branches(own(id)),
            ("GET", ["projects", id, "repository", "branches", name]) => {
                Self::Branch(own(id), own(name))
            }
            ("GET", ["projects", id, "repository", "tags"]) => Self::Tags(own(id)),
            ("GET", ["projects", id, "jobs", jid]) => Self::Job(own(id), own(jid)),
            ("GET", ["personal_access_tokens", "self"]) => Self::Token,
            ("GET", ["metadata"]) => Self::Metadata,
            ("GET", ["version"]) => Self::Version,
            ("GET", ["user"]) => Self::User,
            ("POST", path) => Self::Write(WriteRoute::parse(path)?),
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
            Self::Deployments(_) => "GET /projects/:id/deployments",
            Self::Job(..) => "GET /projects/:id/jobs/:jid",
            Self::Trace(..) => "GET /projects/:id/jobs/:jid/trace",
            Self::File(..) => "GET /projects/:id/repository/files/:path/raw",
            Self::Write(route) => route.endpoint(),
            Self::Token => "GET /personal_access_tokens/self",
            Self::Branches(_) => "GET /projects/:id/repository/branches",
            Self::Branch(..) => "GET /projects/:id/repository/branches/:name",
            Self::Tags(_) => "GET /projects/:id/repository/tags",
            Self::Metadata => "GET /metadata",
            Self::Version => "GET /version",
            Self::User => "GET /user",
        }
    }
}

fn reply(
    world: &World,
    route: Route,
    query: &Query,
    url: &str,
    token: &Token,
) -> Result<Reply, Reply> {
    let view = View {
        world,
        user: token.user,
    };
    match route {
        Route::Project(id) => {
            let project = view.project(&id)?;
            let mut payload = world.project_payload(project, false);
            payload["permissions"] = world.permissions(token.user, project.id);
            Ok(Reply::ok(payload))
        }
        Route::GroupProjects(id) => {
            let group = view.group(&id)?;
            let simple = query.flag("simple").unwrap_or(false);
            let mut rows = project_rows(world, group, query);
            rows.retain(|project| world.may_see(token.user, project.id));
            let payload = |project| world.project_payload(project, simple);
            Ok(paged(rows, query, url, payload))
        }
        Route::Pipelines(id) => {
            let project = view.project(&id)?;
            if !world.may_read_pipelines(token.user, project) {
                return Err(Reply::forbidden("403 Forbidden"));
            }
            let rows = PipelineFilter::from_query(query)?.rows(world, project.id);
            Ok(paged(rows, query, url, |row| world.pipeline_row(row)))
        }
        Route::Pipeline(id, pid) => {
            let pipeline = view.pipeline(&id, &pid)?;
            Ok(Reply::ok(world.pipeline_detail(pipeline)))
        }
        Route::PipelineJobs(id, pid) => jobs(world, view.pipeline(&id, &pid)?, query, url),
        Route::PipelineBridges(id, pid) => {
            let pipeline = view.pipeline(&id, &pid)?;
            let rows = rows(world, pipeline, query, Job::is_bridge, false)?;
            let payload = |job| world.bridge(job, pipeline);
            Ok(paged(rows, query, url, payload))
        }
        Route::Schedules(id) => {
            let project = view.project(&id)?.id;
            let rows = world.schedules.values().filter(|s| s.project_id == project);
            let payload = |schedule| world.schedule_row(schedule);
            Ok(paged(rows.collect(), query, url, payload))
        }
        Route::Schedule(id, sid) => {
            let schedule = view.schedule(&id, &sid)?;
            Ok(Reply::ok(world.schedule_detail(schedule)))
        }
        Route::Deployments(id) => {
            let project = view.project(&id)?;
            if world.settings.hides_deployments {
                return Err(Reply::forbidden("403 Forbidden"));
            }
            let mut rows = world.deployments(project.id);
            if query.get("sort") == Some("desc") {
                rows.reverse();
            }
            let payload = |(job, pipeline)| world.deployment_payload(job, pipeline);
            Ok(paged(rows, query, url, payload))
        }
        Route::Branches(id) => {
            let project = view.code(&id)?;
            let payload = |name: String| world.branch_payload(token.user, project, &name);
            Ok(paged(world.ref_names(project, false), query, url, payload))
        }
        Route::Branch(id, name) => {
            let project = view.code(&id)?;
            if !world.ref_names(project, false).contains(&name) {
                return Err(Reply::not_found("Branch"));
            }
            Ok(Reply::ok(world.branch_payload(token.user, project, &name)))
        }
        Route::Tags(id) => {
            let project = view.code(&id)?;
            let payload = |name: String| world.tag_payload(project, &name);
            Ok(paged(world.ref_names(project, true), query, url, payload))
        }
        Route::Job(id, jid) => {
            let (job, pipeline) = view.build(&id, &jid)?;
            Ok(Reply::ok(world.job_payload(job, pipeline)))
        }
        Route::Trace(id, jid) => {
            let (job, _) = view.build(&id, &jid)?;
            Ok(Reply::text(StatusCode::OK, &world.log_of(job)))
        }
        Route::File(id, path) => {
            let project = view.project(&id)?.id;
            let file = world.file(project, &path);
            let file = file.ok_or_else(|| Reply::not_found("File"))?;
            Ok(Reply::text(StatusCode::OK, file))
        }
        Route::Token if !world.settings.release.tells_own_token() => Err(Reply::unauthorized()),
        Route::Token => Ok(Reply::ok(world.token_payload(token))),
        Route::Metadata | Route::Version => Ok(Reply::ok(metadata(world.settings.release))),
        Route::User => Ok(Reply::ok(world.own_user_payload(token.user))),
        Route::Write(_) => Err(Reply::no_route()),
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

fn paged<T>(rows: Vec<T>, query: &Query, url: &str, payload: impl Fn(T) -> Value) -> Reply {
    let page = Page::from_query(query);
    let headers = page.headers(rows.len(), url, query);
    let values = page.cut(rows).into_iter().map(payload).collect();
    Reply::ok(Value::Array(values)).with_headers(headers)
}

/// The answer of `GET /metadata`.
pub(super) fn metadata(release: Release) -> Value {
    json!({
        "version": release.to_string(),
        "revision": "0123456789a",
        "kas": { "enabled": false, "externalUrl": null, "version": null },
        "enterprise": false,
    })
}
