//! Deadlines of connections, so that no client keeps one for ever.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::Instant;

/// The deadline of one connection. Each request moves it.
#[derive(Clone)]
pub(super) struct Deadline {
    idle: Duration,
    request: Duration,
    until: watch::Sender<Instant>,
}

/// The time of one request. Dropped, it makes the connection idle again.
pub(super) struct Turn(Deadline);

/// The body of a response; its end is the end of the turn.
pub(super) struct Timed<B> {
    body: B,
    _turn: Turn,
}

impl Deadline {
    /// `idle` bounds the time between requests, `request` the time of one.
    pub(super) fn new(idle: Duration, request: Duration) -> Self {
        // The server itself closes idle connections in an orderly way. This deadline is for clients that
        // do not even read the last bytes of their response.
        let idle = idle * 2;
        let until = watch::Sender::new(Instant::now() + idle);
        Self {
            idle,
            request,
            until,
        }
    }

    /// Starts the time of a request.
    pub(super) fn begin(&self) -> Turn {
        self.until.send_replace(Instant::now() + self.request);
        Turn(self.clone())
    }

    /// Completes once the deadline has passed.
    pub(super) async fn passed(&self) {
        let mut changes = self.until.subscribe();
        loop {
            let until = *changes.borrow_and_update();
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                // Cannot fail: `self` holds the sender.
                _ = changes.changed() => {}
            }
        }
    }
}

impl Turn {
    /// Ends the turn with the body.
    pub(super) fn over<B>(self, body: B) -> Timed<B> {
        Timed { body, _turn: self }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.until.send_replace(Instant::now() + self.0.idle);
    }
}

impl<B: Body + Unpin> Body for Timed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
