//! Following a list to its end, page by page.
//!
//! By hand: the crate's paged queries stop at a short page, drop the headers of a 429, lose a page with
//! one bad record, and end where a proxy removes the headers about pages.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use gitlab::api::{Endpoint as GitlabEndpoint, Pageable};
use http::Response;
use url::Url;

use super::answer;
use super::call::{Call, check_json, lane_of};
use super::error::Error;
use super::error_kind::ErrorKind;
use super::listing::{Decoded, Listing, Pages};
use super::next_page::{self, NextPage, next_page};
use super::record::{ListError, Record, decode_list};

/// GitLab gives at most this many records on a page.
const LARGEST_PAGE: u64 = 100;
/// More on full pages are a loop or a mistake.
const MOST_RECORDS: u64 = 100_000;

/// Records of a growing list that are read.
const MOST_GROWING: usize = 20_000;

/// How much of a listing is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// The first ones.
    pub(super) items: usize,
    /// Pages after which no more items are looked for.
    pub(super) pages: usize,
}

impl Limit {
    /// Everything.
    pub(super) const ALL: Self = Self {
        items: usize::MAX,
        pages: usize::MAX,
    };
}

impl Call<'_> {
    /// The records of a list, each decoded by itself. A list of more bytes than are read is an error.
    pub(super) async fn list<R: Record + Send>(
        &self,
        endpoint: &(impl GitlabEndpoint + Pageable + Sync),
        limit: Limit,
    ) -> Result<Listing<R>, Error> {
        let pages = self.pages(endpoint, limit, &|_| true).await?;
        self.check_whole(endpoint, &pages)?;
        Ok(pages.into())
    }

    /// The wanted records of a list, as many as the limit says. None are looked for beyond the bytes that are read.
    pub(super) async fn list_wanted<R: Record + Send>(
        &self,
        endpoint: &(impl GitlabEndpoint + Pageable + Sync),
        limit: Limit,
        is_wanted: &(dyn Fn(&R) -> bool + Send + Sync),
    ) -> Result<Listing<R>, Error> {
        Ok(self.pages(endpoint, limit, is_wanted).await?.into())
    }

    /// All records of a list that grows at its head, newest first, while its pages are read. A new record
    /// moves an older one to the next page, where it comes a second time; the first page is read once
    /// more then, so that no record is missed that is newer than the other pages. Of a longer list than any
    /// real one, the oldest records are left out.
    pub(super) async fn list_growing<R: Record + Send>(
        &self,
        endpoint: &(impl GitlabEndpoint + Pageable + Sync),
    ) -> Result<Pages<R>, Error> {
        let limit = Limit {
            items: MOST_GROWING,
            ..Limit::ALL
        };
        let mut pages = self.pages(endpoint, limit, &|_| true).await?;
        if pages.len() >= MOST_GROWING {
            pages.is_cut = true;
            self.transport.metrics.jobs_cut();
        }
        if pages.came_twice {
            let first_page = Limit {
                pages: 1,
                ..Limit::ALL
            };
            pages.renew(self.pages(endpoint, first_page, &|_| true).await?);
        }
        Ok(pages)
    }

    pub(super) async fn pages<R: Record + Send>(
        &self,
        endpoint: &(impl GitlabEndpoint + Pageable + Sync),
        limit: Limit,
        is_wanted: &(dyn Fn(&R) -> bool + Send + Sync),
    ) -> Result<Pages<R>, Error> {
        let mut pages = Pages::default();
        let mut visited = HashSet::new();
        let mut next = (limit.items > 0).then_some(self.first_page(endpoint, limit.items)?);
        let mut is_announced = false;
        while let Some(url) = next {
            let page = self.page_said_to_be(is_announced, url).await?;
            let (size, count) = (next_page::size(&page.url), page.records.len());
            self.count_bytes(&mut pages, page.bytes);
            let brought_new = pages.extend(page.records);
            let is_complete = pages.retain(limit.items, is_wanted);
            if is_complete || visited.len() + 1 >= limit.pages {
                break;
            }
            let is_full = size.is_some_and(|size| count as u64 >= size);
            let following = page.next.map_err(|kind| self.error(&page.url, 1, kind))?;
            is_announced = matches!(following, NextPage::At(_));
            next = match following {
                NextPage::At(url) => Some(url),
                // A server that ignores the number of the page repeats its records.
                NextPage::Unknown if is_full && brought_new => {
                    Some(next_page::counted_on(&page.url))
                }
                NextPage::Unknown | NextPage::None => None,
            };
            visited.insert(String::from(page.url));
            self.check_progress(&visited, next.as_ref())?;
            if next.is_some() && self.is_full(&mut pages) {
                break;
            }
        }
        Ok(pages)
    }

    /// Counts the bytes of one more page.
    pub(super) fn count_bytes<R>(&self, pages: &mut Pages<R>, bytes: usize) {
        pages.bytes += bytes;
        let largest = &self.transport.largest_listing;
        largest.fetch_max(pages.bytes, Ordering::Relaxed);
    }

    /// Whether no further page is read, because the pages so far have all the bytes that are allowed.
    pub(super) fn is_full<R>(&self, pages: &mut Pages<R>) -> bool {
        let is_full = pages.bytes >= self.transport.max_listing_bytes;
        if is_full {
            pages.is_cut = true;
            self.transport.metrics.listing_cut(&self.subject);
        }
        is_full
    }

    /// The error of a list that was cut, where its first part is of no use.
    pub(super) fn check_whole<R>(
        &self,
        endpoint: &impl GitlabEndpoint,
        pages: &Pages<R>,
    ) -> Result<(), Error> {
        if !pages.is_cut {
            return Ok(());
        }
        let limit = self.transport.max_listing_bytes;
        let kind = ErrorKind::ListingTooLarge { limit };
        Err(self.error(&self.url_of(endpoint)?, 1, kind))
    }

    /// One page, or its first part if the whole page is too large.
    pub(super) async fn page<R: Record + Send>(&self, url: Url) -> Result<Page<R>, Error> {
        self.page_said_to_be(false, url).await
    }

    /// The same; an announced page has records, or announces another one. One without comes from a replica that lags.
    async fn page_said_to_be<R: Record + Send>(
        &self,
        is_announced: bool,
        mut url: Url,
    ) -> Result<Page<R>, Error> {
        let has_records = is_announced && !next_page::is_keyset(&url);
        loop {
            let read = |answer: Response<Bytes>| {
                let next = next_page(&url, &answer, |url| self.transport.is_ours(url));
                let records = decode_page(answer.body())?;
                let is_last = !matches!(next, Ok(NextPage::At(_)));
                if has_records && is_last && records.is_empty() {
                    let detail = "a page is empty that the page before it announced";
                    return Err(ErrorKind::Truncated(detail.to_owned()));
                }
                Ok((records, answer.body().len(), next))
            };
            let error = match self.get(&url, &read).await {
                Ok((records, bytes, next)) => {
                    return Ok(Page {
                        url,
                        records,
                        bytes,
                        next,
                    });
                }
                Err(error) => error,
            };
            let smaller = next_page::in_smaller_pages(&url);
            let is_too_large = matches!(error.kind(), ErrorKind::TooLarge { .. });
            url = smaller.filter(|_| is_too_large).ok_or(error)?;
            if let Some(size) = next_page::size(&url) {
                let sizes = &self.transport.page_sizes;
                sizes.remember(self.endpoint, lane_of(url.path()), size);
            }
        }
    }

    pub(super) fn first_page(
        &self,
        endpoint: &impl GitlabEndpoint,
        most: usize,
    ) -> Result<Url, Error> {
        let url = self.url_of(endpoint)?;
        let sizes = &self.transport.page_sizes;
        let fitting = sizes.get(self.endpoint, lane_of(url.path()));
        let size = (most as u64)
            .min(LARGEST_PAGE)
            .min(fitting.unwrap_or(LARGEST_PAGE));
        Ok(next_page::with(&url, &[("per_page", size)]))
    }

    pub(super) fn check_progress(
        &self,
        visited: &HashSet<String>,
        next: Option<&Url>,
    ) -> Result<(), Error> {
        let Some(next) = next else { return Ok(()) };
        let size = next_page::size(next).unwrap_or(LARGEST_PAGE);
        let most_pages = MOST_RECORDS / size.clamp(1, LARGEST_PAGE);
        let detail = if visited.contains(next.as_str()) {
            "GitLab named a page as the next one that was read already".to_owned()
        } else if visited.len() as u64 >= most_pages {
            format!("more than {most_pages} pages")
        } else {
            return Ok(());
        };
        Err(self.error(next, 1, ErrorKind::Paging(detail)))
    }
}

/// A page that was read.
pub(super) struct Page<R> {
    /// Its address: that of a smaller page than asked for, if that was too large.
    pub(super) url: Url,
    pub(super) records: Vec<Decoded<R>>,
    /// Length of its body.
    pub(super) bytes: usize,
    pub(super) next: Result<NextPage, ErrorKind>,
}

/// The records of a page. A byte that is no UTF-8 spoils the name it stands in, not the page.
fn decode_page<R: Record>(body: &[u8]) -> Result<Vec<Decoded<R>>, ErrorKind> {
    let text = String::from_utf8_lossy(body);
    decode_list(&text).map_err(|error| {
        let error = match error {
            ListError::TooMany => return ErrorKind::Unexpected(error.to_string()),
            ListError::Json(error) => error,
        };
        if !error.is_data() {
            return answer::invalid_json(&error, body);
        }
        // Something else than a list; it may also be cut.
        let found = answer::excerpt(&text);
        let not_a_list = ErrorKind::Unexpected(format!("wanted a list, found {found}"));
        check_json(body).err().unwrap_or(not_a_list)
    })
}
