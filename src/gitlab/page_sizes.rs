//! How many records fit on a page where the usual number was too large to be read.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::api::Endpoint;

/// The usual size is tried again after this time.
const REMEMBERED: Duration = Duration::from_hours(1);

/// An endpoint and the project or group that it was asked about.
type Key = (Endpoint, Box<str>);

/// The sizes that fitted, each for an hour.
#[derive(Debug, Default)]
pub(super) struct PageSizes(Mutex<HashMap<Key, (u64, Instant)>>);

impl PageSizes {
    pub(super) fn get(&self, endpoint: Endpoint, of: &str) -> Option<u64> {
        let now = Instant::now();
        let mut sizes = self.lock();
        sizes.retain(|_, (_, until)| now < *until);
        // The key is built only where there is anything to look up.
        let size = (!sizes.is_empty()).then(|| sizes.get(&(endpoint, of.into())))?;
        size.map(|(size, _)| *size)
    }

    pub(super) fn remember(&self, endpoint: Endpoint, of: &str, size: u64) {
        let until = Instant::now() + REMEMBERED;
        self.lock().insert((endpoint, of.into()), (size, until));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (u64, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_size_is_remembered_for_an_hour_and_for_its_project_alone() {
        let sizes = PageSizes::default();
        sizes.remember(Endpoint::PipelineJobs, "7", 25);
        assert_eq!(sizes.get(Endpoint::PipelineJobs, "7"), Some(25));
        assert_eq!(sizes.get(Endpoint::PipelineJobs, "8"), None);
        assert_eq!(sizes.get(Endpoint::Pipelines, "7"), None);
        tokio::time::advance(REMEMBERED).await;
        assert_eq!(sizes.get(Endpoint::PipelineJobs, "7"), None);
    }
}
