//! The fields of pipelines.

use std::cmp::Reverse;

use serde_json::json;

use super::super::arguments::Arguments;
use super::super::gid;
use super::super::node::{Context, Data, Failure, Node, Resolved, nullable};
use super::super::schema::{
    Argument, Cost, Field, Resolve, Returns, Type, argument, plain, scalar,
};
use super::super::values::{maybe_time, pipeline_path, status, time, user_object};
use crate::entity::{CiStatus, Job, Pipeline};
use crate::listing::CHILD;

/// The arguments of lists of jobs.
pub(super) const JOBS: &[Argument] = &[
    argument("statuses", "[CiJobStatus!]"),
    argument("retried", "Boolean"),
    argument("jobKind", "CiJobKind"),
];

pub(super) const FIELDS: &[Field] = &[
    scalar(
        "id",
        "ID",
        Resolve::Pipeline(|_, it, _| Ok(gid::of("Ci::Pipeline", it.id).into())),
    ),
    scalar(
        "iid",
        "String",
        Resolve::Pipeline(|_, it, _| Ok(it.iid.to_string().into())),
    ),
    scalar(
        "status",
        "PipelineStatusEnum",
        Resolve::Pipeline(|_, it, _| Ok(status(it.status).into())),
    ),
    scalar(
        "source",
        "String",
        Resolve::Pipeline(|_, it, _| Ok(it.source.as_str().into())),
    ),
    scalar(
        "ref",
        "String",
        Resolve::Pipeline(|_, it, _| Ok(it.ref_name.as_str().into())),
    ),
    scalar(
        "sha",
        "String",
        Resolve::Pipeline(|_, it, _| Ok(it.sha.as_str().into())),
    ),
    scalar(
        "beforeSha",
        "String",
        Resolve::Pipeline(|_, it, _| Ok(it.before_sha.as_str().into())),
    )
    .asking_gitaly(),
    scalar(
        "child",
        "Boolean",
        Resolve::Pipeline(|_, it, _| Ok((it.source == CHILD).into())),
    ),
    scalar(
        "complete",
        "Boolean",
        Resolve::Pipeline(|_, it, _| Ok(it.status.is_terminal().into())),
    ),
    scalar(
        "active",
        "Boolean",
        Resolve::Pipeline(|_, it, _| Ok(is_active(it.status).into())),
    ),
    scalar(
        "createdAt",
        "Time",
        Resolve::Pipeline(|_, it, _| Ok(time(it.created_at).into())),
    ),
    scalar(
        "updatedAt",
        "Time",
        Resolve::Pipeline(|_, it, _| Ok(time(it.updated_at).into())),
    ),
    scalar(
        "startedAt",
        "Time",
        Resolve::Pipeline(|_, it, _| Ok(maybe_time(it.started_at).into())),
    ),
    scalar(
        "finishedAt",
        "Time",
        Resolve::Pipeline(|_, it, _| Ok(maybe_time(it.finished_at).into())),
    ),
    scalar(
        "duration",
        "Int",
        Resolve::Pipeline(|_, it, _| Ok(it.duration.into())),
    ),
    scalar(
        "queuedDuration",
        "Duration",
        Resolve::Pipeline(|_, it, _| {
            let waited = it
                .started_at
                .map(|start| start.seconds_since(it.created_at));
            Ok(waited.into())
        }),
    ),
    scalar(
        "totalJobs",
        "Int",
        Resolve::Pipeline(|context, it, _| Ok(context.world.jobs_of(it.id).count().into())),
    ),
    scalar(
        "yamlErrors",
        "Boolean",
        Resolve::Pipeline(|_, it, _| Ok(it.stages.is_empty().into())),
    ),
    scalar(
        "failureReason",
        "String",
        Resolve::Pipeline(|_, it, _| Ok(it.stages.is_empty().then_some("config_error").into())),
    ),
    scalar(
        "path",
        "String",
        Resolve::Pipeline(|context, it, _| Ok(pipeline_path(context.world, it).into())),
    ),
    plain(
        "commit",
        Returns::One(Type::Commit),
        Resolve::Pipeline(|context, it, _| {
            let commit = context.world.commit(it);
            let object = json!({
                "id": gid::of("Commit", it.id),
                "sha": commit["id"],
                "shortId": commit["short_id"],
                "title": commit["title"],
                "message": commit["message"],
                "authorName": commit["author_name"],
                "authoredDate": time(it.created_at),
                "webUrl": commit["web_url"],
            });
            Ok(Data::Node(Node::Object(object.into())))
        }),
    )
    .asking_gitaly(),
    plain(
        "user",
        Returns::One(Type::User),
        Resolve::Pipeline(|context, it, _| {
            Ok(Data::Node(Node::Object(
                user_object(context.world, it.user).into(),
            )))
        }),
    ),
    plain(
        "project",
        Returns::One(Type::Project),
        Resolve::Pipeline(|context, it, _| {
            Ok(nullable(
                context.world.project(it.project_id),
                Node::Project,
            ))
        }),
    ),
    plain(
        "upstream",
        Returns::One(Type::Pipeline),
        Resolve::Pipeline(|context, it, _| {
            let bridge = context.world.bridge_of(it.id);
            let upstream = bridge.and_then(|bridge| context.world.pipeline(bridge.pipeline_id));
            let seen = upstream.filter(|it| context.world.may_see(context.user, it.project_id));
            Ok(nullable(seen, Node::Pipeline))
        }),
    ),
    plain(
        "sourceJob",
        Returns::One(Type::Job),
        Resolve::Pipeline(|context, it, _| Ok(nullable(context.world.bridge_of(it.id), Node::Job))),
    ),
    plain(
        "downstream",
        Returns::Pages(&Type::Pipeline),
        Resolve::Pipeline(|context, it, _| Ok(downstream(context, it))),
    ),
    plain("jobs", Returns::Pages(&Type::Job), Resolve::Pipeline(jobs))
        .with(JOBS, Cost::Resolver(1)),
];

