//! The query of the list of jobs, for its page and for the API.

use ci_history::{FailureClass, Timestamp};
use url::form_urlencoded;

use super::job_column::JobColumn;
use super::job_state::JobState;
use super::listing::{address, chosen, order};
use super::parameters::unknown;
use super::selection::{JobFilter, JobQuery, Paging};
use super::sorting::{Column as _, Sorting};

/// Jobs a page.
pub(super) const PAGE_JOBS: usize = 100;

/// The value of `track` for pipelines without one. No track can have this name.
pub(super) const NO_TRACK: &str = "(none)";

/// The parameters that select and order jobs.
pub(super) const PARAMETERS: [&str; 10] = [
    "q", "state", "project", "ref", "track", "team", "class", "sort", "order", "failing",
];

/// Which jobs, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) filter: JobFilter,
    column: Option<JobColumn>,
    descending: Option<bool>,
}

/// The wanted jobs, and the page of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageQuery {
    pub(super) wanted: Wanted,
    /// From 1.
    pub(super) page: usize,
    /// Parameters that cannot be read.
    pub(super) problems: Vec<String>,
}

impl Wanted {
    pub(super) fn all() -> Self {
        Self {
            filter: JobFilter::default(),
            column: None,
            descending: None,
        }
    }

    /// Reads one of [`PARAMETERS`]. An empty value asks for nothing; returns whether the key is one of them.
    ///
    /// # Errors
    ///
    /// The value that was found, and the possible ones.
    pub(super) fn read(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let filter = &mut self.filter;
        let given = (!value.is_empty()).then(|| value.to_owned());
        match key {
            "q" => value.trim().clone_into(&mut filter.text),
            "project" => filter.project = given,
            "ref" => filter.ref_name = given,
            "track" if value == NO_TRACK => filter.track = Some(String::new()),
            "track" => filter.track = given,
            "team" => filter.team = given,
            "state" => {
                let states = JobState::ALL.map(|state| (state.as_str(), state));
                filter.state = chosen(key, value, &states)?;
            }
            "class" => {
                let classes = FailureClass::ALL.map(|class| (class.as_str(), class));
                filter.class = chosen(key, value, &classes)?;
            }
            "failing" => {
                let choices = [("1", true), ("true", true), ("0", false), ("false", false)];
                if chosen(key, value, &choices)? == Some(true) {
                    filter.state = Some(JobState::Failing);
                }
            }
            "sort" => {
                let columns: Vec<_> = JobColumn::ALL.iter().map(|it| (it.key(), *it)).collect();
                self.column = chosen(key, value, &columns)?;
            }
            "order" => self.descending = order(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn sorting(&self) -> Sorting<JobColumn> {
        let sorting = Sorting::by(self.column.unwrap_or(JobColumn::Streak));
        Sorting {
            descending: self.descending.unwrap_or(sorting.descending),
            ..sorting
        }
    }

    pub(super) fn query(&self, paging: Paging, now: Timestamp) -> JobQuery {
        JobQuery {
            filter: self.filter.clone(),
            sorting: self.sorting(),
            paging,
            now,
        }
    }
}

impl PageQuery {
    pub(super) fn parse(query: &str) -> Self {
        let mut parsed = Self {
            wanted: Wanted::all(),
            page: 1,
            problems: Vec::new(),
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let read = match &*key {
                "page" => super::listing::page(&value).map(|page| {
                    parsed.page = page;
                    true
                }),
                key => parsed.wanted.read(key, &value),
            };
            match read {
                Ok(true) => {}
                Ok(false) => parsed
                    .problems
                    .push(unknown(&key, &[&PARAMETERS, &["page"]])),
                Err(problem) => parsed.problems.push(problem),
            }
        }
        parsed.problems.extend(parsed.wanted.filter.check().err());
        parsed
    }

    /// The jobs of a project.
    pub(super) fn of_project(project: &str) -> Self {
        let mut wanted = Wanted::all();
        wanted.filter.project = Some(project.to_owned());
        Self {
            wanted,
            page: 1,
            problems: Vec::new(),
        }
    }

    pub(super) fn paging(&self) -> Paging {
        Paging {
            offset: (self.page - 1).saturating_mul(PAGE_JOBS),
            limit: PAGE_JOBS,
        }
    }

    /// The URL of another page of the same jobs.
    pub(super) fn url(&self, page: usize) -> String {
        self.sorted_url(self.wanted.sorting(), page)
    }

    /// The URL of a page of the same jobs in another order.
    pub(super) fn sorted_url(&self, sorting: Sorting<JobColumn>, page: usize) -> String {
        let filter = &self.wanted.filter;
        let usual = Sorting::by(JobColumn::Streak);
        let track = filter.track.as_deref();
        let page = page.to_string();
        let natural = Sorting::by(sorting.column);
        address(
            "/",
            &[
                ("q", &filter.text),
                ("state", filter.state.map_or("", JobState::as_str)),
                ("project", filter.project.as_deref().unwrap_or_default()),
                ("ref", filter.ref_name.as_deref().unwrap_or_default()),
                (
                    "track",
                    track.map_or("", |name| if name.is_empty() { NO_TRACK } else { name }),
                ),
                ("team", filter.team.as_deref().unwrap_or_default()),
                ("class", filter.class.map_or("", FailureClass::as_str)),
                (
                    "sort",
                    if sorting == usual {
                        ""
                    } else {
                        sorting.column.key()
                    },
                ),
                (
                    "order",
                    if sorting == natural {
                        ""
                    } else {
                        sorting.direction()
                    },
                ),
                ("page", if page == "1" { "" } else { &page }),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_reads_back_as_its_query() {
        let query = PageQuery::parse(
            "q=+a%26b%3D%22ü&failing=1&page=3&track=%28none%29&team=x&class=timeout&sort=team&order=desc&ref=",
        );
        assert_eq!(query.problems, [""; 0]);
        assert_eq!(query.wanted.filter.text, "a&b=\"ü");
        assert_eq!(query.wanted.filter.state, Some(JobState::Failing));
        assert_eq!(query.wanted.filter.track.as_deref(), Some(""));
        assert_eq!(query.wanted.filter.ref_name, None);
        assert_eq!(query.paging().offset, 200);
        let next = query.url(4);
        assert_eq!(
            next,
            "/?q=a%26b%3D%22%C3%BC&state=failing&track=%28none%29&team=x&class=timeout&sort=team&order=desc&page=4"
        );
        let next = PageQuery::parse(next.strip_prefix("/?").unwrap());
        assert_eq!((next.page, next.wanted), (4, query.wanted));
        assert_eq!(PageQuery::parse("").url(1), "/");
        assert_eq!(
            PageQuery::parse("sort=streak&order=asc").url(1),
            "/?sort=streak&order=asc"
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_can_be() {
        for (query, wanted) in [
            ("page=0", "`page` is `0`, a whole number from 1 is wanted"),
            ("page=-1", "`page` is `-1`, a whole number from 1 is wanted"),
            (
                "failing=yes",
                "`failing` is `yes`, one of these is wanted: 1, true, 0, false",
            ),
            (
                "state=broken",
                "`state` is `broken`, one of these is wanted: failing, stuck, waiting, flaky, allowed_failure, gone",
            ),
            (
                "order=up",
                "`order` is `up`, one of these is wanted: asc, desc",
            ),
            (
                "stat=failing",
                "found the parameter `stat`, wanted q, state, project, ref, track, team, class, sort, order, failing, page",
            ),
        ] {
            let parsed = PageQuery::parse(query);
            assert_eq!(parsed.problems, [wanted], "{query}");
            assert_eq!(parsed.paging().offset, 0, "{query}");
        }
        let far = PageQuery::parse(&format!("page={}", usize::MAX));
        assert_eq!(far.paging().offset, usize::MAX);
    }
}
