//! GitLab's clock, by which tokens end.

use std::sync::{Mutex, PoisonError};

use ci_history::Timestamp;
use ci_history::clock::{Clock as _, SystemClock};

use crate::gitlab::TransportMetrics;

/// Remembers the `Date` of answers.
#[derive(Default)]
pub(super) struct ServerClock(Mutex<Option<Timestamp>>);

impl TransportMetrics for ServerClock {
    fn server_date(&self, date: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(date);
    }
}

impl ServerClock {
    /// The time of the last answer, in Unix seconds; this machine's before the first.
    pub(super) fn now(&self) -> i64 {
        let date = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = || {
            let since = SystemClock.now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(0, |since| since.as_secs().cast_signed())
        };
        date.map_or_else(own, Timestamp::unix)
    }
}
