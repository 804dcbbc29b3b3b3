//! `GET /grid/..` and `GET /api/v1/grid`: the last pipelines of a ref beside each other, with the executions of its jobs.

use ci_history::{ExecutionState, GridJob, Outcome, Timestamp};
use http::StatusCode;
use maud::{Markup, html};
use serde_json::json;
use url::form_urlencoded;

use super::api::{bad_request, json_body};
use super::context::{Context, Head};
use super::grid_path::{GridPath, grid_path, pipelines_path};
use super::grid_view::{culprits, grid_json, grid_table, legend};
use super::layout::{page, staleness_banner};
use super::list_query::HIGHEST_LIMIT;
use super::listing::{self, PAGE_ROWS, address, as_of, pager, problem_list};
use super::parameters::unknown;
use super::query::PageQuery;
use super::response::{HTML, Response, uncached};
use super::selection::Paging;
use super::status::{GridEntry, RefStatus};

/// Pipelines of a grid at most.
const PIPELINES: usize = 20;

/// Other refs of the project that are listed.
const LISTED_REFS: usize = 200;

/// The parameters of a grid's page.
struct GridQuery {
    track: Option<String>,
    /// From 1.
    page: usize,
    problems: Vec<String>,
}

impl GridQuery {
    fn parse(query: &str) -> Self {
        let mut parsed = Self {
            track: None,
            page: 1,
            problems: Vec::new(),
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "track" => parsed.track = Some(value.into_owned()),
                "page" => match listing::page(&value) {
                    Ok(page) => parsed.page = page,
                    Err(problem) => parsed.problems.push(problem),
                },
                key => parsed.problems.push(unknown(key, &[&["track", "page"]])),
            }
        }
        parsed
    }
}

pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let query = GridQuery::parse(head.query);
    let Some(at) = GridPath::parse(head.path) else {
        return missing(
            context,
            None,
            &html! {
                p { "The address does not name a project and a ref. A grid is at " code { "/grid/<project>/-/<ref>" } ", for example " code { "/grid/group/app/-/main" } "." }
            },
        );
    };
    let mut refs = context.status.refs();
    refs.retain(|it| *it.project == *at.project);
    let track = query.track.as_deref();
    let Some(entry) = context
        .status
        .grid(&at.project, &at.ref_name, track, PIPELINES)
    else {
        return not_known(context, &at, track, &refs);
    };
    let code = if query.problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let title = format!("{} · {}", entry.ref_name, entry.project);
    let content = content(context, entry, &query, &refs);
    uncached(code, HTML, page(&title, context, &content))
}

fn content(
    context: &Context,
    mut entry: GridEntry,
    query: &GridQuery,
    refs: &[RefStatus],
) -> Markup {
    let now = (context.now)();
    sort(&mut entry);
    let jobs = entry.grid.jobs.len();
    let offset = (query.page - 1).saturating_mul(PAGE_ROWS);
    let base = grid_path(&entry.project, &entry.ref_name, entry.track.as_deref());
    let base = base.unwrap_or_default();
    let url = |page: usize| {
        if page == 1 {
            base.clone()
        } else {
            format!("{base}&page={page}")
        }
    };
    html! {
        main.wide {
            (staleness_banner(context))
            nav.crumbs aria-label="Where this is" {
                a href="/" { "All jobs" } " / "
                a href=(PageQuery::of_project(&entry.project).url(1)) { bdi { (entry.project) } }
                @if let Some(path) = pipelines_path(&entry.project, &entry.ref_name, entry.track.as_deref()) { " · " a href=(path) { "Pipelines" } }
            }
            div.title {
                h1 { "Grid of " bdi { (entry.ref_name) } @if let Some(track) = &entry.track { " · " bdi { (track) } } }
                (as_of(now, &url(query.page)))
            }
            (problem_list(&query.problems))
            @if entry.grid.pipelines.is_empty() || jobs == 0 {
                section.empty { p { "Nothing is kept of the jobs of the last pipelines of this ref." } }
            } @else {
                (culprits(&entry, now))
                (grid_table(&entry, offset, PAGE_ROWS, now))
                (pager(query.page, jobs, PAGE_ROWS, url))
                (legend())
            }
            (other_refs(&entry, refs, now))
        }
    }
}

/// Failing jobs first, those that one pipeline broke beside each other, then jobs that failed lately.
fn sort(entry: &mut GridEntry) {
    let columns = &entry.grid.pipelines;
    let broken_at = |job: &GridJob| {
        let id = job.broken_by;
        let at = id.and_then(|id| columns.iter().position(|pipeline| pipeline.id == id));
        at.unwrap_or(usize::MAX)
    };
    let failures = |job: &GridJob| {
        let failed = ExecutionState::Ended(Outcome::Failed);
        let cells = job.cells.iter().flatten();
        cells.filter(|cell| cell.state == failed).count()
    };
    entry.grid.jobs.sort_by_cached_key(|job| {
        let is_failing = job.consecutive_failures > 0;
        let at = if is_failing { broken_at(job) } else { 0 };
        (
            !is_failing,
            at,
            std::cmp::Reverse(failures(job)),
            job.name.clone(),
        )
    });
}

