//! The fields of projects and groups.

use std::cell::Cell;
use std::cmp::Reverse;

use serde_json::json;

use super::super::arguments::Arguments;
use super::super::gid;
use super::super::node::{Context, Data, Failure, Node, Resolved, nullable};
use super::super::schema::{
    Argument, Cost, Field, Resolve, Returns, Type, argument, plain, scalar, weighing,
};
use super::super::values::time;
use super::pipeline::{JOBS, listed};
use super::query::in_search;
use crate::entity::{CiStatus, Pipeline, Project};
use crate::listing::{CHILD, PipelineFilter};

const GROUP_PROJECTS: &[Argument] = &[
    argument("includeSubgroups", "Boolean"),
    argument("includeArchived", "Boolean"),
    argument("ids", "[ID!]"),
    weighing("search", "String", 5),
];

const PIPELINES: &[Argument] = &[
    argument("status", "PipelineStatusEnum"),
    argument("scope", "PipelineScopeEnum"),
    weighing("ref", "String", 2),
    weighing("sha", "String", 2),
    argument("source", "String"),
    argument("updatedAfter", "Time"),
    argument("updatedBefore", "Time"),
    argument("username", "String"),
];

const PIPELINE: &[Argument] = &[
    argument("id", "CiPipelineID"),
    argument("iid", "ID"),
    argument("sha", "String"),
    argument("ref", "String"),
];

const SCHEDULES: &[Argument] = &[
    argument("status", "PipelineScheduleStatus"),
    argument("ids", "[ID!]"),
];

pub(super) const FIELDS: &[Field] = &[
    scalar(
        "id",
        "ID",
        Resolve::Project(|_, it, _| Ok(gid::of("Project", it.id).into())),
    ),
    scalar(
        "fullPath",
        "ID",
        Resolve::Project(|_, it, _| Ok(it.path.as_str().into())),
    ),
    scalar(
        "name",
        "String",
        Resolve::Project(|_, it, _| Ok(last_part(&it.path).into())),
    ),
    scalar(
        "path",
        "String",
        Resolve::Project(|_, it, _| Ok(last_part(&it.path).into())),
    ),
    scalar(
        "archived",
        "Boolean",
        Resolve::Project(|_, it, _| Ok(it.archived.into())),
    ),
    scalar(
        "createdAt",
        "Time",
        Resolve::Project(|_, it, _| Ok(time(it.created_at).into())),
    ),
    scalar(
        "webUrl",
        "String",
        Resolve::Project(|context, it, _| Ok(context.world.project_url(it.id).into())),
    ),
    plain(
        "userPermissions",
        Returns::One(Type::ProjectPermissions),
        Resolve::Project(|context, it, _| {
            let reads = context.world.may_read_pipelines(context.user, it);
            let object = json!({ "readProject": true, "readCommitStatus": reads });
            Ok(Data::Node(Node::Object(object.into())))
        }),
    ),
    plain(
        "pipelines",
        Returns::Pages(&Type::Pipeline),
        Resolve::Project(pipelines),
    )
    .with(PIPELINES, Cost::Resolver(2)),
    plain(
        "pipeline",
        Returns::One(Type::Pipeline),
        Resolve::Project(pipeline),
    )
    .with(PIPELINE, Cost::Resolver(-8)),
    plain("jobs", Returns::Pages(&Type::Job), Resolve::Project(jobs)).with(JOBS, Cost::Resolver(1)),
    plain(
        "pipelineSchedules",
        Returns::Pages(&Type::Schedule),
        Resolve::Project(schedules),
    )
    .with(SCHEDULES, Cost::Resolver(2)),
];

pub(super) const GROUP_FIELDS: &[Field] = &[
    scalar(
        "id",
        "ID",
        Resolve::Group(|_, it, _| Ok(gid::of("Group", it.id).into())),
    ),
    scalar(
        "fullPath",
        "ID",
        Resolve::Group(|_, it, _| Ok(it.path.as_str().into())),
    ),
    scalar(
        "name",
        "String",
        Resolve::Group(|_, it, _| Ok(last_part(&it.path).into())),
    ),
    scalar(
        "path",
        "String",
        Resolve::Group(|_, it, _| Ok(last_part(&it.path).into())),
    ),
    plain(
        "projects",
        Returns::Pages(&Type::Project),
        Resolve::Group(|context, group, arguments| {
            let ids = gid::list(arguments, "ids", "Project")?;
            let subgroups = arguments.flag("includeSubgroups") == Some(true);
            let archived = arguments.flag("includeArchived") != Some(false);
            let below = format!("{}/", group.path);
            let belongs = |project: &Project| {
                let rest = project.path.strip_prefix(&below);
                rest.is_some_and(|rest| subgroups || !rest.contains('/'))
                    && (archived || !project.archived)
                    && ids.as_ref().is_none_or(|ids| ids.contains(&project.id))
                    && in_search(project, arguments)
            };
            let mut rows: Vec<&Project> = context
                .world
                .projects
                .values()
                .filter(|it| belongs(it))
                .collect();
            rows.sort_unstable_by_key(|project| Reverse(project.id));
            Ok(Data::Nodes(rows.into_iter().map(Node::Project).collect()))
        }),
    )
    .with(GROUP_PROJECTS, Cost::Resolver(11)),
];

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The pipelines that the arguments name, newest first. Without rights there are none, and there is no error.
fn pipelines<'w>(
    context: Context<'w>,
    project: &'w Project,
    arguments: &Arguments,
) -> Resolved<'w> {
    if context.faults.slow_projects.contains(&project.id) {
        return Err(Failure::Field("Timeout on Project.pipelines".to_owned()));
    }
    let children = arguments.text("source") == Some(CHILD);
    let hidden = children && context.faults.lists_no_children;
    if hidden || !context.world.may_read_pipelines(context.user, project) {
        return Ok(Data::Nodes(Vec::new()));
    }
    let filter = PipelineFilter {
        updated_after: arguments.moment("updatedAfter"),
        updated_before: arguments.moment("updatedBefore"),
        ref_name: arguments.text("ref"),
        sha: arguments.text("sha"),
        source: arguments.text("source"),
        status: arguments
            .text("status")
            .and_then(|word| word.to_lowercase().parse().ok()),
        by_update: false,
        ascending: false,
    };
    let rows = filter.rows(context.world, project.id).into_iter();
    let rows = rows.filter(|row| in_scope(context, row, arguments));
    Ok(Data::Nodes(rows.map(Node::Pipeline).collect()))
}

