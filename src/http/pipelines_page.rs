//! `GET /refs/..` and `GET /api/v1/pipelines`: the kept pipelines of a ref, the newest first.

use http::StatusCode;
use maud::{Markup, html};
use serde_json::json;

use super::api::{bad_request, json_body};
use super::context::{Context, Head};
use super::format::ago;
use super::grid_page::missing_ref;
use super::grid_path::{GridPath, grid_path, pipelines_path};
use super::layout::{page, staleness_banner};
use super::list_page::{list_body, listed};
use super::list_query::{Asker, ListQuery, Place};
use super::listing::{address, as_of, problem_list};
use super::pipelines_row::ListedPipeline;
use super::query::PageQuery;
use super::response::{HTML, Response, uncached};
use super::status::{RefPipelines, RefStatus};

/// The path of the API.
const API_PATH: &str = "/api/v1/pipelines";

/// Answers a browser.
pub(super) fn respond(context: &Context, head: Head<'_>) -> Response {
    let place = Place {
        path: head.path.to_owned(),
        names: &["track"],
    };
    let query = ListQuery::<ListedPipeline>::parse_at(place, head.query, Asker::Page);
    let Some(at) = GridPath::of_pipelines(head.path) else {
        let found = html! {
            p { "The address does not name a project and a ref. The pipelines of a ref are at " code { "/refs/<project>/-/<ref>" } ", for example " code { "/refs/group/app/-/main" } "." }
        };
        return missing_ref(context, "No such ref", None, &found);
    };
    let track = query.fixed("track");
    let Some(found) = context.status.pipelines(&at.project, &at.ref_name, track) else {
        let found = html! {
            p { "No pipelines of the ref " b { bdi { (at.ref_name) } } " of " b { bdi { (at.project) } } " are kept" @if track.is_some() { " on this track" } "." }
            p { "The project may not be watched here, or have moved; the ref may not be watched, or without activity for " code { "retention" } "." }
        };
        return missing_ref(context, "No such ref", Some(&at), &found);
    };
    let code = if query.problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let title = format!("Pipelines of {} · {}", found.ref_name, found.project);
    uncached(
        code,
        HTML,
        page(&title, context, &content(context, found, &query)),
    )
}

fn content(context: &Context, found: RefPipelines, query: &ListQuery<ListedPipeline>) -> Markup {
    let now = (context.now)();
    let red = red(context, &found);
    let track = found.track.as_deref();
    let grid = grid_path(&found.project, &found.ref_name, track);
    html! {
        main {
            (staleness_banner(context))
            nav.crumbs aria-label="Where this is" {
                a href="/" { "All jobs" } " / "
                a href=(PageQuery::of_project(&found.project).url(1)) { bdi { (found.project) } }
                @if let Some(grid) = &grid { " · " a href=(grid) { "Grid" } }
            }
            div.title {
                h1 { "Pipelines of " bdi { (found.ref_name) } @if let Some(track) = track { " · " bdi { (track) } } }
                (as_of(now, &query.url(query.page)))
            }
            p.state {
                @match &red {
                    Some(it) if it.failed_pipelines > 0 => {
                        span.badge.bad { "✕ Red" }
                        " " (it.failed_pipelines) @if it.failed_pipelines == 1 { " failed pipeline" } @else { " failed pipelines in a row" }
                        @if let Some(since) = it.red_since { ", since " (ago(since, now)) }
                    },
                    Some(it) if it.last_pipeline.is_some() => span.badge.good { "✓ Green" },
                    _ => span.faint { "No pipeline has ended yet." },
                }
            }
            (problem_list(&query.problems))
            (listed(query, ListedPipeline::all(found), now))
        }
    }
}

/// How the pipelines of the ref end.
fn red(context: &Context, found: &RefPipelines) -> Option<RefStatus> {
    let mut refs = context.status.refs().into_iter();
    refs.find(|it| {
        it.project == found.project && it.ref_name == found.ref_name && it.track == found.track
    })
}

/// Answers the API.
pub(super) fn list(context: &Context, head: Head<'_>) -> Response {
    let place = Place {
        path: API_PATH.to_owned(),
        names: &["project", "ref", "track"],
    };
    let query = ListQuery::<ListedPipeline>::parse_at(place, head.query, Asker::Api);
    if let Some(problem) = query.problems.first() {
        return bad_request(problem);
    }
    let given = |name: &str| {
        let value = query.fixed(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| {
            let example = address(API_PATH, &[("project", "group/app"), ("ref", "main")]);
            format!("`{name}` is missing, wanted for example {example}")
        })
    };
    let (project, ref_name) = match (given("project"), given("ref")) {
        (Ok(project), Ok(ref_name)) => (project, ref_name),
        (Err(message), _) | (_, Err(message)) => return bad_request(&message),
    };
    let found = context
        .status
        .pipelines(project, ref_name, query.fixed("track"));
    let Some(found) = found else {
        let message = format!(
            "no pipelines of the ref `{ref_name}` of `{project}` are kept on this track; /api/v1/jobs?project=.. lists the refs of a project"
        );
        return json_body(StatusCode::NOT_FOUND, &json!({ "error": message }));
    };
    let red = red(context, &found);
    let mut head = json!({
        "project": found.project,
        "ref": found.ref_name,
        "track": found.track,
        "page": pipelines_path(&found.project, &found.ref_name, found.track.as_deref()),
        "consecutive_failures": red.as_ref().map_or(0, |it| it.failed_pipelines),
        "failing_since_timestamp_seconds": red.and_then(|it| it.red_since),
    });
    let rows = list_body(&query, ListedPipeline::all(found), (context.now)());
    if let (Some(head), serde_json::Value::Object(rows)) = (head.as_object_mut(), rows) {
        head.extend(rows);
    }
    json_body(StatusCode::OK, &head)
}
