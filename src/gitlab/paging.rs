//! Following a list to its end, page by page.

use std::collections::HashSet;

use gitlab::api::Endpoint as GitlabEndpoint;
use serde_json::value::RawValue;
use url::Url;

use super::answer;
use super::error::Error;
use super::fault::Fault;
use super::record::{Identified, Listing, Rejected};
use super::transport::Call;

/// GitLab gives at most this many records on a page.
const LARGEST_PAGE: usize = 100;
/// A list of 100,000 records; more is a loop or a mistake.
const MOST_PAGES: usize = 1000;

/// How much of a listing is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// Items at most; the first ones.
    pub(super) items: Option<usize>,
    /// Pages after which no more items are looked for.
    pub(super) pages: Option<usize>,
}

impl Limit {
    /// Everything.
    pub(super) const ALL: Self = Self {
        items: None,
        pages: None,
    };

    /// Only so many items.
    pub(super) fn first(items: usize) -> Self {
        Self {
            items: Some(items),
            ..Self::ALL
        }
    }
}

impl Call<'_> {
    /// The address of an endpoint with its parameters.
    pub(super) fn url_of(&self, endpoint: &impl GitlabEndpoint) -> Result<Url, Error> {
        let mut url = endpoint
            .url_base()
            .endpoint_for(self, &endpoint.endpoint())
            .map_err(|error| self.own(self.transport.api(), error))?;
        endpoint.parameters().add_to_url(&mut url);
        if url.query() == Some("") {
            url.set_query(None);
        }
        Ok(url)
    }

    /// All records of a list, at most `at_most`, each decoded by itself.
    pub(super) async fn list<T: Identified>(
        &self,
        endpoint: &(impl GitlabEndpoint + Sync),
        limit: Limit,
        decode: fn(&RawValue) -> Result<T, Rejected>,
    ) -> Result<Listing<T>, Error> {
        self.list_wanted(endpoint, limit, decode, &|_| true).await
    }

    /// All records of a list that grows at its head, newest first, while its pages are read. What comes
    /// new moves an older record to the next page, where it comes a second time; the first page is read
    /// once more then, so that nothing is missed that is newer than what the other pages tell.
    pub(super) async fn list_growing<T: Identified>(
        &self,
        endpoint: &(impl GitlabEndpoint + Sync),
        decode: fn(&RawValue) -> Result<T, Rejected>,
    ) -> Result<Listing<T>, Error> {
        let (mut listing, has_grown) = self.pages(endpoint, Limit::ALL, decode, &|_| true).await?;
        if has_grown {
            let first_page = Limit {
                pages: Some(1),
                ..Limit::ALL
            };
            listing.renew(self.list(endpoint, first_page, decode).await?);
        }
        Ok(listing)
    }

    /// As [`Call::list`]; the limit is on the wanted ones, and only they are returned.
    pub(super) async fn list_wanted<T: Identified>(
        &self,
        endpoint: &(impl GitlabEndpoint + Sync),
        limit: Limit,
        decode: fn(&RawValue) -> Result<T, Rejected>,
        is_wanted: &(dyn Fn(&T) -> bool + Send + Sync),
    ) -> Result<Listing<T>, Error> {
        let pages = self.pages(endpoint, limit, decode, is_wanted).await?;
        Ok(pages.0)
    }

    /// The records, and whether one came on two pages.
    async fn pages<T: Identified>(
        &self,
        endpoint: &(impl GitlabEndpoint + Sync),
        limit: Limit,
        decode: fn(&RawValue) -> Result<T, Rejected>,
        is_wanted: &(dyn Fn(&T) -> bool + Send + Sync),
    ) -> Result<(Listing<T>, bool), Error> {
        let wanted = limit.items.unwrap_or(usize::MAX);
        let mut listing = Listing::new();
        let mut came_twice = false;
        let mut seen = HashSet::new();
        let mut visited = HashSet::new();
        let mut next = (wanted > 0).then_some(self.first_page(endpoint, wanted)?);
        while let Some(url) = next {
            let answer = self.get(&url).await?;
            {
                // A byte that is no UTF-8 spoils the name it stands in, not the page.
                let text = String::from_utf8_lossy(answer.body());
                let records: Vec<&RawValue> = serde_json::from_str(&text).map_err(|_| {
                    let found = answer::excerpt(&text);
                    let fault = Fault::Unexpected(format!("wanted a list, found {found}"));
                    self.error(&url, 1, fault)
                })?;
                came_twice |= listing.extend(&records, &mut seen, decode);
            }
            listing.items.retain(is_wanted);
            if listing.items.len() >= wanted {
                listing.items.truncate(wanted);
                break;
            }
            if limit.pages.is_some_and(|pages| visited.len() + 1 >= pages) {
                break;
            }
            next = answer::next_page(&url, &answer, |url| self.transport.is_ours(url))
                .map_err(|fault| self.error(&url, 1, fault))?;
            visited.insert(String::from(url));
            self.check_progress(&visited, next.as_ref())?;
        }
        Ok((listing, came_twice))
    }

    fn first_page(&self, endpoint: &impl GitlabEndpoint, wanted: usize) -> Result<Url, Error> {
        let mut url = self.url_of(endpoint)?;
        let size = wanted.clamp(1, LARGEST_PAGE).to_string();
        url.query_pairs_mut().append_pair("per_page", &size);
        Ok(url)
    }

    fn check_progress(&self, visited: &HashSet<String>, next: Option<&Url>) -> Result<(), Error> {
        let Some(next) = next else { return Ok(()) };
        let detail = if visited.contains(next.as_str()) {
            "a page was said to come next that was read already".to_owned()
        } else if visited.len() >= MOST_PAGES {
            format!("more than {MOST_PAGES} pages")
        } else {
            return Ok(());
        };
        Err(self.error(next, 1, Fault::Paging(detail)))
    }
}