fn other_refs(entry: &GridEntry, refs: &[RefStatus], now: Timestamp) -> Markup {
    let is_this = |it: &RefStatus| it.ref_name == entry.ref_name && it.track == entry.track;
    let others: Vec<_> = refs.iter().filter(|it| !is_this(it)).collect();
    html! {
        @if !others.is_empty() {
            h2 { "Other refs and tracks of this project" }
            (ref_list(&others, now))
        }
    }
}

/// Links to grids, the refs with the most failing jobs first.
fn ref_list(refs: &[&RefStatus], now: Timestamp) -> Markup {
    let mut refs = refs.to_vec();
    refs.sort_by_key(|it| {
        (
            std::cmp::Reverse(it.failing_jobs),
            it.ref_name.clone(),
            it.track.clone(),
        )
    });
    html! {
        ul.refs {
            @for it in refs.iter().take(LISTED_REFS) {
                li {
                    @let words = html! { bdi { (it.ref_name) } @if let Some(track) = &it.track { " · " bdi { (track) } } };
                    @match grid_path(&it.project, &it.ref_name, it.track.as_deref()) {
                        Some(path) => a href=(path) { (words) },
                        None => (words),
                    }
                    " " small {
                        @if it.failing_jobs > 0 { (it.failing_jobs) " of " }
                        (it.jobs) " jobs" @if it.failing_jobs > 0 { " failing" }
                        @if let Some(at) = it.last_pipeline { ", last pipeline " (super::format::ago(at, now)) }
                    }
                }
            }
        }
        @if refs.len() > LISTED_REFS { p.more { "and " (refs.len() - LISTED_REFS) " more" } }
    }
}

fn not_known(
    context: &Context,
    at: &GridPath,
    track: Option<&str>,
    refs: &[RefStatus],
) -> Response {
    let tracks: Vec<_> = refs
        .iter()
        .filter(|it| *it.ref_name == *at.ref_name)
        .collect();
    let found = html! {
        @match track.filter(|_| !tracks.is_empty()) {
            Some("") => p { "The ref " b { bdi { (at.ref_name) } } " has no pipelines without a track." },
            Some(track) => p { "The ref " b { bdi { (at.ref_name) } } " has no track " b { bdi { (track) } } "." },
            None if refs.is_empty() => p { "No ref of a project " b { bdi { (at.project) } } " is tracked here. Check the path: the project may have moved, or another exporter may watch it." },
            None => p { "No jobs of the ref " b { bdi { (at.ref_name) } } " of " b { bdi { (at.project) } } " are tracked. These are:" },
        }
        (ref_list(&refs.iter().collect::<Vec<_>>(), (context.now)()))
    };
    missing(context, Some(at), &found)
}

fn missing(context: &Context, at: Option<&GridPath>, found: &Markup) -> Response {
    missing_ref(context, "No such grid", at, found)
}

/// A page about a ref that is not there.
pub(super) fn missing_ref(
    context: &Context,
    title: &str,
    at: Option<&GridPath>,
    found: &Markup,
) -> Response {
    let content = html! {
        main { section.empty {
            h1 { (title) }
            (found)
            @if let Some(at) = at {
                p { a href=(PageQuery::of_project(&at.project).url(1)) { "Jobs of this project" } }
            }
            p { a href="/" { "All jobs" } }
        } }
    };
    uncached(StatusCode::NOT_FOUND, HTML, page(title, context, &content))
}

/// The parameters of the API.
struct GridListQuery {
    at: GridPath,
    track: Option<String>,
    paging: Paging,
}

impl GridListQuery {
    fn parse(query: &str) -> Result<Self, String> {
        let (mut project, mut ref_name, mut track) = (None, None, None);
        let mut paging = Paging {
            offset: 0,
            limit: PAGE_ROWS,
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "project" => project = Some(value.into_owned()),
                "ref" => ref_name = Some(value.into_owned()),
                "track" => track = Some(value.into_owned()),
                "limit" => paging.limit = listing::limit(&value, HIGHEST_LIMIT)?,
                "offset" => paging.offset = listing::offset(&value)?,
                key => {
                    return Err(unknown(
                        key,
                        &[&["project", "ref", "track", "limit", "offset"]],
                    ));
                }
            }
        }
        let given = |name: &str, value: Option<String>| {
            let value = value.filter(|value| !value.is_empty());
            value.ok_or_else(|| {
                format!(
                    "`{name}` is missing; {}",
                    address("/api/v1/grid", &[("project", "group/app"), ("ref", "main")])
                )
            })
        };
        Ok(Self {
            at: GridPath {
                project: given("project", project)?,
                ref_name: given("ref", ref_name)?,
            },
            track,
            paging,
        })
    }
}

pub(super) fn list(context: &Context, head: Head<'_>) -> Response {
    let GridListQuery { at, track, paging } = match GridListQuery::parse(head.query) {
        Ok(query) => query,
        Err(message) => return bad_request(&message),
    };
    let entry = context
        .status
        .grid(&at.project, &at.ref_name, track.as_deref(), PIPELINES);
    let Some(mut entry) = entry else {
        let message = format!(
            "no jobs of the ref `{}` of `{}` are tracked on this track; /api/v1/jobs?project=.. lists the refs of a project",
            at.ref_name, at.project
        );
        return json_body(StatusCode::NOT_FOUND, &json!({ "error": message }));
    };
    sort(&mut entry);
    json_body(StatusCode::OK, &grid_json(&entry, paging, (context.now)()))
}
