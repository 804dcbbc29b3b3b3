//! `GET /jobs/..`: one job. Whether it fails, since when, why, its owner, and its executions.

use std::collections::BTreeMap;
use std::sync::Arc;

use ci_history::{Failing, FailureClass, Figures, Outcome, Span, Timestamp, WindowEntry};
use http::StatusCode;
use maud::{Markup, html};
use url::form_urlencoded;

use super::context::{Context, Head};
use super::duration_chart::duration_chart;
use super::format::{ago, commit, in_gitlab, link, said};
use super::job_alerts::job_alerts;
use super::job_path::JobPath;
use super::layout::{page, staleness_banner};
use super::pipeline_path::pipeline_link;
use super::remediation;
use super::response::{HTML, Response, uncached, with_session};
use super::status::JobEntry;
use super::window::{legend, sign, window};
use crate::base::human;

/// What remediation knows about a job.
struct BroughtBack {
    section: Markup,
    /// The pipelines whose execution passed after an action, and who wanted it.
    by: BTreeMap<u64, Arc<str>>,
}

pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let session = context.session(head.headers);
    let (code, page) = match named(context, head) {
        Some(job) => {
            let title = format!("{} · {}", job.row.name, job.project);
            let now = (context.now)();
            let brought_back = BroughtBack {
                section: remediation::section(context, &job, session.as_ref(), now),
                by: remediation::recovered(context, &job),
            };
            let shows_logs = context.status.shows_logs();
            let staleness = staleness_banner(context);
            let alerts = job_alerts(context, now);
            let content = content(&job, &staleness, &brought_back, &alerts, shows_logs, now);
            (StatusCode::OK, page(&title, context, &content))
        }
        None => (
            StatusCode::NOT_FOUND,
            page("No such job", context, &unknown()),
        ),
    };
    with_session(uncached(code, HTML, page), session.as_ref())
}

/// The job that the path and `track` name.
pub(super) fn named(context: &Context, head: Head<'_>) -> Option<JobEntry> {
    let mut query = form_urlencoded::parse(head.query.as_bytes());
    let track = query.find_map(|(key, value)| (key == "track").then_some(value));
    let at = JobPath::parse(head.path)?;
    let track = track.as_deref();
    (context.status).job(&at.project, &at.ref_name, track, &at.job)
}

fn content(
    job: &JobEntry,
    staleness: &Markup,
    brought_back: &BroughtBack,
    alerts: &Markup,
    shows_logs: bool,
    now: Timestamp,
) -> Markup {
    let figures = &job.row.figures;
    html! {
        main.job-page {
            (staleness)
            (title(job))
            p.state {
                (state(figures, now))
                span.drawn { (window(&figures.window, figures.window.len(), job.project_url.as_deref())) }
            }
            @if let Some(failing) = &figures.failing {
                section.panels {
                    (why(job, failing, shows_logs))
                    (since(job, failing, now))
                }
            }
            (brought_back.section)
            (alerts)
            (numbers(job, now))
            (duration_chart(figures))
            (executions(job, &brought_back.by, now))
            (legend())
        }
    }
}

fn unknown() -> Markup {
    html! {
        main {
            section.empty {
                h1 { "No such job" }
                p { "No job of this name is tracked on this ref. It may have been renamed, or not have run for as long as histories are kept." }
                p { a href="/" { "All jobs" } }
            }
        }
    }
}

fn title(job: &JobEntry) -> Markup {
    let project = html! { bdi { (job.project) } };
    html! {
        nav.crumbs aria-label="Where this is" { a href="/" { "All jobs" } " / " (link(job.project_url.as_deref(), &project)) " / " bdi { (job.ref_name) } @if let Some(track) = &job.track { " · " (track) } }
        h1.job-name { bdi { (job.row.name) } }
        p.about {
            @if !job.row.stage.is_empty() { "Stage " b { bdi { (job.row.stage) } } " · " }
            @match &job.team {
                Some(team) => { "Team " b { bdi { (team) } } },
                None => "No team",
            }
            @if job.row.allow_failure { " · may fail" }
        }
    }
}

