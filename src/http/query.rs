//! What the status page's address asks for.

use url::form_urlencoded;

use super::selection::{JobFilter, Paging};

/// Jobs a page.
pub(super) const PAGE_JOBS: usize = 100;

/// What the address asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) filter: JobFilter,
    /// From 1.
    pub(super) page: usize,
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
                "q" => value.trim().clone_into(&mut parsed.filter.text),
                "failing" => parsed.filter.failing_only = value == "1",
                "page" => parsed.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        parsed
    }

    /// The part of the jobs that is asked for.
    pub(super) fn paging(&self) -> Paging {
        Paging {
            offset: (self.page - 1).saturating_mul(PAGE_JOBS),
            limit: PAGE_JOBS,
        }
    }

    /// The address of another page of the same.
    pub(super) fn address(&self, page: usize) -> String {
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
    fn an_address_reads_back_as_what_it_was_made_of() {
        let query = Query::parse("q=+a%26b%3D%22ü&failing=1&page=3&unknown=x");
        assert_eq!(query.filter.text, "a&b=\"ü");
        assert!(query.filter.failing_only);
        assert_eq!(query.paging().offset, 200);
        let next = query.address(4);
        assert_eq!(next, "/?q=a%26b%3D%22%C3%BC&failing=1&page=4");
        let next = Query::parse(next.strip_prefix("/?").unwrap());
        assert_eq!((next.page, next.filter), (4, query.filter));
    }

    #[test]
    fn nonsense_asks_for_the_first_page() {
        for query in ["", "page=0", "page=-1", "page=x", "&&=", "%", "failing=yes"] {
            let parsed = Query::parse(query);
            assert_eq!(parsed.paging().offset, 0, "{query}");
            assert_eq!(parsed.filter, JobFilter::default(), "{query}");
        }
        let far = Query::parse(&format!("page={}", usize::MAX));
        assert_eq!(far.paging().offset, usize::MAX);
    }
}
