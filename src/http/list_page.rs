//! A list whose rows are all at hand, as a page and as JSON.

use ci_history::Timestamp;
use http::StatusCode;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::api::{bad_request, json_body};
use super::context::{Context, Head};
use super::layout::{Tab, staleness_banner, tab_page};
use super::list_query::{Asker, ListQuery, Row};
use super::listing::{PAGE_ROWS, as_of, heading, pager, problem_list};
use super::response::{HTML, Response, uncached};
use super::sorting::Column as _;

/// What a list shows of its rows.
pub(super) trait ListRow: Row {
    const TITLE: &'static str;
    /// The name of the rows in JSON, and the class of the table.
    const NAME: &'static str;
    /// The label of the field for words.
    const SEARCHED: &'static str;
    /// Said where no row matches.
    const NO_MATCH: &'static str;

    /// Said where there is no row at all.
    fn none() -> Markup;

    fn json(&self) -> Value;

    /// The row of the table.
    fn markup(&self, now: Timestamp) -> Markup;
}

/// A list with an entry in the navigation.
pub(super) trait List: ListRow {
    const TAB: Tab;

    /// All rows.
    fn all(context: &Context, now: Timestamp) -> Vec<Self>;
}

/// Answers the API.
pub(super) fn list<R: List>(context: &Context, head: Head<'_>) -> Response {
    let query = ListQuery::<R>::parse(head.query, Asker::Api);
    if let Some(problem) = query.problems.first() {
        return bad_request(problem);
    }
    let now = (context.now)();
    let body = list_body(&query, R::all(context, now), now);
    json_body(StatusCode::OK, &body)
}

/// The wanted rows as every list of the API gives them.
pub(super) fn list_body<R: ListRow>(query: &ListQuery<R>, rows: Vec<R>, now: Timestamp) -> Value {
    let total = rows.len();
    let (rows, matching) = query.arranged(rows);
    json!({
        "as_of_timestamp_seconds": now,
        (R::NAME): rows.iter().map(ListRow::json).collect::<Vec<_>>(),
        "offset": query.paging.offset,
        "limit": query.paging.limit,
        "matching": matching,
        "total": total,
    })
}

/// Answers a browser.
pub(super) fn respond<R: List>(context: &Context, head: Head<'_>) -> Response {
    let query = ListQuery::<R>::parse(head.query, Asker::Page);
    let now = (context.now)();
    let content = html! {
        main {
            (staleness_banner(context))
            div.title { h1 { (R::TITLE) } (as_of(now, &query.url(query.page))) }
            (problem_list(&query.problems))
            (listed(&query, R::all(context, now), now))
        }
    };
    let code = if query.problems.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    uncached(code, HTML, tab_page(R::TITLE, R::TAB, context, &content))
}

/// The form, the wanted rows and the numbers of the pages.
pub(super) fn listed<R: ListRow>(query: &ListQuery<R>, all: Vec<R>, now: Timestamp) -> Markup {
    let is_empty = all.is_empty();
    let (rows, matching) = query.arranged(all);
    html! {
        @if is_empty {
            section.empty { p { (R::none()) } }
        } @else {
            (query.form(R::SEARCHED))
            @if rows.is_empty() { section.empty { p { (R::NO_MATCH) } } }
            @else { (table(&rows, query, now)) }
            (pager(query.page, matching, PAGE_ROWS, |page| query.url(page)))
        }
    }
}

fn table<R: ListRow>(rows: &[R], query: &ListQuery<R>, now: Timestamp) -> Markup {
    let sorting = query.sorting();
    html! {
        div.scroll tabindex="0" role="region" aria-label=(R::TITLE) {
            table class=(R::NAME) {
                thead { tr {
                    @for column in R::Column::ALL {
                        (heading(*column, sorting, |sorting| query.sorted_url(sorting, 1)))
                    }
                } }
                tbody { @for row in rows { (row.markup(now)) } }
            }
        }
    }
}
