//! GitLab's offset pagination.

use super::query::Query;

/// GitLab's default page size.
const DEFAULT_PER_PAGE: usize = 20;
/// GitLab's maximum page size.
const MAX_PER_PAGE: usize = 100;
/// Number of rows above which GitLab omits the totals.
const COUNTED_ROWS: usize = 10_000;

/// The requested page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    number: usize,
    size: usize,
}

impl Page {
    pub(super) fn from_query(query: &Query) -> Self {
        let read = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
        Self {
            number: read("page").unwrap_or(1).max(1),
            size: read("per_page")
                .unwrap_or(DEFAULT_PER_PAGE)
                .clamp(1, MAX_PER_PAGE),
        }
    }

    /// The rows of this page.
    pub(super) fn cut<T>(self, rows: Vec<T>) -> Vec<T> {
        let skipped = (self.number - 1).saturating_mul(self.size);
        rows.into_iter().skip(skipped).take(self.size).collect()
    }

    /// The `x-*` and `Link` headers for a list of `total` rows at `url`.
    pub(super) fn headers(
        self,
        total: usize,
        url: &str,
        query: &Query,
    ) -> Vec<(&'static str, String)> {
        let pages = total.div_ceil(self.size).max(1);
        let next = (self.number < pages).then_some(self.number + 1);
        let previous = (self.number > 1).then(|| self.number - 1);
        let number = |page: Option<usize>| page.map_or_else(String::new, |page| page.to_string());
        let mut headers = vec![
            ("x-page", self.number.to_string()),
            ("x-per-page", self.size.to_string()),
            ("x-next-page", number(next)),
            ("x-prev-page", number(previous)),
        ];
        let counted = total <= COUNTED_ROWS;
        if counted {
            headers.push(("x-total", total.to_string()));
            headers.push(("x-total-pages", pages.to_string()));
        }
        let link = |page: usize, relation: &str| {
            let query = query.with_page(page, self.size);
            format!("<{url}?{query}>; rel=\"{relation}\"")
        };
        let mut links = Vec::new();
        links.extend(previous.map(|page| link(page, "prev")));
        links.extend(next.map(|page| link(page, "next")));
        links.push(link(1, "first"));
        if counted {
            links.push(link(pages, "last"));
        }
        headers.push(("link", links.join(", ")));
        headers
    }
}
