//! The open connections: when each one ends, and which one makes room for another.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::deadline::{Deadline, Rank, Turn};
use super::limits::Limits;
use crate::metrics::{HttpLimit, Telemetry};

/// Shortest time between two warnings that all connections are taken.
const WARNINGS: Duration = Duration::from_mins(5);

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
    /// When it was last logged that there are too many.
    warned: Option<Instant>,
}

/// One connection. Dropped, it is no longer open.
pub(super) struct Connection {
    number: u64,
    pub(super) deadline: Deadline,
    /// Whether it was accepted beyond the limit.
    is_extra: AtomicBool,
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

    /// Whether another connection may be accepted. Some beyond the limit are: others are closed for them, or they
    /// are there for scrapes and probes.
    pub(super) fn may_accept(&self) -> bool {
        let limits = &self.0.limits;
        self.open().by_number.len() < limits.connections + limits.reserved_connections
    }

    /// Notes an accepted connection, and closes another one if there are too many.
    pub(super) fn accepted(&self) -> Connection {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let deadline = Deadline::new(&self.0.limits);
        let mut open = self.open();
        open.by_number.insert(number, deadline.clone());
        self.0.telemetry.http_connections(open.by_number.len());
        drop(open);
        Connection {
            number,
            deadline,
            is_extra: AtomicBool::new(!self.make_room_for(Some(number))),
            all: self.clone(),
        }
    }

    /// Closes a connection if there are too many: one that never sent a request, else the one that is idle for
    /// longest, else the one whose client reads its response most slowly.
    pub(super) fn make_room(&self) {
        self.make_room_for(None);
    }

    /// The same, but for the connection of this number. Returns false if all are busy.
    fn make_room_for(&self, number: Option<u64>) -> bool {
        let mut open = self.open();
        let limit = self.0.limits.connections;
        let excess = open.by_number.len().saturating_sub(limit);
        if excess == 0 {
            return true;
        }
        if (open.warned).is_none_or(|warned| warned.elapsed() >= WARNINGS) {
            open.warned = Some(Instant::now());
            tracing::warn!(
                "{limit} connections are open, the most that are served; closing idle and slow ones for new ones"
            );
        }
        // Within the reserve, nobody is cut who may send a request at any moment.
        let is_full = excess >= self.0.limits.reserved_connections;
        let others = open.by_number.iter().filter(|(it, _)| Some(**it) != number);
        let ranks = others.map(|(_, it)| (it.rank(), it));
        // A connection that is being closed makes room already.
        let closing = ranks.clone().filter(|(rank, _)| *rank == Rank::Closing);
        if closing.count() >= excess {
            return true;
        }
        let closable = ranks.filter(|(rank, _)| match rank {
            Rank::Closing | Rank::Busy => false,
            Rank::Fresh(_) => is_full,
            Rank::Silent(_) | Rank::Idle(_) | Rank::Slow(_) => true,
        });
        let chosen = closable.min_by_key(|(rank, _)| *rank);
        if let Some((_, deadline)) = chosen {
            deadline.close();
            self.0.telemetry.http_limited(HttpLimit::Connections);
        }
        chosen.is_some()
    }

    /// Cuts the metrics page that its client reads most slowly, if too many are being sent: each keeps the text of
    /// its moment in memory.
    fn limit_pages(&self) {
        let open = self.open();
        let senders = open.by_number.values().filter(|it| it.pages() > 0);
        let pages: usize = senders.clone().map(Deadline::pages).sum();
        if pages <= self.0.limits.pages {
            return;
        }
        if let Some(deadline) = slowest(senders).first() {
            tracing::debug!("cut a scrape whose client does not read it");
            deadline.close();
            self.0.telemetry.http_limited(HttpLimit::Pages);
        }
    }

    /// Whether a response of so many bytes may be kept until its client has read it. Cuts those whose clients do not
    /// read them, if there are too many.
    fn hold(&self, turn: &mut Turn, bytes: usize) -> bool {
        let open = self.open();
        let mut held: usize = open.by_number.values().map(Deadline::held_bytes).sum();
        let limit = self.0.limits.held_bytes;
        if held + bytes > limit {
            let holders = open.by_number.values().filter(|it| it.held_bytes() > 0);
            for slow in slowest(holders) {
                held -= slow.held_bytes();
                slow.close();
                self.0.telemetry.http_limited(HttpLimit::Bytes);
                if held + bytes <= limit {
                    break;
                }
            }
        }
        let fits = held + bytes <= limit;
        if fits {
            turn.hold(bytes);
        } else {
            self.0.telemetry.http_limited(HttpLimit::Bytes);
        }
        fits
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    pub(super) fn limits(&self) -> &Limits {
        &self.all.0.limits
    }

    /// Starts a request.
    pub(super) fn begin(&self, is_scrape: bool) -> Turn {
        let turn = self.deadline.begin(is_scrape);
        if is_scrape {
            self.all.limit_pages();
        }
        turn
    }

    /// Whether only scrapes and probes are answered: all connections within the limit are busy.
    pub(super) fn is_extra(&self) -> bool {
        if !self.is_extra.load(Ordering::Relaxed) {
            return false;
        }
        let has_room = self.all.open().by_number.len() <= self.limits().connections;
        self.is_extra.store(!has_room, Ordering::Relaxed);
        if !has_room {
            self.all.0.telemetry.http_limited(HttpLimit::Connections);
        }
        !has_room
    }

    /// Whether a response of so many bytes may be sent now.
    pub(super) fn hold(&self, turn: &mut Turn, bytes: usize) -> bool {
        self.all.hold(turn, bytes)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.all.open();
        open.by_number.remove(&self.number);
        self.all.0.telemetry.http_connections(open.by_number.len());
    }
}

/// The connections whose clients read too slowly, the slowest first.
fn slowest<'a>(connections: impl Iterator<Item = &'a Deadline>) -> Vec<&'a Deadline> {
    let ranks = connections.map(|it| (it.rank(), it));
    let mut slow: Vec<_> = ranks
        .filter(|(rank, _)| matches!(rank, Rank::Slow(_)))
        .collect();
    slow.sort_by_key(|(rank, _)| *rank);
    slow.into_iter().map(|(_, deadline)| deadline).collect()
}
