//! The fields of a query: the entry points.

use std::cmp::Reverse;

use serde_json::json;

use super::super::arguments::Arguments;
use super::super::gid;
use super::super::node::{Context, Data, Failure, Node, Resolved, nullable};
use super::super::schema::{
    Argument, Cost, Field, Resolve, Returns, Type, argument, plain, weighing,
};
use super::super::values::user_object;
use crate::entity::Project;

/// GitLab's limit of the argument `fullPaths`.
const MAX_FULL_PATHS: usize = 50;

const PROJECTS: &[Argument] = &[
    argument("ids", "[ID!]"),
    argument("fullPaths", "[String!]"),
    argument("archived", "ProjectArchived"),
    argument("membership", "Boolean"),
    weighing("search", "String", 5),
];

pub(super) const FIELDS: &[Field] = &[
    plain(
        "currentUser",
        Returns::One(Type::CurrentUser),
        Resolve::Query(|context, _| {
            let user = user_object(context.world, context.user);
            Ok(Data::Node(Node::Object(user.into())))
        }),
    ),
    plain(
        "metadata",
        Returns::One(Type::Metadata),
        Resolve::Query(|context, _| {
            let metadata = crate::api::metadata(context.world.settings.release);
            Ok(Data::Node(Node::Object(metadata.into())))
        }),
    ),
    plain(
        "queryComplexity",
        Returns::One(Type::QueryComplexity),
        Resolve::Query(|context, _| {
            let limit = context.faults.max_score;
            let object = json!({ "score": context.score, "limit": limit });
            Ok(Data::Node(Node::Object(object.into())))
        }),
    ),
    plain(
        "project",
        Returns::One(Type::Project),
        Resolve::Query(|context, arguments| {
            let path = arguments.text("fullPath").unwrap_or_default();
            let found = context.world.project_by_path(path);
            let visible = found.filter(|it| context.world.may_see(context.user, it.id));
            Ok(nullable(visible, Node::Project))
        }),
    )
    .with(&[argument("fullPath", "ID!")], Cost::Resolver(1)),
    plain(
        "group",
        Returns::One(Type::Group),
        Resolve::Query(|context, arguments| {
            let path = arguments.text("fullPath").unwrap_or_default();
            let found = context.world.group_by_path(path);
            let visible = found.filter(|_| context.world.may_see_groups(context.user));
            Ok(nullable(visible, Node::Group))
        }),
    )
    .with(&[argument("fullPath", "ID!")], Cost::Resolver(1)),
    plain(
        "projects",
        Returns::Pages(&Type::Project),
        Resolve::Query(projects),
    )
    .with(PROJECTS, Cost::Resolver(1)),
];

/// Every project that the arguments name, newest first, also those that the user may not see.
fn projects<'w>(context: Context<'w>, arguments: &Arguments) -> Resolved<'w> {
    let ids = gid::list(arguments, "ids", "Project")?;
    let paths = arguments.texts("fullPaths");
    if paths
        .as_ref()
        .is_some_and(|paths| paths.len() > MAX_FULL_PATHS)
    {
        let message = format!("You cannot provide more than {MAX_FULL_PATHS} full paths");
        return Err(Failure::Field(message));
    }
    let member = arguments.flag("membership") == Some(true);
    let named = ids.is_some() || paths.is_some();
    let wanted = |project: &Project| {
        let visible = context.world.may_see(context.user, project.id);
        ids.as_ref().is_none_or(|ids| ids.contains(&project.id))
            && paths
                .as_ref()
                .is_none_or(|paths| paths.contains(&project.path.as_str()))
            && (visible || (named && !member))
            && in_search(project, arguments)
    };
    let all = context.world.projects.values();
    let mut rows: Vec<&Project> = all.filter(|project| wanted(project)).collect();
    rows.sort_unstable_by_key(|project| Reverse(project.id));
    Ok(Data::Nodes(rows.into_iter().map(Node::Project).collect()))
}

/// Whether a project agrees with `archived` and `search`.
pub(super) fn in_search(project: &Project, arguments: &Arguments) -> bool {
    let kind = match arguments.text("archived") {
        Some("ONLY") => project.archived,
        Some("EXCLUDE") => !project.archived,
        _ => true,
    };
    kind && arguments
        .text("search")
        .is_none_or(|text| project.path.contains(text))
}