fn state(figures: &Figures, now: Timestamp) -> Markup {
    let streak = figures.consecutive_failures;
    let in_a_row = if streak == 1 {
        "the last execution failed".to_owned()
    } else {
        format!("{streak} executions failed in a row")
    };
    html! {
        @if streak > 0 {
            span.badge.bad { "Failing" } " " (in_a_row)
            @if let Some(since) = figures.failing.as_ref().and_then(|failing| failing.since) {
                ", the first one " (ago(since, now))
            }
        } @else if figures.window_executions > 0 {
            span.badge.good { "Not failing" }
            @if let Some(at) = figures.last_execution { " last executed " (ago(at, now)) }
        } @else {
            span.badge { "Not executed yet" }
        }
        @if let Some(at) = figures.running_since { " · running, started " (ago(at, now)) }
        @if let Some(at) = figures.pending_since { " · waiting for a runner, since " (ago(at, now)) }
    }
}

fn why(job: &JobEntry, failing: &Failing, shows_logs: bool) -> Markup {
    let class = failing.failure_class.unwrap_or(FailureClass::Unknown);
    html! {
        div.panel.wide {
            h2 { "Why" }
            p {
                span.badge { (class.as_str()) } " "
                @match failing.failure_reason.as_deref() {
                    Some(reason) => bdi { (reason.replace('_', " ")) },
                    None => "GitLab gives no reason",
                }
                @if let Some(rule) = &failing.log_rule { ", log rule " bdi { (rule) } }
                @if let Some(id) = failing.job_id {
                    " in " (link(failing.web_url.as_deref(), &html! { "job " (id) }))
                    @if let Some(id) = failing.pipeline_id { " of pipeline " (pipeline_link(&job.project, id)) }
                }
            }
            @if let Some(excerpt) = &failing.excerpt {
                p.faint {
                    "The end of its log, what looks like a secret masked"
                    @if Some(excerpt.job_id) != failing.job_id { " (of the earlier job " (excerpt.job_id) ")" }
                    ":"
                }
                pre.log tabindex="0" { bdi { (excerpt.text) } }
            } @else if !shows_logs {
                p.faint { "Its log is not shown here, because everybody who reaches this page could read it. " code { "web.show_logs" } " changes that." }
            } @else if failing.log_was_read {
                p.faint { "Its log has no lines to show." }
            }
        }
    }
}

fn since(job: &JobEntry, failing: &Failing, now: Timestamp) -> Markup {
    let project_url = job.project_url.as_deref();
    let compare = failing.compare_url(project_url);
    let same = failing.first_failing_commit == failing.last_passing_commit;
    html! {
        div.panel {
            h2 { "Since when" }
            dl.facts {
                @if let Some(since) = failing.since { dt { "First failure" } dd { (ago(since, now)) } }
                dt { "First failing commit" } dd { (commit(failing.first_failing_commit.as_deref(), project_url)) }
                dt { "Last passing commit" } dd { (commit(failing.last_passing_commit.as_deref(), project_url)) }
            }
            @if let Some(info) = &failing.first_failing_info { p { "First failing:" (said(Some(info))) } }
            @if compare.is_some() {
                p { (link(compare.as_deref(), &html! { "Compare the two commits" })) }
            } @else if same && failing.first_failing_commit.is_some() {
                p.faint { "The same commit passed before: look at what is not in the repository." }
            }
        }
    }
}

