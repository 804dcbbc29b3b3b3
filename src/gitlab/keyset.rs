//! Lists in the order of ids from which no record is missed, although others leave while the pages are read.
//!
//! With numbered pages, a record that leaves page 1 moves the first record of page 2 to page 1, where nobody looks
//! for it any more. Each further page is therefore asked for by the last id before it. GitLab accepts `id_after` in
//! lists of projects, and documents it for some of them only. Where it is ignored, the whole list is read until two
//! readings agree.

use std::collections::HashSet;

use gitlab::api::{Endpoint as GitlabEndpoint, Pageable};
use url::Url;

use super::call::Call;
use super::error::Error;
use super::error_kind::ErrorKind;
use super::listing::{Decoded, Listing, Pages};
use super::next_page::{self, NextPage};
use super::paging::{Limit, Page};
use super::record::Record;

/// Readings of a list whose numbered pages keep moving. After the last one, everything that was seen is returned.
const MOST_READINGS: usize = 4;

impl Call<'_> {
    /// All records of a list that the endpoint orders by ascending ids.
    pub(super) async fn list_by_id<R: Record + Send>(
        &self,
        endpoint: &(impl GitlabEndpoint + Pageable + Sync),
    ) -> Result<Listing<R>, Error> {
        match self.pages_by_id(endpoint).await? {
            Some(pages) => {
                self.check_whole(endpoint, &pages)?;
                Ok(pages.into())
            }
            None => self.list_until_stable(endpoint).await,
        }
    }

    /// `None` where GitLab does not list by the last id.
    async fn pages_by_id<R: Record + Send>(
        &self,
        endpoint: &(impl GitlabEndpoint + Pageable + Sync),
    ) -> Result<Option<Pages<R>>, Error> {
        let mut pages = Pages::default();
        let mut visited = HashSet::new();
        let mut page = self.page(self.first_page(endpoint, usize::MAX)?).await?;
        let mut last = 0;
        loop {
            let ids: Vec<u64> = page.records.iter().filter_map(id_of).collect();
            let is_ordered = ids.is_sorted() && ids.first().is_none_or(|first| *first > last);
            if !is_ordered {
                return Ok(None);
            }
            let next = has_next(&page).then(|| ids.last().copied());
            let url = page.url;
            self.count_bytes(&mut pages, page.bytes);
            pages.extend(page.records);
            if next.is_some() && self.is_full(&mut pages) {
                return Ok(Some(pages));
            }
            match next {
                None => return Ok(Some(pages)),
                // An empty page ends a list that did not ignore the id.
                Some(None) if last > 0 && ids.is_empty() => return Ok(Some(pages)),
                Some(None) => return Ok(None),
                Some(Some(id)) => last = id,
            }
            let url = after(&url, last);
            self.check_progress(&visited, Some(&url))?;
            visited.insert(String::from(url.clone()));
            page = match self.page(url).await {
                Err(error) if matches!(error.kind(), ErrorKind::Refused { .. }) => return Ok(None),
                read => read?,
            };
        }
    }

    async fn list_until_stable<R: Record + Send>(
        &self,
        endpoint: &(impl GitlabEndpoint + Pageable + Sync),
    ) -> Result<Listing<R>, Error> {
        let mut all: Pages<R> = self.pages(endpoint, Limit::ALL, &|_| true).await?;
        self.check_whole(endpoint, &all)?;
        let mut ids = all.ids().clone();
        for _ in 1..MOST_READINGS {
            let again: Pages<R> = self.pages(endpoint, Limit::ALL, &|_| true).await?;
            self.check_whole(endpoint, &again)?;
            if *again.ids() == ids {
                return Ok(again.into());
            }
            ids.clone_from(again.ids());
            all.renew(again);
        }
        Ok(all.into())
    }
}

/// Whether there may be records after those of a page.
fn has_next<R>(page: &Page<R>) -> bool {
    let count = page.records.len() as u64;
    match &page.next {
        // Also a link that leads elsewhere: it is not followed here.
        Ok(NextPage::At(_)) | Err(_) => true,
        Ok(NextPage::Unknown) => next_page::size(&page.url).is_some_and(|size| count >= size),
        Ok(NextPage::None) => false,
    }
}

fn id_of<R>(record: &Decoded<R>) -> Option<u64> {
    match record {
        Ok((id, _)) => *id,
        Err(rejected) => rejected.id,
    }
}

/// The page after the record `last`.
fn after(page: &Url, last: u64) -> Url {
    let pages = page.query_pairs();
    let is_keyset = pages.into_iter().any(|(key, _)| key == "pagination");
    let mut url = next_page::with(page, &[("id_after", last)]);
    if !is_keyset {
        url.query_pairs_mut().append_pair("pagination", "keyset");
    }
    url
}
