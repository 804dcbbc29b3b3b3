//! Filters and order of the lists of pipelines and of a group's projects.

use std::cmp::Reverse;

use super::entity::{CiStatus, Group, Pipeline, Project};
use super::moment::Moment;
use super::query::Query;
use super::reply::Reply;
use super::world::World;

/// Source of child pipelines. Lists omit them unless the request names this source.
pub(super) const CHILD: &str = "parent_pipeline";

/// Which pipelines a list shows, in which order.
#[derive(Debug)]
pub(super) struct PipelineFilter<'a> {
    pub(super) updated_after: Option<Moment>,
    pub(super) updated_before: Option<Moment>,
    pub(super) ref_name: Option<&'a str>,
    pub(super) sha: Option<&'a str>,
    pub(super) source: Option<&'a str>,
    pub(super) status: Option<CiStatus>,
    pub(super) by_update: bool,
    pub(super) ascending: bool,
}

impl<'a> PipelineFilter<'a> {
    /// The parameters of `GET /projects/:id/pipelines`.
    pub(super) fn from_query(query: &'a Query) -> Result<Self, Reply> {
        let choice = |name: &str, default, choices: [(&str, bool); 2]| match query.get(name) {
            None => Ok(default),
            Some(word) => choices
                .into_iter()
                .find(|(choice, _)| *choice == word)
                .map(|(_, value)| value)
                .ok_or_else(|| Reply::bad_parameter(name, "does not have a valid value")),
        };
        Ok(Self {
            updated_after: moment(query, "updated_after")?,
            updated_before: moment(query, "updated_before")?,
            ref_name: query.get("ref"),
            sha: query.get("sha"),
            source: query.get("source"),
            status: status(query)?,
            by_update: choice("order_by", false, [("updated_at", true), ("id", false)])?,
            ascending: choice("sort", false, [("asc", true), ("desc", false)])?,
        })
    }

    pub(super) fn rows<'w>(&self, world: &'w World, project: u64) -> Vec<&'w Pipeline> {
        let mut rows: Vec<&Pipeline> = world
            .visible_pipelines(project)
            .filter(|pipeline| self.matches(pipeline))
            .collect();
        // GitLab's order of equal `updated_at` is undefined. Here the id decides, so that runs are repeatable.
        let key = |row: &Pipeline| (self.by_update.then_some(row.updated_at), row.id);
        rows.sort_by_key(|row| key(row));
        if !self.ascending {
            rows.sort_by_key(|row| Reverse(key(row)));
        }
        rows
    }

    fn matches(&self, row: &Pipeline) -> bool {
        let is = |wanted: Option<&str>, found: &str| wanted.is_none_or(|wanted| wanted == found);
        self.updated_after
            .is_none_or(|after| row.updated_at >= after)
            && self
                .updated_before
                .is_none_or(|before| row.updated_at <= before)
            && is(self.ref_name, &row.ref_name)
            && is(self.sha, &row.sha)
            && self.status.is_none_or(|status| row.status == status)
            && match self.source {
                Some(source) => row.source == source,
                None => row.source != CHILD,
            }
    }
}

/// The projects of `GET /groups/:id/projects`, newest first unless `sort=asc`, after `id_after`.
pub(super) fn project_rows<'w>(world: &'w World, group: &Group, query: &Query) -> Vec<&'w Project> {
    let subgroups = query.flag("include_subgroups").unwrap_or(false);
    let shared = query.flag("with_shared").unwrap_or(true);
    let archived = query.flag("archived");
    let after = query.get("id_after").and_then(|id| id.parse::<u64>().ok());
    let below = format!("{}/", group.path);
    let belongs = |project: &Project| {
        let rest = project.path.strip_prefix(&below);
        rest.is_some_and(|rest| subgroups || !rest.contains('/'))
            || (shared && project.shared_with.contains(&group.id))
    };
    let mut rows: Vec<&Project> = world
        .projects
        .values()
        .filter(|project| belongs(project))
        .filter(|project| after.is_none_or(|after| project.id > after))
        .filter(|project| archived.is_none_or(|wanted| project.archived == wanted))
        .collect();
    if query.get("sort") == Some("asc") {
        rows.sort_unstable_by_key(|project| project.id);
    } else {
        rows.sort_unstable_by_key(|project| Reverse(project.id));
    }
    rows
}

fn moment(query: &Query, name: &str) -> Result<Option<Moment>, Reply> {
    query
        .get(name)
        .map(|text| Moment::parse(text).ok_or_else(|| Reply::bad_parameter(name, "is invalid")))
        .transpose()
}

fn status(query: &Query) -> Result<Option<CiStatus>, Reply> {
    let complaint = || Reply::bad_parameter("status", "does not have a valid value");
    query
        .get("status")
        .map(|word| word.parse().map_err(|_| complaint()))
        .transpose()
}
