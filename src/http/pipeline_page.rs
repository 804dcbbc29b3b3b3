//! `GET /pipelines/..`: one pipeline. How it ended, its jobs, and what remediation makes of them.

use ci_history::{ExecutionState, Outcome, Timestamp};
use http::StatusCode;
use maud::{Markup, html};

use super::context::{Context, Head};
use super::form_token::Session;
use super::format::{ago, commit, in_gitlab, link};
use super::grid_path::pipelines_path;
use super::layout::{page, staleness_banner};
use super::pipeline_jobs::{job_counts, job_list};
use super::pipeline_path::PipelinePath;
use super::query::PageQuery;
use super::remediation;
use super::response::{HTML, Response, uncached, with_session};
use super::status::PipelineEntry;
use crate::base::human;

/// Characters of a wrong address that are repeated.
const LONGEST_REPEATED: usize = 200;

pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let session = context.session(head.headers);
    let content = match PipelinePath::parse(head.path) {
        None => Err(malformed(head.path)),
        Some(at) => {
            let found = context.status.pipeline(&at.project, at.id);
            found.ok_or_else(|| not_kept(context, &at))
        }
    };
    let (code, page) = match content {
        Ok(pipeline) => {
            let title = format!("Pipeline {} · {}", pipeline.row.id, pipeline.project);
            let content = content_of(context, &pipeline, session.as_ref(), (context.now)());
            (StatusCode::OK, page(&title, context, &content))
        }
        Err(content) => (
            StatusCode::NOT_FOUND,
            page("No such pipeline", context, &content),
        ),
    };
    with_session(uncached(code, HTML, page), session.as_ref())
}

fn content_of(
    context: &Context,
    pipeline: &PipelineEntry,
    session: Option<&Session>,
    now: Timestamp,
) -> Markup {
    let row = &pipeline.row;
    html! {
        main.job-page {
            (staleness_banner(context))
            (title(pipeline))
            p.state { (state(pipeline, now)) }
            @if row.is_config_error {
                p { "GitLab could not create any job: the CI configuration of this commit is invalid. GitLab's page of the pipeline has the error." }
            }
            section.panels {
                (facts(pipeline, now))
                @if !row.jobs.is_empty() { (job_counts(&row.jobs)) }
            }
            (remediation::pipeline_section(context, pipeline, session, now))
            (job_list(pipeline, now))
        }
    }
}

fn title(pipeline: &PipelineEntry) -> Markup {
    let project = html! { bdi { (pipeline.project) } };
    html! {
        nav.crumbs aria-label="Where this is" { a href="/" { "All jobs" } " / " (link(pipeline.project_url.as_deref(), &project)) " / " (ref_link(pipeline)) }
        h1.job-name { "Pipeline " (pipeline.row.id) }
    }
}

fn ref_link(pipeline: &PipelineEntry) -> Markup {
    let track = pipeline.track.as_deref();
    let words =
        html! { bdi { (pipeline.ref_name) } @if let Some(track) = track { " · " bdi { (track) } } };
    html! {
        @match pipelines_path(&pipeline.project, &pipeline.ref_name, track) {
            Some(path) => a href=(path) { (words) },
            None => (words),
        }
    }
}

fn state(pipeline: &PipelineEntry, now: Timestamp) -> Markup {
    let row = &pipeline.row;
    let (class, word) = badge(row.state);
    let is_ended = matches!(row.state, Some(ExecutionState::Ended(_)));
    html! {
        span class={ "badge " (class) } { (word) }
        @match row.at {
            Some(at) if is_ended => { " ended " (ago(at, now)) },
            Some(at) => { " created " (ago(at, now)) },
            None => {},
        }
        @if row.state.is_none() { " only executions of its jobs are kept" }
    }
}

/// CSS class and words of a pipeline's state.
pub(super) fn badge(state: Option<ExecutionState>) -> (&'static str, &'static str) {
    match state {
        Some(ExecutionState::Ended(Outcome::Passed | Outcome::AllowedFailure)) => {
            ("good", "Passed")
        }
        Some(ExecutionState::Ended(Outcome::Failed)) => ("bad", "Failed"),
        Some(ExecutionState::Ended(Outcome::Canceled)) => ("", "Canceled"),
        Some(ExecutionState::Ended(Outcome::Skipped)) => ("", "Skipped"),
        Some(ExecutionState::Running) => ("", "Running"),
        Some(ExecutionState::Pending) => ("", "Waiting for a runner"),
        Some(ExecutionState::Waiting) => ("", "Created"),
        Some(ExecutionState::Blocked) => ("", "Waiting for a person or a time"),
        Some(ExecutionState::Uncounted) => ("", "Ended, not counted"),
        None => ("", "Result no longer kept"),
    }
}

fn facts(pipeline: &PipelineEntry, now: Timestamp) -> Markup {
    let row = &pipeline.row;
    let project_url = pipeline.project_url.as_deref();
    html! {
        div.panel {
            h2 { "Pipeline" }
            dl.facts {
                dt { "Commit" } dd { (commit(Some(&row.commit), project_url)) }
                @if let Some(at) = row.at {
                    dt { @if matches!(row.state, Some(ExecutionState::Ended(_))) { "Ended" } @else { "Created" } } dd { (ago(at, now)) }
                }
                dt { "Ran for" } dd {
                    @match row.duration { Some(took) => (human::span(took.seconds())), None => span.faint { "not known" } }
                }
            }
            @if let Some(url) = url_in_gitlab(project_url, row.id) {
                p { (link(Some(&url), &html! { "This pipeline in GitLab" })) }
            }
        }
    }
}

fn url_in_gitlab(project_url: Option<&str>, id: u64) -> Option<String> {
    project_url.map(|base| in_gitlab(base, "pipelines", &id.to_string()))
}

fn missing(found: &Markup) -> Markup {
    html! {
        main { section.empty {
            h1 { "No such pipeline" }
            (found)
            p { a href="/" { "All jobs" } }
        } }
    }
}

fn malformed(path: &str) -> Markup {
    let shown: String = path.chars().take(LONGEST_REPEATED).collect();
    let is_cut = shown.len() < path.len();
    missing(&html! {
        p { "The address " code { bdi { (shown) @if is_cut { "…" } } } " does not name a project and the number of a pipeline." }
        p { "A pipeline's page is at " code { "/pipelines/<project>/-/<number>" } ", for example " code { "/pipelines/group/app/-/1234" } "." }
    })
}

fn not_kept(context: &Context, at: &PipelinePath) -> Markup {
    let projects = context.status.projects();
    let Some(project) = projects.iter().find(|known| *known.path == *at.project) else {
        return missing(&html! {
            p { "No project with the path " b { bdi { (at.project) } } " is watched here." }
            p { "Check the path: the project may have moved, or another exporter may watch it." }
        });
    };
    missing(&html! {
        p { "Nothing is kept of pipeline " (at.id) " of " b { bdi { (at.project) } } "." }
        p { "It may be older than the last executions, which are kept of each job. It may belong to a ref or source that is not watched. It may be a child pipeline: its jobs are on the page of its parent. Or it is new, and the next poll reads it." }
        @if let Some(url) = url_in_gitlab(project.url.as_deref(), at.id) {
            p { (link(Some(&url), &html! { "Pipeline " (at.id) " in GitLab" })) }
        }
        p { a href=(PageQuery::of_project(&at.project).url(1)) { "Jobs of this project" } }
    })
}
