//! How many timelines are saved at a time, and how much of the state is copied for it.

use std::sync::atomic::AtomicBool;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Timelines that are saved at a time. A slow disk or bucket takes several together nearly as fast as one.
pub(super) const WRITERS: usize = 16;

/// Jobs of all timelines that are being saved. Each takes about 10 KB meanwhile, as a copy and as text.
const MOST_JOBS: u32 = 2000;

/// The writers of one round of saving.
pub(super) struct Writers {
    room: Semaphore,
    /// Whether the store is away, so that nothing more is tried in this round.
    pub(super) away: AtomicBool,
}

impl Writers {
    pub(super) fn new() -> Self {
        Self {
            room: Semaphore::new(MOST_JOBS as usize),
            away: AtomicBool::new(false),
        }
    }

    /// Waits until a timeline with so many jobs may be copied. A very large one is copied alone.
    pub(super) async fn room_for(&self, jobs: usize) -> Option<SemaphorePermit<'_>> {
        let least = MOST_JOBS / WRITERS as u32;
        let wanted = u32::try_from(jobs).unwrap_or(MOST_JOBS);
        let wanted = wanted.clamp(least, MOST_JOBS);
        // It is never closed.
        self.room.acquire_many(wanted).await.ok()
    }
}
