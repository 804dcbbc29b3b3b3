//! The fields of jobs and bridges.

use std::time::Duration;

use serde_json::json;

use super::super::gid;
use super::super::node::{Data, Node, nullable};
use super::super::schema::{Field, Resolve, Returns, Type, plain, scalar};
use super::super::values::{maybe_time, status, time};
use crate::entity::{CiStatus, Job};
use crate::world::World;

pub(super) const FIELDS: &[Field] = &[
    scalar(
        "id",
        "JobID",
        Resolve::Job(|_, it, _| Ok(gid::of(class(it), it.id).into())),
    ),
    scalar(
        "name",
        "String",
        Resolve::Job(|_, it, _| Ok(it.name().into())),
    ),
    scalar(
        "kind",
        "CiJobKind",
        Resolve::Job(|_, it, _| Ok(kind(it).into())),
    ),
    scalar(
        "status",
        "CiJobStatus",
        Resolve::Job(|_, it, _| Ok(status(it.status).into())),
    ),
    plain(
        "stage",
        Returns::One(Type::Stage),
        Resolve::Job(|_, it, _| {
            let stage = json!({ "id": null, "name": it.plan.stage });
            Ok(Data::Node(Node::Object(stage.into())))
        }),
    ),
    scalar(
        "tags",
        "[String!]",
        Resolve::Job(|_, _, _| Ok(json!([]).into())),
    ),
    scalar(
        "allowFailure",
        "Boolean",
        Resolve::Job(|_, it, _| Ok(it.plan.allow_failure.into())),
    ),
    scalar(
        "retried",
        "Boolean",
        Resolve::Job(|_, it, _| Ok(it.retried.into())),
    ),
    scalar(
        "manualJob",
        "Boolean",
        Resolve::Job(|_, it, _| Ok(it.plan.manual.into())),
    ),
    scalar(
        "createdAt",
        "Time",
        Resolve::Job(|_, it, _| Ok(time(it.created_at).into())),
    ),
    scalar(
        "queuedAt",
        "Time",
        Resolve::Job(|_, it, _| Ok(maybe_time(it.queued_at).into())),
    ),
    scalar(
        "startedAt",
        "Time",
        Resolve::Job(|_, it, _| Ok(maybe_time(it.started_at).into())),
    ),
    scalar(
        "finishedAt",
        "Time",
        Resolve::Job(|_, it, _| Ok(maybe_time(it.finished_at).into())),
    ),
    scalar(
        "erasedAt",
        "Time",
        Resolve::Job(|context, it, _| {
            Ok(maybe_time(context.world.erased_logs.get(&it.id).copied()).into())
        }),
    ),
    scalar(
        "duration",
        "Int",
        Resolve::Job(|context, it, _| {
            let seconds = context.world.job_duration(it);
            let whole = seconds.map(|seconds| Duration::from_secs_f64(seconds).as_secs());
            Ok(whole.into())
        }),
    ),
    scalar(
        "queuedDuration",
        "Duration",
        Resolve::Job(|context, it, _| Ok(context.world.job_queued_duration(it).into())),
    ),
    scalar(
        "failureMessage",
        "String",
        Resolve::Job(|_, it, _| Ok(failure_message(it).into())),
    ),
    scalar(
        "exitCode",
        "Int",
        Resolve::Job(|_, it, _| Ok(exit_code(it).into())),
    ),
    scalar(
        "refName",
        "String",
        Resolve::Job(|context, it, _| {
            let pipeline = context.world.pipeline(it.pipeline_id);
            Ok(pipeline.map(|pipeline| pipeline.ref_name.as_str()).into())
        }),
    ),
    scalar(
        "shortSha",
        "String",
        Resolve::Job(|context, it, _| {
            let pipeline = context.world.pipeline(it.pipeline_id);
            Ok(pipeline.and_then(|pipeline| pipeline.sha.get(..8)).into())
        }),
    ),
    scalar(
        "createdByTag",
        "Boolean",
        Resolve::Job(|context, it, _| {
            let pipeline = context.world.pipeline(it.pipeline_id);
            Ok(pipeline.is_some_and(|pipeline| pipeline.tag).into())
        }),
    ),
    scalar(
        "webPath",
        "String",
        Resolve::Job(|context, it, _| Ok(web_path(context.world, it).into())),
    ),
    plain(
        "pipeline",
        Returns::One(Type::Pipeline),
        Resolve::Job(|context, it, _| {
            Ok(nullable(
                context.world.pipeline(it.pipeline_id),
                Node::Pipeline,
            ))
        }),
    ),
    plain(
        "project",
        Returns::One(Type::Project),
        Resolve::Job(|context, it, _| {
            let pipeline = context.world.pipeline(it.pipeline_id);
            let project = pipeline.and_then(|it| context.world.project(it.project_id));
            Ok(nullable(project, Node::Project))
        }),
    ),
    plain(
        "downstreamPipeline",
        Returns::One(Type::Pipeline),
        Resolve::Job(|context, it, _| {
            let started = it.downstream.and_then(|id| context.world.pipeline(id));
            let seen = started.filter(|it| context.world.may_see(context.user, it.project_id));
            Ok(nullable(seen, Node::Pipeline))
        }),
    ),
    plain(
        "trace",
        Returns::One(Type::Trace),
        Resolve::Job(|context, it, _| {
            let log = (!it.is_bridge()).then(|| json!({ "htmlSummary": context.world.log_of(it) }));
            Ok(nullable(log, |log| Node::Object(log.into())))
        }),
    ),
];

fn class(job: &Job) -> &'static str {
    if job.is_bridge() {
        "Ci::Bridge"
    } else {
        "Ci::Build"
    }
}

fn kind(job: &Job) -> &'static str {
    if job.is_bridge() { "BRIDGE" } else { "BUILD" }
}

/// The path of a job's page. Bridges have none.
fn web_path(world: &World, job: &Job) -> Option<String> {
    let pipeline = world.pipeline(job.pipeline_id)?;
    let project = world.project(pipeline.project_id)?;
    (!job.is_bridge()).then(|| format!("/{}/-/jobs/{}", project.path, job.id))
}

fn exit_code(job: &Job) -> Option<i64> {
    let script = job.failure_reason.as_deref() == Some("script_failure");
    (job.status == CiStatus::Failed && script && !job.is_bridge()).then_some(1)
}

/// GitLab's sentence for the reason of a failure. There is none for a failed script.
fn failure_message(job: &Job) -> Option<String> {
    let reason = job.failure_reason.as_deref();
    let reason = reason.filter(|_| job.status == CiStatus::Failed)?;
    let sentence = match reason {
        "script_failure" => return None,
        "api_failure" => "There has been an API failure, please try again",
        "stuck_or_timeout_failure" => {
            "There has been a timeout failure or the job got stuck. Check your timeout limits or try again"
        }
        "runner_system_failure" => "There has been a runner system failure, please try again",
        "missing_dependency_failure" => "There has been a missing dependency failure",
        "runner_unsupported" => "Your runner is outdated, please upgrade your runner",
        "job_execution_timeout" => "The script exceeded the maximum execution time set for the job",
        "scheduler_failure" => {
            "The scheduler failed to assign job to the runner, please try again or contact system administrator"
        }
        "ci_quota_exceeded" => "No more compute minutes available",
        "no_matching_runner" => "No matching runner available",
        "downstream_pipeline_creation_failed" => "The downstream pipeline could not be created",
        _ => "There is an unknown failure, please try again",
    };
    Some(sentence.to_owned())
}
