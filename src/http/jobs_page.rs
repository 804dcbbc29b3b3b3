//! `GET /`: all jobs, the failing ones first, with filters in the URL.

use http::StatusCode;
use maud::{Markup, html};

use super::context::{Context, Head};
use super::job_filters::job_filters;
use super::job_state::JobState;
use super::job_table::job_table;
use super::layout::{NAME, Tab, staleness_banner, tab_page};
use super::listing::{address, as_of, pager, problem_list};
use super::query::{PAGE_JOBS, PageQuery};
use super::response::{HTML, Response, uncached};
use super::status::{JobPage, ProjectStatus, Readiness};
use super::window::legend;
use crate::base::nearest::nearest;

pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let query = PageQuery::parse(head.query);
    let code = if query.problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let now = (context.now)();
    let status = &*context.status;
    // A search out of bounds is not run.
    let is_bounded = query.wanted.filter.check().is_ok();
    let searched = if is_bounded {
        query.clone()
    } else {
        PageQuery::parse("")
    };
    let jobs = status.jobs(&searched.wanted.query(searched.paging(), now));
    let projects = status.projects();
    let content = html! {
        main {
            (staleness_banner(context))
            div.title { h1 { "Jobs" } (as_of(now, &query.url(query.page))) }
            (summary(&jobs, &projects))
            (problem_list(&query.problems))
            @if jobs.tracked == 0 {
                (nothing_yet(&status.readiness(), projects.len()))
            } @else {
                (job_filters(&query, &status.refs()))
                @if jobs.matching == 0 { (no_match(&query, &projects)) }
                @else { (job_table(&jobs, &searched, now)) }
                (pager(searched.page, jobs.matching, PAGE_JOBS, |page| searched.url(page)))
                (legend())
            }
        }
    };
    uncached(code, HTML, tab_page(NAME, Tab::Jobs, context, &content))
}

/// Counts of all jobs, as links to the jobs of each state.
fn summary(jobs: &JobPage, projects: &[ProjectStatus]) -> Markup {
    let errors = projects
        .iter()
        .filter(|project| project.error.is_some())
        .count();
    let states = jobs.states.iter().zip(JobState::ALL);
    html! {
        ul.figures {
            @for (count, state) in states {
                @if *count > 0 || state == JobState::Failing {
                    li.alarming[*count > 0 && state == JobState::Failing] {
                        a href=(address("/", &[("state", state.as_str())])) {
                            b { (count) } " " (state.words().to_lowercase())
                        }
                    }
                }
            }
            li { a href="/" { b { (jobs.tracked) } " " (noun(jobs.tracked, "job", "jobs")) } }
            li { a href="/projects" { b { (projects.len()) } " " (noun(projects.len(), "project", "projects")) } }
            @if errors > 0 {
                li.alarming { a href="/projects?state=error" { b { (errors) } " with a failed poll" } }
            }
        }
    }
}

fn noun<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// What to do when the filters leave nothing.
fn no_match(query: &PageQuery, projects: &[ProjectStatus]) -> Markup {
    let wanted = query.wanted.filter.project.as_deref();
    let unknown = wanted.filter(|path| !projects.iter().any(|known| *known.path == **path));
    let paths: Vec<&str> = projects.iter().map(|project| &*project.path).collect();
    html! {
        section.empty {
            p { "No job matches." }
            @if let Some(path) = unknown {
                p {
                    "No project with the path " b { bdi { (path) } } " is watched here."
                    @if let Some(near) = nearest(path, &paths) {
                        " Did you mean " a href=(PageQuery::of_project(near).url(1)) { bdi { (near) } } "?"
                    }
                }
            }
            p { a href="/" { "Show all jobs" } }
        }
    }
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
                    " let the wanted ones in, and whether the " a href="/projects" { "projects" } " had errors." }
            }
        }
    }
}
