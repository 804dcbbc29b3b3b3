//! The fields of pipeline schedules.

use super::super::gid;
use super::super::node::{Data, Node, nullable};
use super::super::schema::{Field, Resolve, Returns, Type, plain, scalar};
use super::super::values::{maybe_time, time, user_object};
use crate::accounts::Accounts;
use crate::schedules::{CRON, CRON_TIMEZONE};

pub(super) const FIELDS: &[Field] = &[
    scalar(
        "id",
        "CiPipelineScheduleID",
        Resolve::Schedule(|_, it| Ok(gid::of("Ci::PipelineSchedule", it.id).into())),
    ),
    scalar(
        "description",
        "String",
        Resolve::Schedule(|_, it| Ok(it.description.as_str().into())),
    ),
    scalar(
        "active",
        "Boolean",
        Resolve::Schedule(|_, it| Ok(it.active.into())),
    ),
    scalar(
        "refForDisplay",
        "String",
        Resolve::Schedule(|_, it| Ok(it.ref_name.as_str().into())),
    ),
    scalar(
        "ref",
        "String",
        Resolve::Schedule(|_, it| Ok(format!("refs/heads/{}", it.ref_name).into())),
    ),
    scalar(
        "forTag",
        "Boolean",
        Resolve::Schedule(|_, _| Ok(false.into())),
    ),
    scalar("cron", "String", Resolve::Schedule(|_, _| Ok(CRON.into()))),
    scalar(
        "cronTimezone",
        "String",
        Resolve::Schedule(|_, _| Ok(CRON_TIMEZONE.into())),
    ),
    scalar(
        "nextRunAt",
        "Time",
        Resolve::Schedule(|_, it| Ok(maybe_time(it.next_run_at).into())),
    ),
    scalar(
        "realNextRun",
        "Time",
        Resolve::Schedule(|_, it| Ok(maybe_time(it.next_run_at).into())),
    ),
    scalar(
        "createdAt",
        "Time",
        Resolve::Schedule(|_, it| Ok(time(it.created_at).into())),
    ),
    scalar(
        "updatedAt",
        "Time",
        Resolve::Schedule(|_, it| Ok(time(it.updated_at).into())),
    ),
    plain(
        "owner",
        Returns::One(Type::User),
        Resolve::Schedule(|context, _| {
            let owner = user_object(context.world, Accounts::OWNER);
            Ok(Data::Node(Node::Object(owner.into())))
        }),
    ),
    plain(
        "project",
        Returns::One(Type::Project),
        Resolve::Schedule(|context, it| {
            Ok(nullable(
                context.world.project(it.project_id),
                Node::Project,
            ))
        }),
    ),
    plain(
        "lastPipeline",
        Returns::One(Type::Pipeline),
        Resolve::Schedule(|context, it| {
            let last = it.last_pipeline.and_then(|id| context.world.pipeline(id));
            Ok(nullable(last, Node::Pipeline))
        }),
    ),
];
