//! `GET /projects` and `GET /api/v1/projects`: how polling each project goes, and whether its default branch is red.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use ci_history::Timestamp;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::context::Context;
use super::format::{ago, breakable, is_web, link};
use super::grid_path::{grid_path, pipelines_path};
use super::layout::Tab;
use super::list_page::{List, ListRow};
use super::list_query::Row;
use super::query::PageQuery;
use super::sorting::{Column, Sorting};
use super::status::{ProjectStatus, RefStatus};

/// A project with sums over its refs.
pub(super) struct ProjectRow {
    status: ProjectStatus,
    refs: usize,
    jobs: usize,
    failing_jobs: usize,
    /// The default branch, without a track.
    main: Option<RefStatus>,
}

/// A column of the list of projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProjectColumn {
    Project,
    State,
    Polled,
    FailedPolls,
    Refs,
    Jobs,
    Failing,
    RedSince,
}

impl Column for ProjectColumn {
    const ALL: &'static [Self] = &[
        Self::Project,
        Self::State,
        Self::Polled,
        Self::FailedPolls,
        Self::Refs,
        Self::Jobs,
        Self::Failing,
        Self::RedSince,
    ];

    fn key(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::State => "state",
            Self::Polled => "polled",
            Self::FailedPolls => "failed_polls",
            Self::Refs => "refs",
            Self::Jobs => "jobs",
            Self::Failing => "failing",
            Self::RedSince => "red_since",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Project => "Project",
            Self::State => "Last poll",
            Self::Polled => "Last successful poll",
            Self::FailedPolls => "Failed polls",
            Self::Refs => "Refs",
            Self::Jobs => "Jobs",
            Self::Failing => "Failing",
            Self::RedSince => "Default branch",
        }
    }

    fn descends(self) -> bool {
        matches!(
            self,
            Self::FailedPolls | Self::Refs | Self::Jobs | Self::Failing
        )
    }
}

impl Row for ProjectRow {
    type Column = ProjectColumn;

    const PATH: &'static str = "/projects";
    const USUAL: ProjectColumn = ProjectColumn::State;
    const STATES: &'static [(&'static str, &'static str)] = &[
        ("error", "last poll failed"),
        ("unpolled", "not polled yet"),
        ("red", "default branch is red"),
        ("ok", "polled and green"),
    ];

    fn texts(&self) -> Vec<&str> {
        let main = self.status.default_branch.as_deref();
        let error = self.status.error.as_deref();
        vec![
            &self.status.path,
            main.unwrap_or_default(),
            error.unwrap_or_default(),
        ]
    }

    fn has_state(&self, state: &str) -> bool {
        match state {
            "error" => self.status.error.is_some(),
            "unpolled" => self.status.last_successful_poll.is_none(),
            "red" => self.is_red(),
            _ => {
                let is_polled = self.status.last_successful_poll.is_some();
                is_polled && self.status.error.is_none() && !self.is_red()
            }
        }
    }

    fn compare(&self, other: &Self, sorting: Sorting<ProjectColumn>) -> Ordering {
        let (a, b) = (&self.status, &other.status);
        let red_since = |row: &Self| row.main.as_ref().and_then(|main| main.red_since);
        match sorting.column {
            ProjectColumn::Project => sorting.compare(&a.path, &b.path),
            ProjectColumn::State => sorting.compare(&self.poll_rank(), &other.poll_rank()),
            ProjectColumn::Polled => {
                sorting.compare_known(a.last_successful_poll, b.last_successful_poll)
            }
            ProjectColumn::FailedPolls => sorting.compare(&a.failed_polls, &b.failed_polls),
            ProjectColumn::Refs => sorting.compare(&self.refs, &other.refs),
            ProjectColumn::Jobs => sorting.compare(&self.jobs, &other.jobs),
            ProjectColumn::Failing => sorting.compare(&self.failing_jobs, &other.failing_jobs),
            ProjectColumn::RedSince => sorting.compare_known(red_since(self), red_since(other)),
        }
    }

    fn compare_names(&self, other: &Self) -> Ordering {
        self.status.path.cmp(&other.status.path)
    }
}

impl ProjectRow {
    fn is_red(&self) -> bool {
        self.main
            .as_ref()
            .is_some_and(|main| main.failed_pipelines > 0)
    }

    /// Failed polls first, then projects that were never polled.
    fn poll_rank(&self) -> u8 {
        match (&self.status.error, self.status.last_successful_poll) {
            (Some(_), _) => 0,
            (None, None) => 1,
            (None, Some(_)) => 2,
        }
    }
}

