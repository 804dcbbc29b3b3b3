//! What all lists share: reading parameters, addresses, headings that sort, and the numbers of pages.

use ci_history::Timestamp;
use maud::{Markup, html};
use url::form_urlencoded;

use super::sorting::{Column, Sorting};
use crate::base::human::utc;

/// Rows a page.
pub(super) const PAGE_ROWS: usize = 100;

/// Characters of a wrong value that are repeated.
const LONGEST_REPEATED: usize = 100;

/// More rows than any list has.
const HIGHEST_OFFSET: usize = 1_000_000_000;

/// Pages beside the current one that the pager links to.
const NEIGHBOURS: usize = 2;

/// One of the possible values, or none for an empty one.
///
/// # Errors
///
/// The value that was found, and the possible ones.
pub(super) fn chosen<T: Copy>(
    key: &str,
    value: &str,
    choices: &[(&str, T)],
) -> Result<Option<T>, String> {
    if value.is_empty() {
        return Ok(None);
    }
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == value) {
        return Ok(Some(*choice));
    }
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    Err(format!(
        "`{key}` is `{}`, one of these is wanted: {names}",
        cut(value)
    ))
}

/// A direction; whether it descends.
pub(super) fn order(value: &str) -> Result<Option<bool>, String> {
    chosen("order", value, &[("asc", false), ("desc", true)])
}

/// The number of a page, from 1.
pub(super) fn page(value: &str) -> Result<usize, String> {
    let number = value.parse().ok().filter(|page| *page > 0);
    number.ok_or_else(|| {
        format!(
            "`page` is `{}`, a whole number from 1 is wanted",
            cut(value)
        )
    })
}

/// The most rows of an answer.
pub(super) fn limit(value: &str, highest: usize) -> Result<usize, String> {
    let number = value.parse().ok();
    let number = number.filter(|limit| (1..=highest).contains(limit));
    number.ok_or_else(|| {
        let found = cut(value);
        format!("`limit` is `{found}`, a whole number from 1 to {highest} is wanted")
    })
}

/// The rows before an answer.
pub(super) fn offset(value: &str) -> Result<usize, String> {
    let number = value.parse().ok();
    let number = number.filter(|offset| *offset <= HIGHEST_OFFSET);
    number.ok_or_else(|| {
        let found = cut(value);
        format!("`offset` is `{found}`, a whole number from 0 to {HIGHEST_OFFSET} is wanted")
    })
}

/// A value that is repeated in a message.
pub(super) fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST_REPEATED).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// A path with the parameters that are not empty.
pub(super) fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let given = parameters.iter().filter(|(_, value)| !value.is_empty());
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.extend_pairs(given).finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// Says which parameters could not be read.
pub(super) fn problem_list(problems: &[String]) -> Markup {
    html! {
        @if !problems.is_empty() {
            section.problems role="alert" {
                p { b { "The address has parameters that cannot be read. The list below is without them." } }
                ul { @for problem in problems { li { bdi { (problem) } } } }
            }
        }
    }
}

/// The time of the page, and a link to a newer one.
pub(super) fn as_of(now: Timestamp, here: &str) -> Markup {
    let utc = utc(now.unix());
    html! {
        p.as-of { "As of " time datetime=(utc) { (utc) } " · " a href=(here) { "Refresh" } }
    }
}

/// The heading of a column that sorts by it.
pub(super) fn heading<C: Column>(
    column: C,
    sorting: Sorting<C>,
    address: impl Fn(Sorting<C>) -> String,
) -> Markup {
    let is_current = sorting.column == column;
    let direction = match (is_current, sorting.descending) {
        (false, _) => None,
        (true, true) => Some(("descending", "▼")),
        (true, false) => Some(("ascending", "▲")),
    };
    html! {
        th scope="col" aria-sort=[direction.map(|(word, _)| word)] {
            a.sort href=(address(sorting.clicked(column))) {
                (column.words())
                @if let Some((_, sign)) = direction { " " span aria-hidden="true" { (sign) } }
            }
        }
    }
}

/// The fields of a form that choose column and direction.
pub(super) fn sort_fields<C: Column>(sorting: Sorting<C>) -> Markup {
    html! {
        label { span { "Sort by" }
            select name="sort" {
                @for column in C::ALL {
                    option value=(column.key()) selected[*column == sorting.column] { (column.words()) }
                }
            }
        }
        label { span { "Order" }
            select name="order" {
                option value="asc" selected[!sorting.descending] { "ascending" }
                option value="desc" selected[sorting.descending] { "descending" }
            }
        }
    }
}

/// The numbers of the pages around the current one, with the first and the last.
pub(super) fn pager(
    current: usize,
    rows: usize,
    page_rows: usize,
    address: impl Fn(usize) -> String,
) -> Markup {
    let pages = rows.div_ceil(page_rows).max(1);
    let first = (current - 1).saturating_mul(page_rows).saturating_add(1);
    let last = rows.min(first.saturating_add(page_rows - 1));
    html! {
        nav.pager aria-label="Pages" {
            @if first <= rows { span { (first) " to " (last) " of " (rows) } }
            @if pages > 1 || current > pages {
                @if current > 1 {
                    a rel="prev" href=(address(current.min(pages + 1) - 1)) { "← Previous" }
                }
                @for entry in numbers(current, pages) {
                    @match entry {
                        None => span aria-hidden="true" { "…" },
                        Some(page) if page == current => b aria-current="page" { (page) },
                        Some(page) => a href=(address(page)) aria-label={ "Page " (page) } { (page) },
                    }
                }
                @if current < pages { a rel="next" href=(address(current + 1)) { "Next →" } }
            }
        }
    }
}

/// `None` stands for pages that are left out.
fn numbers(current: usize, pages: usize) -> Vec<Option<usize>> {
    let near = current.saturating_sub(NEIGHBOURS)..=current.saturating_add(NEIGHBOURS);
    let mut numbers = Vec::new();
    let mut last = 0;
    let middle = near.filter(|page| (2..pages).contains(page));
    for page in [1]
        .into_iter()
        .chain(middle)
        .chain((pages > 1).then_some(pages))
    {
        if page > last + 1 {
            numbers.push(None);
        }
        numbers.push(Some(page));
        last = page;
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_has_the_first_the_last_and_the_near_pages() {
        let shown = |current, pages| {
            let numbers = numbers(current, pages).into_iter();
            let words = numbers.map(|page| page.map_or("…".to_owned(), |page| page.to_string()));
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown(1, 1), "1");
        assert_eq!(shown(1, 2), "1 2");
        assert_eq!(shown(1, 200), "1 2 3 … 200");
        assert_eq!(shown(100, 200), "1 … 98 99 100 101 102 … 200");
        assert_eq!(shown(200, 200), "1 … 198 199 200");
        assert_eq!(shown(usize::MAX, 3), "1 … 3");
    }

    #[test]
    fn an_address_has_what_is_asked_for_and_no_more() {
        assert_eq!(address("/", &[("q", ""), ("page", "")]), "/");
        assert_eq!(
            address("/x", &[("q", "a b"), ("r", "ü&")]),
            "/x?q=a+b&r=%C3%BC%26"
        );
    }
}
