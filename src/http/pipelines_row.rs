//! A pipeline in the list of a ref.

use std::cmp::Ordering;
use std::sync::Arc;

use ci_history::{ExecutionState, Outcome, Timestamp};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::format::{ago, commit, in_gitlab, is_web, link};
use super::grid_view::state_name;
use super::list_page::ListRow;
use super::list_query::Row;
use super::pipeline_page::badge;
use super::pipeline_path::{pipeline_link, pipeline_path};
use super::sorting::{Column, Sorting};
use super::status::{PipelineListing, RefPipelines};
use crate::base::human;

/// A pipeline with its project.
pub(super) struct ListedPipeline {
    project: Arc<str>,
    project_url: Option<Arc<str>>,
    listing: PipelineListing,
}

/// A column of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PipelineColumn {
    Pipeline,
    State,
    Source,
    Time,
    Duration,
    Failed,
}

impl Column for PipelineColumn {
    const ALL: &'static [Self] = &[
        Self::Pipeline,
        Self::State,
        Self::Source,
        Self::Time,
        Self::Duration,
        Self::Failed,
    ];

    fn key(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::State => "state",
            Self::Source => "source",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Failed => "failed",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Pipeline => "Pipeline",
            Self::State => "State",
            Self::Source => "Source",
            Self::Time => "Ended",
            Self::Duration => "Ran for",
            Self::Failed => "Failed jobs",
        }
    }

    fn descends(self) -> bool {
        matches!(
            self,
            Self::Pipeline | Self::Time | Self::Duration | Self::Failed
        )
    }
}

impl Row for ListedPipeline {
    type Column = PipelineColumn;

    const PATH: &'static str = "/refs/";
    const USUAL: PipelineColumn = PipelineColumn::Pipeline;
    const STATES: &'static [(&'static str, &'static str)] = &[
        ("passed", "passed"),
        ("failed", "failed"),
        ("running", "running or waiting"),
        ("other", "canceled or skipped"),
    ];

    fn texts(&self) -> Vec<&str> {
        let summary = &self.listing.summary;
        let info = summary.info.as_ref();
        vec![
            &summary.commit,
            summary.source.as_deref().unwrap_or_default(),
            info.map(|info| info.title()).unwrap_or_default(),
            info.map(|info| info.author()).unwrap_or_default(),
        ]
    }

    fn has_state(&self, state: &str) -> bool {
        state == self.state_key()
    }

    fn compare(&self, other: &Self, sorting: Sorting<PipelineColumn>) -> Ordering {
        let (a, b) = (&self.listing.summary, &other.listing.summary);
        let seconds = |row: &Self| {
            let span = row.listing.summary.duration?;
            Some(std::time::Duration::try_from_secs_f64(span.seconds()).unwrap_or_default())
        };
        match sorting.column {
            PipelineColumn::Pipeline => sorting.compare(&a.id, &b.id),
            PipelineColumn::State => sorting.compare(state_name(a.state), state_name(b.state)),
            PipelineColumn::Source => sorting.compare_known(a.source.clone(), b.source.clone()),
            PipelineColumn::Time => sorting.compare_known(a.at, b.at),
            PipelineColumn::Duration => sorting.compare_known(seconds(self), seconds(other)),
            PipelineColumn::Failed => {
                let failed = |row: &Self| row.listing.counts.failed;
                sorting.compare(&failed(self), &failed(other))
            }
        }
    }

    fn compare_names(&self, other: &Self) -> Ordering {
        other.listing.summary.id.cmp(&self.listing.summary.id)
    }
}

impl ListedPipeline {
    pub(super) fn all(found: RefPipelines) -> Vec<Self> {
        let (project, project_url) = (found.project, found.project_url);
        let rows = found.pipelines.into_iter().map(|listing| Self {
            project: project.clone(),
            project_url: project_url.clone(),
            listing,
        });
        rows.collect()
    }

    fn state_key(&self) -> &'static str {
        match self.listing.summary.state {
            ExecutionState::Ended(Outcome::Passed | Outcome::AllowedFailure) => "passed",
            ExecutionState::Ended(Outcome::Failed) => "failed",
            ExecutionState::Ended(_) | ExecutionState::Uncounted => "other",
            _ => "running",
        }
    }

    fn web_url(&self) -> Option<String> {
        let base = self.project_url.as_deref().filter(|url| is_web(url))?;
        Some(in_gitlab(
            base,
            "pipelines",
            &self.listing.summary.id.to_string(),
        ))
    }
}

impl ListRow for ListedPipeline {
    const TITLE: &'static str = "Pipelines";
    const NAME: &'static str = "pipelines";
    const SEARCHED: &'static str = "Commit, title, author or source";
    const NO_MATCH: &'static str = "No pipeline matches.";

    fn none() -> Markup {
        html! { "Nothing is kept of the pipelines of this ref." }
    }

    fn json(&self) -> Value {
        let PipelineListing { summary, counts } = &self.listing;
        let info = summary.info.as_ref();
        json!({
            "pipeline_id": summary.id,
            "state": state_name(summary.state),
            "source": summary.source,
            "commit": summary.commit,
            "title": info.map(|info| info.title()),
            "author": info.map(|info| info.author()),
            "timestamp_seconds": summary.at,
            "duration_seconds": summary.duration.map(ci_history::Span::seconds),
            "jobs": counts.jobs,
            "failed_jobs": counts.failed,
            "page": pipeline_path(&self.project, summary.id),
            "web_url": self.web_url(),
        })
    }

    fn markup(&self, now: Timestamp) -> Markup {
        let PipelineListing { summary, counts } = &self.listing;
        let (class, words) = badge(Some(summary.state));
        html! {
            tr.failing[self.state_key() == "failed"] {
                th.name scope="row" {
                    (pipeline_link(&self.project, summary.id)) " "
                    (commit(Some(&summary.commit), self.project_url.as_deref()))
                    @if let Some(info) = &summary.info { small { bdi { (info.title()) } @if !info.author().is_empty() { " by " bdi { (info.author()) } } } }
                    small { (link(self.web_url().as_deref(), &html! { "in GitLab" })) }
                }
                td.states { span class={ "badge " (class) } { (words) } }
                td data-label="Source" { @match &summary.source { Some(source) => bdi { (source.replace('_', " ")) }, None => span.faint { "not known" } } }
                td data-label=(if matches!(summary.state, ExecutionState::Ended(_)) { "Ended" } else { "Created" }) {
                    @if let Some(at) = summary.at { (ago(at, now)) } @else { span.faint { "not known" } }
                }
                td.number data-label="Ran for" { @if let Some(took) = summary.duration { (human::span(took.seconds())) } }
                td.number data-label="Failed jobs" { (counts.failed) " of " (counts.jobs) }
            }
        }
    }
}
