//! Deadlines of connections, so that no client keeps one for ever.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::Instant;

use super::server::Limits;

/// The deadline of one connection. Each request moves it. Clones share it.
#[derive(Clone)]
pub(super) struct Deadline(Arc<Shared>);

struct Shared {
    idle: Duration,
    request: Duration,
    /// Longest time without progress of a response.
    stall: Duration,
    until: watch::Sender<Instant>,
    activity: Mutex<Activity>,
}

/// What the connection is doing.
#[derive(Clone, Copy)]
struct Activity {
    rank: Rank,
    /// End of the running request.
    ends: Instant,
    sends_page: bool,
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
    /// With a request whose response last progressed at this time.
    Answering(Instant),
}

/// The time of one request. Dropped, it makes the connection idle again.
pub(super) struct Turn(Deadline);

/// The body of a response; its end is the end of the turn.
pub(super) struct Timed<B> {
    body: B,
    turn: Turn,
}

impl Deadline {
    pub(super) fn new(limits: &Limits) -> Self {
        let now = Instant::now();
        Self(Arc::new(Shared {
            // The server itself closes idle connections in an orderly way. This deadline is for clients that
            // do not even read the last bytes of their response.
            idle: limits.head_timeout * 2,
            request: limits.request_timeout,
            stall: limits.stall_timeout,
            until: watch::Sender::new(now + limits.first_head_timeout),
            activity: Mutex::new(Activity {
                rank: Rank::Silent(now),
                ends: now,
                sends_page: false,
            }),
        }))
    }

    /// Starts the time of a request.
    pub(super) fn begin(&self, sends_page: bool) -> Turn {
        let now = Instant::now();
        self.note(Activity {
            rank: Rank::Answering(now),
            ends: now + self.0.request,
            sends_page,
        });
        Turn(self.clone())
    }

    pub(super) fn rank(&self) -> Rank {
        self.activity().rank
    }

    /// Whether a page of metrics is being sent.
    pub(super) fn sends_page(&self) -> bool {
        let activity = *self.activity();
        activity.sends_page && activity.rank != Rank::Closing
    }

    /// Ends the connection now.
    pub(super) fn close(&self) {
        let now = Instant::now();
        self.note(Activity {
            rank: Rank::Closing,
            ends: now,
            sends_page: false,
        });
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
        let activity = *self.activity();
        self.note(Activity {
            rank: Rank::Answering(Instant::now()),
            ..activity
        });
    }

    /// A connection that is being closed stays so.
    fn note(&self, new: Activity) {
        let mut activity = self.activity();
        if activity.rank == Rank::Closing {
            return;
        }
        *activity = new;
        let until = match new.rank {
            Rank::Closing => new.ends,
            Rank::Silent(since) | Rank::Idle(since) => since + self.0.idle,
            Rank::Answering(progress) => new.ends.min(progress + self.0.stall),
        };
        self.0.until.send_replace(until);
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        let activity = self.0.activity.lock();
        activity.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Ends the turn with the body.
    pub(super) fn over<B>(self, body: B) -> Timed<B> {
        Timed { body, turn: self }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = Instant::now();
        self.0.note(Activity {
            rank: Rank::Idle(now),
            ends: now,
            sends_page: false,
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
        self.turn.0.progressed();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
