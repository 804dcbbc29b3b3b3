//! Requests outside `/api/v4`: the truth, the actions so far, control of time, outages and recovery, and
//! targets for links.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::fault::Fault;
use super::query::Query;
use super::reply::Reply;
use super::state::State;
use super::truth;

/// Answers a request for a path outside `/api/v4`.
pub(super) fn answer(state: &mut State, method: &Method, path: &str, query: &Query) -> Reply {
    match (method.as_str(), path) {
        ("GET", "/-/truth") => Reply::ok(json!(truth::of(&state.world))),
        ("POST", "/-/advance") => advance(state, query),
        ("POST", "/-/outage") => outage(state, query),
        ("POST", "/-/recover") => recover(state, query),
        ("GET", "/-/actions") => Reply::ok(json!({
            "actions": state.world.actions(),
            "retries_per_job": state.world.retries_per_job(),
        })),
        ("GET", "/-/healthy") => Reply::text(StatusCode::OK, "GitLab OK\n"),
        ("GET", _) => page(state, path),
        _ => Reply::no_route(),
    }
}

fn advance(state: &mut State, query: &Query) -> Reply {
    let seconds = query.get("seconds").and_then(|text| text.parse().ok());
    let Some(time) = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) else {
        return Reply::bad_parameter("seconds", "is missing or is not a number of seconds");
    };
    state.clock.skip(time);
    let now = state.clock.now();
    state.world.advance_to(now);
    Reply::ok(json!({ "now": state.world.now().iso() }))
}

/// Starts an outage of this `kind`, or ends it if there is no `kind`.
fn outage(state: &mut State, query: &Query) -> Reply {
    let kind = query.get("kind");
    let fault = kind.and_then(|name| name.parse::<Fault>().ok());
    if kind.is_some() && fault.is_none() {
        return Reply::bad_parameter("kind", "does not have a valid value");
    }
    state.faults.outage = fault;
    Reply::ok(json!({ "outage": fault.map(Fault::as_str) }))
}

/// Lets a share of the retries after failures with this reason pass.
fn recover(state: &mut State, query: &Query) -> Reply {
    let share = query.get("share").and_then(|text| text.parse().ok());
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    let (Some(reason), Some(share)) = (query.get("reason"), share) else {
        return Reply::bad_parameter("share", "or reason is missing, or share is not from 0 to 1");
    };
    state.world.recover_on_retry(reason, share);
    Reply::ok(json!({ "reason": reason, "share": share }))
}

/// One line about the job or pipeline of a link.
fn page(state: &State, path: &str) -> Reply {
    let world = &state.world;
    let id = |kind: &str| {
        let (_, rest) = path.split_once(kind)?;
        rest.parse::<u64>().ok()
    };
    let line = if let Some(job) = id("/-/jobs/").and_then(|id| world.job(id)) {
        let reason = job.failure_reason.as_deref().unwrap_or("");
        let status = job.status.as_str();
        format!("job {} {:?}: {status} {reason}\n", job.id, job.name())
    } else if let Some(pipeline) = id("/-/pipelines/").and_then(|id| world.pipeline(id)) {
        let status = pipeline.status.as_str();
        format!("pipeline {} at {}: {status}\n", pipeline.id, pipeline.sha)
    } else {
        return Reply::text(StatusCode::NOT_FOUND, "This is a simulated GitLab.\n");
    };
    Reply::text(StatusCode::OK, &line)
}