impl ListRow for ProjectRow {
    const TITLE: &'static str = "Projects";
    const NAME: &'static str = "projects";
    const SEARCHED: &'static str = "Path, default branch or error";
    const NO_MATCH: &'static str = "No project matches.";

    fn none() -> Markup {
        html! { "No project is watched yet. Name projects or groups under " code { "watch:" } " in the configuration." }
    }

    fn json(&self) -> Value {
        let unix = |time: Option<Timestamp>| time.map(Timestamp::unix);
        let status = &self.status;
        let main = self.main.as_ref();
        json!({
            "project": status.path,
            "web_url": status.url.as_deref().filter(|url| is_web(url)),
            "last_successful_poll_timestamp_seconds": unix(status.last_successful_poll),
            "error": status.error,
            "failed_polls_total": status.failed_polls,
            "refs": self.refs,
            "jobs": self.jobs,
            "failing_jobs": self.failing_jobs,
            "default_branch": status.default_branch,
            "default_branch_consecutive_failures": main.map(|main| main.failed_pipelines),
            "default_branch_failing_since_timestamp_seconds": unix(main.and_then(|main| main.red_since)),
        })
    }

    fn markup(&self, now: Timestamp) -> Markup {
        project_row(self, now)
    }
}

impl List for ProjectRow {
    const TAB: Tab = Tab::Projects;

    fn all(context: &Context, _: Timestamp) -> Vec<Self> {
        rows(context)
    }
}

/// The projects with what their refs say.
fn rows(context: &Context) -> Vec<ProjectRow> {
    let mut by_project: BTreeMap<Arc<str>, Vec<RefStatus>> = BTreeMap::new();
    for status in context.status.refs() {
        by_project
            .entry(status.project.clone())
            .or_default()
            .push(status);
    }
    let projects = context.status.projects().into_iter();
    let rows = projects.map(|status| {
        let refs = by_project.remove(&status.path).unwrap_or_default();
        ProjectRow {
            refs: refs.len(),
            jobs: refs.iter().map(|it| it.jobs).sum(),
            failing_jobs: refs.iter().map(|it| it.failing_jobs).sum(),
            main: refs.into_iter().find(|it| {
                it.track.is_none() && Some(&it.ref_name) == status.default_branch.as_ref()
            }),
            status,
        }
    });
    rows.collect()
}

fn project_row(row: &ProjectRow, now: Timestamp) -> Markup {
    let status = &row.status;
    html! {
        tr.failing[row.failing_jobs > 0] {
            th.name scope="row" {
                a href=(PageQuery::of_project(&status.path).url(1)) { (breakable(&status.path)) }
                @if status.url.is_some() { small { (link(status.url.as_deref(), &html! { "in GitLab" })) } }
            }
            td.poll {
                @match (&status.error, status.last_successful_poll) {
                    (Some(error), _) => { span.badge.bad { "✕ Failed" } " " small.error { bdi { (error) } } },
                    (None, None) => span.badge { "… Not polled yet" },
                    (None, Some(_)) => span.badge.good { "✓ Succeeded" },
                }
            }
            td data-label="Last successful poll" {
                @match status.last_successful_poll { Some(time) => (ago(time, now)), None => "none yet" }
            }
            td.number data-label="Failed polls" { (status.failed_polls) }
            td.number data-label="Refs" { (row.refs) }
            td.number data-label="Jobs" { (row.jobs) }
            td.number data-label="Failing" { (row.failing_jobs) }
            td.main-branch data-label="Default branch" { (main_branch(row, now)) }
        }
    }
}

fn main_branch(row: &ProjectRow, now: Timestamp) -> Markup {
    let Some(name) = &row.status.default_branch else {
        return html! { span.faint { "not known" } };
    };
    let words = html! { bdi { (name) } };
    html! {
        @match grid_path(&row.status.path, name, None).filter(|_| row.main.is_some()) {
            Some(path) => a href=(path) { (words) },
            None => (words),
        }
        " "
        @match &row.main {
            Some(main) if main.failed_pipelines > 0 => {
                span.badge.bad { "✕ Red" }
                @if let Some(since) = main.red_since { " " small { "since " (ago(since, now)) } }
            },
            Some(main) if main.last_pipeline.is_some() => span.badge.good { "✓ Green" },
            _ => small { "no pipeline" },
        }
        @if row.main.is_some() && let Some(path) = pipelines_path(&row.status.path, name, None) { " " small { a href=(path) { "pipelines" } } }
    }
}
