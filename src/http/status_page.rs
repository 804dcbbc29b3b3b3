//! `GET /`: the status page with all jobs, the failing ones first.

use ci_history::Timestamp;
use http::StatusCode;
use maud::{Markup, html};

use super::context::{Context, Head};
use super::format::{ago, link};
use super::job_table::job_table;
use super::layout::{NAME, page, staleness_banner};
use super::query::{PAGE_JOBS, PageQuery};
use super::response::{HTML, Response, plain, uncached};
use super::selection::JobFilter;
use super::status::{JobPage, ProjectStatus, Readiness};
use super::window::legend;

/// Projects in the list. Those with an error come first.
const LISTED_PROJECTS: usize = 50;

pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let query = PageQuery::parse(head.query);
    if let Err(message) = query.filter.check() {
        return plain(StatusCode::BAD_REQUEST, format!("{message}\n"));
    }
    let now = (context.now)();
    let status = &*context.status;
    let jobs = status.jobs(&query.filter, query.paging());
    let projects = status.projects();
    let content = html! {
        main {
            (staleness_banner(context))
            (summary(&jobs, &projects))
            @if jobs.tracked == 0 {
                (nothing_yet(&status.readiness(), projects.len()))
            } @else {
                (filters(&query))
                (job_table(&jobs, now))
                (pager(&query, &jobs))
                (legend())
            }
            (project_table(projects, now))
        }
    };
    uncached(StatusCode::OK, HTML, page(NAME, context, &content))
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
            (figure(jobs.tracked, false, noun(jobs.tracked, "job", "jobs")))
            (figure(projects.len(), false, noun(projects.len(), "project", "projects")))
            @if errors > 0 { (figure(errors, true, "with a failed poll")) }
        }
    }
}

fn noun<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

fn nothing_yet(readiness: &Readiness, projects: usize) -> Markup {
    let nouns = noun(projects, "project", "projects");
    html! {
        section.empty {
            h2 { "No job seen yet" }
            @if let Readiness::NotReady(reason) = readiness {
                p {
                    "Jobs appear here after the first poll"
                    @if projects > 0 { " of " (projects) " " (nouns) }
                    ". Reload this page in a moment."
                }
                p { "Not ready: " (reason) "." }
            } @else if projects == 0 {
                p { "No project is watched. Name projects or groups under " code { "watch:" }
                    " in the configuration, or with " code { "--project" } " and " code { "--group" } "." }
            } @else {
                p { (projects) " " (nouns) " polled, but no pipeline matched. See whether "
                    code { "watch.refs" } ", " code { "watch.sources" } " and " code { "watch.jobs" }
                    " let the wanted ones in, and whether the projects below had errors." }
            }
        }
    }
}

fn filters(query: &PageQuery) -> Markup {
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

fn pager(query: &PageQuery, jobs: &JobPage) -> Markup {
    let pages = jobs.matching.div_ceil(PAGE_JOBS).max(1);
    let first = query.paging().offset.saturating_add(1);
    let last = query.paging().offset.saturating_add(jobs.items.len());
    html! {
        nav.pager aria-label="Pages" {
            @if query.page > 1 {
                a rel="prev" href=(query.url(query.page.min(pages + 1) - 1)) { "← Previous" }
            }
            @if !jobs.items.is_empty() {
                span { (first) " to " (last) " of " (jobs.matching) }
            }
            @if query.page < pages {
                a rel="next" href=(query.url(query.page + 1)) { "Next →" }
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
