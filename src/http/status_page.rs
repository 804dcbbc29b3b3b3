//! `GET /status` and `GET /api/v1/status`: how the exporter itself is. Problems come first.

use http::StatusCode;
use maud::{Markup, html};

use super::api::json_body;
use super::context::{Context, Head};
use super::format::{ago, breakable, with_code};
use super::layout::{Tab, tab_page};
use super::listing::as_of;
use super::query::PageQuery;
use super::response::{HTML, Response, uncached};
use super::status_panels::panels;
use super::status_problems::problems;
use super::status_view::{LimitView, Severity, StatusView};
use crate::base::human::{bytes, thousands};
use crate::base::label::Label as _;
use crate::metrics::Limit;

/// Errors that the page lists. The API gives all.
const LISTED_ERRORS: usize = 100;

/// Answers the API.
pub(super) fn give(context: &Context, _: Head<'_>) -> Response {
    json_body(StatusCode::OK, &view_of(context))
}

/// Answers a browser.
pub(super) fn respond(context: &Context, _: Head<'_>) -> Response {
    let view = view_of(context);
    let content = html! {
        main.status-page {
            div.title { h1 { "Status" } (as_of(view.now, "/status")) }
            (problem_list(&view))
            (panels(&view))
            (error_list(&view))
            (limit_table(&view.limits))
            (configuration(&view))
        }
    };
    let page = tab_page("Status", Tab::Status, context, &content);
    uncached(StatusCode::OK, HTML, page)
}

fn view_of(context: &Context) -> StatusView {
    let mut view = StatusView::of(context);
    view.problems = problems(&view);
    view
}

fn problem_list(view: &StatusView) -> Markup {
    html! {
        @if view.problems.is_empty() {
            p.all-well { span.badge.good { "✓ No problem" } " The exporter does what its configuration says." }
        } @else {
            section.troubles aria-label="Problems" {
                ul {
                    @for problem in &view.problems {
                        li {
                            @match problem.severity {
                                Severity::Critical => span.badge.bad { "✕ Critical" },
                                Severity::Warning => span.badge { "! Warning" },
                            }
                            " " b { bdi { (with_code(&problem.what)) } "." }
                            " " (with_code(&problem.advice))
                        }
                    }
                }
            }
        }
    }
}

fn error_list(view: &StatusView) -> Markup {
    let left_out = view.errors.len().saturating_sub(LISTED_ERRORS);
    html! {
        h2 { "Last errors of projects" }
        @if view.errors.is_empty() {
            p.faint { "No poll has failed since the start." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Last errors of projects" {
                table.plain {
                    thead { tr { th scope="col" { "Project" } th scope="col" { "Now" } th scope="col" { "When" } th scope="col" { "Error" } } }
                    tbody {
                        @for error in view.errors.iter().take(LISTED_ERRORS) {
                            tr {
                                th.name scope="row" { a href=(PageQuery::of_project(&error.project).url(1)) { (breakable(&error.project)) } }
                                td { @if error.over { span.badge.good { "✓ Over" } } @else { span.badge.bad { "✕ Failing" } } }
                                td { (ago(error.at, view.now)) }
                                td.long { bdi { (error.message) } }
                            }
                        }
                    }
                }
            }
            @if left_out > 0 { p.more { "and " (left_out) " more" } }
        }
    }
}

fn limit_table(limits: &[LimitView]) -> Markup {
    html! {
        h2 { "Limits" }
        div.scroll tabindex="0" role="region" aria-label="Limits" {
            table.plain {
                thead { tr { th scope="col" { "Limit" } th.number scope="col" { "At most" } th.number scope="col" { "Highest use" } th scope="col" { "Of" } th scope="col" { "Reached" } th.number scope="col" { "Left out since the start" } } }
                tbody {
                    @for limit in limits {
                        tr {
                            th.name scope="row" { code { (limit.key.unwrap_or(limit.limit)) } }
                            td.number data-label="At most" { @match limit.most { Some(most) => (amount(limit, most)), None => span.faint { "fixed" } } }
                            td.number data-label="Highest use" { @match limit.used { Some(used) => (amount(limit, used)), None => span.faint { "not counted" } } }
                            td.long { @if let Some(name) = &limit.used_by { bdi { (name) } } }
                            td { @if limit.reached { span.badge.bad { "✕ Reached" } } @else { span.badge.good { "✓ No" } } }
                            td.number data-label="Left out" { (thousands(limit.reached_total)) }
                        }
                    }
                }
            }
        }
    }
}

fn amount(limit: &LimitView, number: usize) -> String {
    if limit.limit == Limit::ListingBytes.as_str() {
        bytes(number)
    } else {
        thousands(number)
    }
}

fn configuration(view: &StatusView) -> Markup {
    html! {
        h2 { "Configuration in force" }
        p.faint { "Without secrets. Keys that are not given have their defaults." }
        details {
            summary { "All " (view.configuration.len()) " keys" }
            div.scroll tabindex="0" role="region" aria-label="Configuration in force" {
                table.plain {
                    thead { tr { th scope="col" { "Key" } th scope="col" { "Value" } th scope="col" { "From" } } }
                    tbody {
                        @for setting in &view.configuration {
                            tr {
                                th.name scope="row" { code { (setting.key) } }
                                td.long { @if let Some(value) = &setting.value { code { bdi { (value) } } } @else { span.faint { "none" } } }
                                td data-label="From" { (setting.source) }
                            }
                        }
                    }
                }
            }
        }
    }
}
