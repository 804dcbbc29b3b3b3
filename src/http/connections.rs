//! The open connections: when each one ends, and which one makes room for another.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::deadline::{Deadline, Rank};
use super::server::Limits;
use crate::metrics::Telemetry;

/// A response that made no progress for so long may be cut in favour of another client.
const STALLED: Duration = Duration::from_secs(1);

/// The open connections. Clones share them.
#[derive(Clone)]
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    limits: Limits,
    telemetry: Telemetry,
    next: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    by_number: BTreeMap<u64, Deadline>,
    /// Whether the limit was reached, until half of the connections are gone.
    was_full: bool,
}

/// One connection. Dropped, it is no longer open.
pub(super) struct Connection {
    number: u64,
    pub(super) deadline: Deadline,
    all: Connections,
}

impl Connections {
    pub(super) fn new(limits: Limits, telemetry: Telemetry) -> Self {
        telemetry.http_connections(0);
        Self(Arc::new(Shared {
            limits,
            telemetry,
            next: AtomicU64::new(0),
            open: Mutex::default(),
        }))
    }

    /// Whether another connection may be accepted. One beyond the limit is: another one is closed for it.
    pub(super) fn may_accept(&self) -> bool {
        self.open().by_number.len() <= self.0.limits.connections
    }

    /// Notes an accepted connection, and closes another one if there are too many.
    pub(super) fn accepted(&self) -> Connection {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let deadline = Deadline::new(&self.0.limits);
        let mut open = self.open();
        open.by_number.insert(number, deadline.clone());
        self.0.telemetry.http_connections(open.by_number.len());
        drop(open);
        self.make_room();
        Connection {
            number,
            deadline,
            all: self.clone(),
        }
    }

    /// Closes a connection if there are too many: one that never sent a request, else the one that is idle for
    /// longest, else the one whose client does not read its response.
    pub(super) fn make_room(&self) {
        let mut open = self.open();
        let limit = self.0.limits.connections;
        if open.by_number.len() <= limit {
            return;
        }
        if !std::mem::replace(&mut open.was_full, true) {
            tracing::warn!(
                "{limit} connections are open, the most that are served; closing the idle ones that are open for longest"
            );
        }
        let ranks = open.by_number.values().map(|it| (it.rank(), it));
        // A connection that is being closed makes room already.
        if ranks.clone().any(|(rank, _)| rank == Rank::Closing) {
            return;
        }
        let closable = ranks.filter(|(rank, _)| is_closable(*rank));
        if let Some((_, deadline)) = closable.min_by_key(|(rank, _)| *rank) {
            deadline.close();
        }
    }

    /// Cuts the metrics page that its client does not read for longest, if too many are being sent: each
    /// keeps the text of its moment in memory.
    pub(super) fn limit_pages(&self) {
        let open = self.open();
        let pages = open.by_number.values().filter(|it| it.sends_page());
        if pages.clone().count() <= self.0.limits.pages {
            return;
        }
        let stalled = pages.map(|it| (it.rank(), it));
        let stalled = stalled.filter(|(rank, _)| is_closable(*rank));
        if let Some((_, deadline)) = stalled.min_by_key(|(rank, _)| *rank) {
            tracing::debug!("cut a scrape whose client does not read it");
            deadline.close();
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    pub(super) fn limits(&self) -> &Limits {
        &self.all.0.limits
    }

    pub(super) fn limit_pages(&self) {
        self.all.limit_pages();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.all.open();
        open.by_number.remove(&self.number);
        let count = open.by_number.len();
        open.was_full &= count > self.all.0.limits.connections / 2;
        self.all.0.telemetry.http_connections(count);
    }
}

fn is_closable(rank: Rank) -> bool {
    match rank {
        Rank::Closing => false,
        Rank::Silent(_) | Rank::Idle(_) => true,
        Rank::Answering(progress) => progress + STALLED <= Instant::now(),
    }
}
