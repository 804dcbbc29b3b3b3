//! Whose turn it is: how many projects are read at a time.

use tokio::sync::{Semaphore, SemaphorePermit};

use super::first_round::Round;

/// Cycles under way at a time. So many that some projects that hang do not hold up the others; the rate of
/// requests is bounded elsewhere.
const CONCURRENT_CYCLES: usize = 64;

/// Projects that read their past at a time: the past has a share of the requests, and no more.
const CONCURRENT_PASTS: usize = 4;

/// Whose turn it is.
pub(super) struct Turns {
    cycles: Semaphore,
    pasts: Semaphore,
    pub(super) round: Round,
}

impl Turns {
    pub(super) fn new(round: Round) -> Self {
        Self {
            cycles: Semaphore::new(CONCURRENT_CYCLES),
            pasts: Semaphore::new(CONCURRENT_PASTS),
            round,
        }
    }

    /// Waits for the turn of a cycle. The semaphore is never closed.
    pub(super) async fn of_cycle(&self) -> Option<SemaphorePermit<'_>> {
        self.cycles.acquire().await.ok()
    }

    /// Waits for the turn of some of a project's past.
    pub(super) async fn of_past(&self) -> Option<SemaphorePermit<'_>> {
        self.round.over().await;
        self.pasts.acquire().await.ok()
    }
}