fn numbers(job: &JobEntry, now: Timestamp) -> Markup {
    let figures = &job.row.figures;
    let when = |at: Option<Timestamp>| {
        html! {
            @match at { Some(at) => (ago(at, now)), None => span.faint { "never" } }
        }
    };
    let took = |took: Option<Span>| {
        html! {
            @match took { Some(took) => (human::span(took.seconds())), None => span.faint { "not known" } }
        }
    };
    html! {
        section.panels {
            div.panel {
                h2 { "Window" }
                dl.facts {
                    dt { "Failing" } dd { (figures.window_failures) " of " (figures.window_executions) " (" (format!("{:.0}", figures.failure_ratio() * 100.0)) " %)" }
                    dt { "Streak" } dd { (figures.consecutive_failures) }
                    dt { "Passed on a retry" } dd { (figures.window_flaky) }
                }
            }
            div.panel {
                h2 { "So far" }
                dl.facts {
                    @for outcome in Outcome::ALL {
                        dt { (outcome.as_str().replace('_', " ")) } dd { (figures.executions.get(outcome)) }
                    }
                    dt { "flaky" } dd { (figures.flaky_executions) }
                    dt { "retries" } dd { (figures.retries) }
                }
            }
            div.panel {
                h2 { "Failures by class" }
                dl.facts {
                    @for class in FailureClass::ALL.into_iter().filter(|class| figures.failures.get(*class) > 0) {
                        dt { (class.as_str()) } dd { (figures.failures.get(class)) }
                    }
                }
                @if FailureClass::ALL.into_iter().all(|class| figures.failures.get(class) == 0) { p.faint { "none" } }
            }
            div.panel {
                h2 { "Times" }
                dl.facts {
                    dt { "Last success" } dd { (when(figures.last_success)) }
                    dt { "Last failure" } dd { (when(figures.last_failure)) }
                    dt { "First seen" } dd { (when(figures.first_seen)) }
                    dt { "Ran for" } dd { (took(figures.duration)) }
                    dt { "Usually" } dd { (took(figures.usual_duration)) }
                    dt { "Waited for a runner" } dd { (took(figures.queued_duration)) }
                }
            }
        }
    }
}

fn executions(job: &JobEntry, by: &BTreeMap<u64, Arc<str>>, now: Timestamp) -> Markup {
    let window = &job.row.figures.window;
    if window.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Executions in the window, newest first" }
        table.executions {
            thead { tr { th scope="col" { "Outcome" } th scope="col" { "Pipeline" } th scope="col" { "Job" } th scope="col" { "Commit" } th scope="col" { "Took" } th scope="col" { "Ended" } } }
            tbody { @for entry in window.iter().rev() { (execution(entry, job, by, now)) } }
        }
    }
}

fn execution(
    entry: &WindowEntry,
    job: &JobEntry,
    by: &BTreeMap<u64, Arc<str>>,
    now: Timestamp,
) -> Markup {
    let (class, sign, outcome) = sign(entry.outcome, entry.flaky);
    let by = entry.pipeline_id.and_then(|id| by.get(&id));
    let project_url = job.project_url.as_deref();
    let in_gitlab = |id: u64| project_url.map(|base| in_gitlab(base, "pipelines", &id.to_string()));
    html! {
        tr {
            td { span class={ "cell " (class) } aria-hidden="true" { (sign) } " " (outcome) @if let Some(by) = by { ", brought back by " bdi { (by) } } }
            td data-label="Pipeline" {
                @if let Some(id) = entry.pipeline_id {
                    (pipeline_link(&job.project, id))
                    @if let Some(url) = in_gitlab(id) { " " small { (link(Some(&url), &html! { "in GitLab" })) } }
                }
            }
            td data-label="Job" { @if let Some(id) = entry.job_id { (link(entry.web_url(project_url).as_deref(), &html! { (id) })) } }
            td data-label="Commit" { @if entry.commit.is_some() { (commit(entry.commit.as_deref(), project_url)) } }
            td data-label="Took" { @if let Some(took) = entry.duration { (human::span(took.seconds())) } }
            td data-label="Ended" { @if let Some(at) = entry.finished_at { (ago(at, now)) } }
        }
    }
}
