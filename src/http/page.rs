//! The status page: what fails, since when, and why, at a glance.

use maud::{DOCTYPE, Markup, html};
use url::form_urlencoded;

use super::selection::{JobFilter, Paging};
use super::shown::{ago, link, short, utc};
use super::status::{JobEntry, JobPage, ProjectStatus, Readiness, Status};
use crate::model::{Outcome, Timestamp, WindowEntry};

/// The style sheet.
pub(super) const STYLE: &str = include_str!("style.css");
/// Where it is served.
pub(super) const STYLE_PATH: &str = "/style.css";
const STYLE_URL: &str = concat!("/style.css?v=", env!("CARGO_PKG_VERSION"));

const NAME: &str = "job-failure-exporter";
const PURPOSE: &str = "Which GitLab CI jobs fail consistently, since when, and why.";

/// Jobs a page.
const PAGE_JOBS: usize = 100;
/// Projects that are listed; those with an error come first.
const LISTED_PROJECTS: usize = 50;
/// Executions that are drawn for a job.
const DRAWN: usize = 10;

/// What the address asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    filter: JobFilter,
    /// From 1.
    page: usize,
}

impl Query {
    /// Reads `q`, `failing` and `page`; what cannot be read is as if it were not there.
    pub(super) fn parse(query: &str) -> Self {
        let mut parsed = Self {
            filter: JobFilter::default(),
            page: 1,
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "q" => parsed.filter.text = value.trim().to_owned(),
                "failing" => parsed.filter.failing_only = value == "1",
                "page" => parsed.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        parsed
    }

    fn paging(&self) -> Paging {
        Paging {
            offset: (self.page - 1).saturating_mul(PAGE_JOBS),
            limit: PAGE_JOBS,
        }
    }

    /// The address of another page of the same.
    fn address(&self, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::from("/?"));
        if !self.filter.text.is_empty() {
            query.append_pair("q", &self.filter.text);
        }
        if self.filter.failing_only {
            query.append_pair("failing", "1");
        }
        query.append_pair("page", &page.to_string());
        query.finish()
    }
}

/// The whole page.
pub(super) fn page(status: &dyn Status, query: &Query, now: Timestamp) -> String {
    let jobs = status.jobs(&query.filter, query.paging());
    let projects = status.projects();
    let readiness = status.readiness();
    let body = html! {
        (header(&readiness))
        main {
            (summary(&jobs, &projects))
            @if jobs.tracked == 0 {
                (nothing_yet(&readiness, projects.len()))
            } @else {
                (filters(query))
                (job_table(&jobs, now))
                (pager(query, &jobs))
                (legend())
            }
            (project_table(projects, now))
        }
    };
    document(NAME, &body).into_string()
}

/// For an address that is none.
pub(super) fn not_found() -> String {
    let body = html! {
        main {
            h1 { "Nothing is here" }
            ul {
                li { a href="/" { "Status" } }
                li { a href="/metrics" { "/metrics" } " for Prometheus" }
                li { a href="/-/healthy" { "/-/healthy" } " and " a href="/-/ready" { "/-/ready" } " for probes" }
            }
        }
    };
    document("Not found", &body).into_string()
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href=(STYLE_URL);
            }
            body { (body) }
        }
    }
}

fn header(readiness: &Readiness) -> Markup {
    html! {
        header {
            div {
                h1 { a href="/" { (NAME) } " " small { (env!("CARGO_PKG_VERSION")) } }
                p { (PURPOSE) }
            }
            nav {
                @match readiness {
                    Readiness::Ready => span.badge.good { "Ready" },
                    Readiness::NotReady(reason) => span.badge.bad { "Not ready: " (reason) },
                }
                a href="/metrics" { "Metrics" }
            }
        }
    }
}

