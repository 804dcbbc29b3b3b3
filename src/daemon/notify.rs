//! Tells systemd of the start, of reloads, of the end, and that the process lives. Elsewhere it does nothing.

use std::future::pending;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// When the service manager wants to hear that the process lives.
pub(super) struct Watchdog {
    /// Twice as often as it wants to hear; `None` if it does not want to.
    interval: Option<Interval>,
}

impl Watchdog {
    /// Within a runtime.
    pub(super) fn new() -> Self {
        let every = |limit: Duration| {
            let mut interval = interval(limit / 2);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let limit = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
        Self {
            interval: limit.map(every),
        }
    }

    /// Waits until it is time to say that the process lives.
    pub(super) async fn is_due(&mut self) {
        match &mut self.interval {
            Some(interval) => {
                interval.tick().await;
            }
            None => pending().await,
        }
    }
}

/// The process lives.
pub(super) fn lives() {
    tell(&[NotifyState::Watchdog]);
}

/// The start or a reload is done.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is loaded again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The process ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}