fn is_active(status: CiStatus) -> bool {
    !status.is_terminal() && !matches!(status, CiStatus::Manual | CiStatus::Scheduled)
}

/// Child pipelines and those of other projects, newest first.
fn downstream<'w>(context: Context<'w>, pipeline: &'w Pipeline) -> Data<'w> {
    let bridges = context.world.jobs_of(pipeline.id);
    let started = bridges.filter_map(|job| context.world.pipeline(job.downstream?));
    let mut rows: Vec<&Pipeline> = started.collect();
    rows.sort_unstable_by_key(|row| Reverse(row.id));
    rows.dedup_by_key(|row| row.id);
    Data::Nodes(rows.into_iter().map(Node::Pipeline).collect())
}

/// The jobs and bridges of a pipeline, or null without rights.
fn jobs<'w>(context: Context<'w>, pipeline: &'w Pipeline, arguments: &Arguments) -> Resolved<'w> {
    let asked = context.pipelines.get() + 1;
    context.pipelines.set(asked);
    if context.faults.job_lists.is_some_and(|most| asked > most) {
        return Err(Failure::Field("Timeout on Pipeline.jobs".to_owned()));
    }
    let project = context.world.project(pipeline.project_id);
    if !project.is_some_and(|project| context.world.may_read_pipelines(context.user, project)) {
        return Ok(Data::NULL);
    }
    Ok(listed(context.world.jobs_of(pipeline.id), arguments))
}

/// These jobs, newest first: every attempt unless `retried` says which.
pub(super) fn listed<'w>(jobs: impl Iterator<Item = &'w Job>, arguments: &Arguments) -> Data<'w> {
    let retried = arguments.flag("retried");
    let bridges = arguments.text("jobKind").map(|kind| kind == "BRIDGE");
    let statuses = arguments.texts("statuses");
    let wanted = |job: &&Job| {
        retried.is_none_or(|retried| job.retried == retried)
            && bridges.is_none_or(|bridges| job.is_bridge() == bridges)
            && statuses
                .as_ref()
                .is_none_or(|all| all.contains(&status(job.status).as_str()))
    };
    let mut rows: Vec<&Job> = jobs.filter(wanted).collect();
    rows.sort_unstable_by_key(|job| Reverse(job.id));
    Data::Nodes(rows.into_iter().map(Node::Job).collect())
}