fn summary(jobs: &JobPage, projects: &[ProjectStatus]) -> Markup {
    let errors = projects
        .iter()
        .filter(|project| project.error.is_some())
        .count();
    let figure = |count: usize, bad: bool, words: &str| {
        html! { li.alarming[bad && count > 0] { b { (count) } " " (words) } }
    };
    html! {
        ul.figures {
            (figure(jobs.failing, true, "failing"))
            (figure(jobs.tracked, false, "jobs"))
            (figure(projects.len(), false, "projects"))
            @if errors > 0 { (figure(errors, true, "with a failed poll")) }
        }
    }
}

fn nothing_yet(readiness: &Readiness, projects: usize) -> Markup {
    html! {
        section.empty {
            h2 { "No job seen yet" }
            @if let Readiness::NotReady(reason) = readiness {
                p { "The first poll of " (projects) " projects is under way: " (reason) "." }
                p { "Reload this page in a moment." }
            } @else if projects == 0 {
                p { "No project is watched. Name projects or groups under " code { "watch:" }
                    " in the configuration, or with " code { "--project" } " and " code { "--group" } "." }
            } @else {
                p { "All " (projects) " projects were polled, but no pipeline matched. See whether "
                    code { "watch.refs" } ", " code { "watch.sources" } " and " code { "watch.jobs" }
                    " let the wanted ones in, and whether the projects below had errors." }
            }
        }
    }
}

fn filters(query: &Query) -> Markup {
    html! {
        form action="/" method="get" role="search" {
            input type="search" name="q" value=(query.filter.text) aria-label="Project, ref, job or team"
                placeholder="Project, ref, job or team";
            label {
                input type="checkbox" name="failing" value="1" checked[query.filter.failing_only];
                " failing only"
            }
            button { "Filter" }
            @if query.filter != JobFilter::default() { a href="/" { "Clear" } }
        }
    }
}

fn job_table(jobs: &JobPage, now: Timestamp) -> Markup {
    if jobs.items.is_empty() {
        return html! { section.empty { p { "No job matches." } } };
    }
    html! {
        table.jobs {
            thead {
                tr {
                    th { "Job" }
                    th { "Last executions" }
                    th.number { "Streak" }
                    th.number { "Failing" }
                    th { "Since" }
                    th { "Last failure" }
                    th { "Team" }
                }
            }
            tbody { @for job in &jobs.items { (job_row(job, now)) } }
        }
    }
}

fn job_row(job: &JobEntry, now: Timestamp) -> Markup {
    let figures = &job.row.figures;
    let streak = figures.consecutive_failures;
    let percent = format!("{:.0} %", figures.failure_ratio() * 100.0);
    let project = html! { bdi { (job.project) } };
    html! {
        tr.failing[streak > 0] {
            th.name scope="row" {
                bdi.job { (job.row.name) }
                small {
                    (link(job.project_url.as_deref(), &project)) " · " bdi { (job.ref_name) }
                    @if !job.row.stage.is_empty() { " · " bdi { (job.row.stage) } }
                }
            }
            td { (window(&figures.window)) }
            td.number data-label="Streak" { (streak) }
            td.number data-label="Failing" { (percent) }
            td data-label="Since" {
                @if let Some(since) = figures.failing.as_ref().and_then(|failing| failing.since) {
                    (ago(since, now))
                }
            }
            td.reason data-label="Last failure" { (last_failure(job)) }
            td data-label="Team" { @if let Some(team) = &job.team { bdi { (team) } } }
        }
    }
}

fn last_failure(job: &JobEntry) -> Markup {
    let Some(failing) = &job.row.figures.failing else {
        return html! {};
    };
    let reason = failing
        .failure_reason
        .as_deref()
        .unwrap_or("no reason given");
    let words = html! { bdi { (reason.replace('_', " ")) } };
    html! {
        (link(failing.web_url.as_deref(), &words))
        @if let Some(commit) = &failing.commit { " " code { bdi { (short(commit)) } } }
    }
}

