//! Whose turn it is: how many projects are read at a time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::debounce::Debounce;
use super::first_round::Round;

/// Cycles under way at a time. So many that some projects that hang do not hold up the others; the rate of
/// requests is bounded elsewhere.
const CONCURRENT_CYCLES: usize = 64;

/// Projects that read their past at a time: the past has a share of the requests, and no more.
const CONCURRENT_PASTS: usize = 4;

/// Readings that webhooks of all projects cause without waiting for others, where these can be read together: so many after a
/// quiet time, then one in each interval.
const HINTED_AT_ONCE: u32 = 20;
const HINTED_EVERY: Duration = Duration::from_secs(10);

/// Whose turn it is.
pub(super) struct Turns {
    cycles: Semaphore,
    pasts: Semaphore,
    hinted: Mutex<Debounce>,
    pub(super) round: Round,
}

impl Turns {
    pub(super) fn new(round: Round) -> Self {
        Self {
            cycles: Semaphore::new(CONCURRENT_CYCLES),
            pasts: Semaphore::new(CONCURRENT_PASTS),
            hinted: Mutex::new(Debounce::spaced(HINTED_AT_ONCE, HINTED_EVERY)),
            round,
        }
    }

    /// Waits for the turn of a cycle. The semaphore is never closed.
    pub(super) async fn of_cycle(&self) -> Option<SemaphorePermit<'_>> {
        self.cycles.acquire().await.ok()
    }

    /// Whether pipelines that go on, and of which webhooks of a project tell, are read at once, and not together with others.
    pub(super) fn reads_at_once(&self) -> bool {
        let mut hinted = self.hinted.lock().unwrap_or_else(PoisonError::into_inner);
        hinted.try_take()
    }

    /// Waits for the turn of some of a project's past.
    pub(super) async fn of_past(&self) -> Option<SemaphorePermit<'_>> {
        self.round.over().await;
        self.pasts.acquire().await.ok()
    }
}