/// Whether a pipeline agrees with `scope` and `username`.
fn in_scope(context: Context<'_>, pipeline: &Pipeline, arguments: &Arguments) -> bool {
    let scope = match arguments.text("scope") {
        Some("RUNNING") => pipeline.status == CiStatus::Running,
        Some("PENDING") => pipeline.status == CiStatus::Pending,
        // Neither skipped nor manual.
        Some("FINISHED") => matches!(
            pipeline.status,
            CiStatus::Success | CiStatus::Failed | CiStatus::Canceled
        ),
        Some("BRANCHES") => !pipeline.tag,
        Some("TAGS") => pipeline.tag,
        _ => true,
    };
    let user = context.world.user(pipeline.user);
    scope
        && arguments
            .text("username")
            .is_none_or(|name| user.is_some_and(|user| user.username == name))
}

/// One pipeline. The finder leaves out children unless it looks up by iid.
fn pipeline<'w>(context: Context<'w>, project: &'w Project, arguments: &Arguments) -> Resolved<'w> {
    if !context.world.may_read_pipelines(context.user, project) {
        return Ok(Data::NULL);
    }
    let given = ["id", "iid", "sha", "ref"]
        .into_iter()
        .filter(|name| arguments.has(name));
    if given.clone().count() > 1 {
        let message = "Provide only one of `id`, `iid`, `sha` or `ref`";
        return Err(Failure::Field(message.to_owned()));
    }
    let id = arguments
        .text("id")
        .map(|id| gid::parse(id, "Ci::Pipeline"))
        .transpose()?;
    let matches = |row: &&Pipeline| match (id, arguments.text("iid")) {
        (Some(id), _) => row.id == id && row.source != CHILD,
        (None, Some(iid)) => iid.parse() == Ok(row.iid),
        (None, None) => {
            let branch = arguments.text("ref");
            let sha = arguments.text("sha");
            let head = branch.is_none() && sha.is_none();
            row.source != CHILD
                && branch.is_none_or(|name| row.ref_name == name)
                && sha.is_none_or(|sha| row.sha == sha)
                && (!head || row.ref_name == project.default_branch)
        }
    };
    let found = context
        .world
        .visible_pipelines(project.id)
        .filter(matches)
        .last();
    Ok(nullable(found, Node::Pipeline))
}

/// The jobs of all pipelines of a project, newest first. GitLab lists them for one project in a request.
fn jobs<'w>(context: Context<'w>, project: &'w Project, arguments: &Arguments) -> Resolved<'w> {
    only_once(context.job_lists, "jobs")?;
    if !context.world.may_read_pipelines(context.user, project) {
        return Ok(Data::Nodes(Vec::new()));
    }
    let pipelines = context.world.visible_pipelines(project.id);
    Ok(listed(
        pipelines.flat_map(|pipeline| context.world.jobs_of(pipeline.id)),
        arguments,
    ))
}

/// GitLab's error where a field is asked of a second project.
fn only_once(calls: &Cell<usize>, field: &str) -> Result<(), Failure> {
    calls.set(calls.get() + 1);
    if calls.get() > 1 {
        let message =
            format!("\"{field}\" field can be requested only for 1 Project(s) at a time.");
        return Err(Failure::Field(message));
    }
    Ok(())
}

/// The schedules of a project, newest first. A guest sees none.
fn schedules<'w>(
    context: Context<'w>,
    project: &'w Project,
    arguments: &Arguments,
) -> Resolved<'w> {
    if context.faults.schedules_of_one_project {
        only_once(context.schedule_lists, "pipelineSchedules")?;
    }
    if !context.world.may_read_pipelines(context.user, project) {
        return Ok(Data::Nodes(Vec::new()));
    }
    let ids = gid::list(arguments, "ids", "Ci::PipelineSchedule")?;
    let active = arguments.text("status").map(|status| status == "ACTIVE");
    let all = context.world.schedules.values().rev();
    let rows = all
        .filter(|schedule| schedule.project_id == project.id)
        .filter(|schedule| active.is_none_or(|active| schedule.active == active))
        .filter(|schedule| ids.as_ref().is_none_or(|ids| ids.contains(&schedule.id)));
    Ok(Data::Nodes(rows.map(Node::Schedule).collect()))
}