/// The window as cells, oldest first. Shape and letter tell outcomes apart, not colour alone.
fn window(window: &[WindowEntry]) -> Markup {
    let drawn = &window[window.len().saturating_sub(DRAWN)..];
    html! {
        span.window {
            @for entry in drawn { (cell(entry)) }
            @for _ in drawn.len()..DRAWN { span.cell { } }
        }
    }
}

fn cell(entry: &WindowEntry) -> Markup {
    let (class, sign, outcome) = match (entry.outcome, entry.flaky) {
        (Outcome::Passed, false) => ("passed", "✓", "passed"),
        (Outcome::Passed, true) => ("flaky", "↻", "passed on a retry"),
        (Outcome::Failed, _) => ("failed", "✕", "failed"),
        (Outcome::AllowedFailure, _) => ("allowed", "!", "failed, which is allowed"),
        (Outcome::Canceled | Outcome::Skipped, _) => ("other", "–", entry.outcome.as_str()),
    };
    let mut words = outcome.to_owned();
    if let Some(pipeline) = entry.pipeline_id {
        words.push_str(&format!(", pipeline {pipeline}"));
    }
    if let Some(commit) = &entry.commit {
        words.push_str(&format!(", commit {}", short(commit)));
    }
    if let Some(finished) = entry.finished_at {
        words.push_str(&format!(", {}", utc(finished)));
    }
    let cell = html! {
        span class={ "cell " (class) } role="img" aria-label=(outcome) title=(words) { (sign) }
    };
    link(entry.web_url.as_deref(), &cell)
}

fn legend() -> Markup {
    let of = |class: &str, sign: &str, words: &str| {
        html! { li { span class={ "cell " (class) } aria-hidden="true" { (sign) } " " (words) } }
    };
    html! {
        ul.legend {
            (of("passed", "✓", "passed"))
            (of("flaky", "↻", "passed on a retry"))
            (of("failed", "✕", "failed"))
            (of("allowed", "!", "allowed failure"))
            li { "oldest left, newest right" }
        }
    }
}

fn pager(query: &Query, jobs: &JobPage) -> Markup {
    let pages = jobs.matching.div_ceil(PAGE_JOBS).max(1);
    let first = query.paging().offset.saturating_add(1);
    let last = query.paging().offset.saturating_add(jobs.items.len());
    html! {
        nav.pager aria-label="Pages" {
            @if query.page > 1 {
                a rel="prev" href=(query.address(query.page.min(pages + 1) - 1)) { "← Previous" }
            }
            @if !jobs.items.is_empty() {
                span { (first) " to " (last) " of " (jobs.matching) }
            }
            @if query.page < pages {
                a rel="next" href=(query.address(query.page + 1)) { "Next →" }
            }
        }
    }
}

fn project_table(mut projects: Vec<ProjectStatus>, now: Timestamp) -> Markup {
    if projects.is_empty() {
        return html! {};
    }
    projects.sort_by(|a, b| {
        let rank = |project: &ProjectStatus| project.error.is_none();
        rank(a).cmp(&rank(b)).then_with(|| a.path.cmp(&b.path))
    });
    let more = projects.len().saturating_sub(LISTED_PROJECTS);
    projects.truncate(LISTED_PROJECTS);
    html! {
        h2 { "Projects" }
        table.projects {
            thead { tr { th { "Project" } th { "Last successful poll" } th { "Error" } } }
            tbody {
                @for project in &projects {
                    tr {
                        th scope="row" {
                            (link(project.url.as_deref(), &html! { bdi { (project.path) } }))
                        }
                        td data-label="Polled" {
                            @match project.last_successful_poll {
                                Some(time) => (ago(time, now)),
                                None => "not yet",
                            }
                        }
                        td.error { @if let Some(error) = &project.error { bdi { (error) } } }
                    }
                }
            }
        }
        @if more > 0 { p.more { "and " (more) " more" } }
    }
}
