//! Tells systemd of the start, of reloads, of the end, and that the process lives. Elsewhere it does nothing.

use std::future::pending;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// The service manager, if there is one that listens.
pub(super) struct Notifier {
    /// Twice as often as it wants to hear; `None` if it does not want to.
    watchdog: Option<Interval>,
}

impl Notifier {
    /// Within a runtime.
    pub(super) fn new() -> Self {
        let every = |limit: Duration| {
            let mut interval = interval(limit / 2);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let limit = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
        Self {
            watchdog: limit.map(every),
        }
    }

    /// Waits until it is time to say that the process lives.
    pub(super) async fn is_due(&mut self) {
        match &mut self.watchdog {
            Some(watchdog) => {
                watchdog.tick().await;
            }
            None => pending().await,
        }
    }

    pub(super) fn lives(&self) {
        tell(&[NotifyState::Watchdog]);
    }

    /// The start or a reload is done.
    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}
