//! Deadlines of connections, so that no client keeps one for ever.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::Instant;

use super::limits::Limits;

/// A client that read nothing of its response for so long is slow.
const STALLED: Duration = Duration::from_secs(1);

/// Time in which an honest client sends its first request.
const FRESH: Duration = Duration::from_secs(1);

/// The deadline of one connection. Each request moves it. Clones share it.
#[derive(Clone)]
pub(super) struct Deadline(Arc<Shared>);

struct Shared {
    limits: Limits,
    until: watch::Sender<Instant>,
    activity: Mutex<Activity>,
}

/// What the connection is doing.
#[derive(Clone, Copy)]
struct Activity {
    phase: Phase,
    /// Requests that are answered now. HTTP/2 has several at a time.
    turns: usize,
    /// Pages of metrics that are being sent.
    pages: usize,
    /// Bytes of responses that are kept until the client reads them.
    held_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closing,
    Silent(Instant),
    Idle(Instant),
    /// The newest request began at this time, and a response last progressed at the other.
    Answering {
        begun: Instant,
        progress: Option<Instant>,
    },
}

/// In which order connections are closed for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It is being closed.
    Closing,
    /// Open since this time, without any request.
    Silent(Instant),
    /// Without a request since this time.
    Idle(Instant),
    /// The client reads its response too slowly, the last part at this time.
    Slow(Instant),
    /// Open since this time, which is just now.
    Fresh(Instant),
    /// Its request runs, or its response is read.
    Busy,
}

/// The time of one request. Dropped, it may make the connection idle again.
pub(super) struct Turn {
    deadline: Deadline,
    sends_page: bool,
    held_bytes: usize,
}

/// The body of a response; its end is the end of the turn.
pub(super) struct Timed<B> {
    body: B,
    turn: Turn,
}

impl Deadline {
    pub(super) fn new(limits: &Limits) -> Self {
        let now = Instant::now();
        Self(Arc::new(Shared {
            limits: *limits,
            until: watch::Sender::new(now + limits.first_head_timeout),
            activity: Mutex::new(Activity {
                phase: Phase::Silent(now),
                turns: 0,
                pages: 0,
                held_bytes: 0,
            }),
        }))
    }

    /// Starts the time of a request.
    pub(super) fn begin(&self, sends_page: bool) -> Turn {
        self.update(|activity| {
            activity.turns += 1;
            activity.pages += usize::from(sends_page);
            activity.phase = Phase::Answering {
                begun: Instant::now(),
                progress: None,
            };
        });
        Turn {
            deadline: self.clone(),
            sends_page,
            held_bytes: 0,
        }
    }

    pub(super) fn rank(&self) -> Rank {
        match self.activity().phase {
            Phase::Closing => Rank::Closing,
            Phase::Silent(since) if since.elapsed() < FRESH => Rank::Fresh(since),
            Phase::Silent(since) => Rank::Silent(since),
            Phase::Idle(since) => Rank::Idle(since),
            Phase::Answering { begun, progress } => {
                let last = progress.unwrap_or(begun);
                let is_stalled = progress.is_some_and(|at| at.elapsed() >= STALLED);
                if is_stalled || begun.elapsed() >= self.0.limits.slow_after {
                    Rank::Slow(last)
                } else {
                    Rank::Busy
                }
            }
        }
    }

    /// Pages of metrics that are being sent.
    pub(super) fn pages(&self) -> usize {
        let activity = *self.activity();
        if activity.phase == Phase::Closing {
            0
        } else {
            activity.pages
        }
    }

    /// Bytes of responses that are kept until the client reads them.
    pub(super) fn held_bytes(&self) -> usize {
        let activity = *self.activity();
        if activity.phase == Phase::Closing {
            0
        } else {
            activity.held_bytes
        }
    }

    /// Ends the connection now.
    pub(super) fn close(&self) {
        self.update(|activity| activity.phase = Phase::Closing);
    }

    /// Completes once the deadline has passed.
    pub(super) async fn passed(&self) {
        let mut changes = self.0.until.subscribe();
        loop {
            let until = *changes.borrow_and_update();
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                // Cannot fail: `self` holds the sender.
                _ = changes.changed() => {}
            }
        }
    }

    fn progressed(&self) {
        self.update(|activity| {
            if let Phase::Answering { progress, .. } = &mut activity.phase {
                *progress = Some(Instant::now());
            }
        });
    }

    /// A connection that is being closed stays so.
    fn update(&self, change: impl FnOnce(&mut Activity)) {
        let mut activity = self.activity();
        let was_closing = activity.phase == Phase::Closing;
        change(&mut activity);
        if was_closing {
            activity.phase = Phase::Closing;
            return;
        }
        let limits = &self.0.limits;
        let until = match activity.phase {
            Phase::Closing => Instant::now(),
            // The server itself closes idle connections in an orderly way. This deadline is for clients that do
            // not even read the last bytes of their response.
            Phase::Silent(since) | Phase::Idle(since) => since + limits.head_timeout * 2,
            Phase::Answering { begun, progress } => {
                let ends = begun + limits.request_timeout;
                ends.min(progress.unwrap_or(ends) + limits.stall_timeout)
            }
        };
        self.0.until.send_replace(until);
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        let activity = self.0.activity.lock();
        activity.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// The response keeps so many bytes until the end of the turn.
    pub(super) fn hold(&mut self, bytes: usize) {
        self.held_bytes += bytes;
        self.deadline
            .update(|activity| activity.held_bytes += bytes);
    }

    /// Ends the turn with the body.
    pub(super) fn over<B>(self, body: B) -> Timed<B> {
        self.deadline.progressed();
        Timed { body, turn: self }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.deadline.update(|activity| {
            activity.turns -= 1;
            activity.pages -= usize::from(self.sends_page);
            activity.held_bytes -= self.held_bytes;
            if activity.turns == 0 {
                activity.phase = Phase::Idle(Instant::now());
            }
        });
    }
}

impl<B: Body + Unpin> Body for Timed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        // It is asked for once the client has read what came before.
        self.turn.deadline.progressed();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
