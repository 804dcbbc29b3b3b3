//! The query of the status page.

use url::form_urlencoded;

use super::selection::{JobFilter, Paging};

/// Jobs a page.
pub(super) const PAGE_JOBS: usize = 100;

/// The wanted jobs, and the page of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageQuery {
    pub(super) filter: JobFilter,
    /// From 1.
    pub(super) page: usize,
}

impl PageQuery {
    /// Reads `q`, `failing` and `page`, and ignores a value that fails to parse.
    pub(super) fn parse(query: &str) -> Self {
        let mut parsed = Self {
            filter: JobFilter::default(),
            page: 1,
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "q" => value.trim().clone_into(&mut parsed.filter.text),
                "failing" => parsed.filter.failing_only = value == "1",
                "page" => parsed.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        parsed
    }

    pub(super) fn paging(&self) -> Paging {
        Paging {
            offset: (self.page - 1).saturating_mul(PAGE_JOBS),
            limit: PAGE_JOBS,
        }
    }

    /// The URL of another page of the same jobs.
    pub(super) fn url(&self, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::for_suffix(String::from("/?"), 2);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_reads_back_as_its_query() {
        let query = PageQuery::parse("q=+a%26b%3D%22ü&failing=1&page=3&unknown=x");
        assert_eq!(query.filter.text, "a&b=\"ü");
        assert!(query.filter.failing_only);
        assert_eq!(query.paging().offset, 200);
        let next = query.url(4);
        assert_eq!(next, "/?q=a%26b%3D%22%C3%BC&failing=1&page=4");
        let next = PageQuery::parse(next.strip_prefix("/?").unwrap());
        assert_eq!((next.page, next.filter), (4, query.filter));
    }

    #[test]
    fn nonsense_asks_for_the_first_page() {
        for query in ["", "page=0", "page=-1", "page=x", "&&=", "%", "failing=yes"] {
            let parsed = PageQuery::parse(query);
            assert_eq!(parsed.paging().offset, 0, "{query}");
            assert_eq!(parsed.filter, JobFilter::default(), "{query}");
        }
        let far = PageQuery::parse(&format!("page={}", usize::MAX));
        assert_eq!(far.paging().offset, usize::MAX);
    }
}
