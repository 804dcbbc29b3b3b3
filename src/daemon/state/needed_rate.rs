//! Takes how many requests a second polling needs, and says so.

use super::shell::State;
use crate::base::human::rate;
use crate::ingest::too_slow;

impl State {
    /// Takes how many requests a second polling needs.
    pub(super) fn note_needed_rate(&self, needed: f64) {
        let Some(sources) = self.report_sources.get() else {
            return;
        };
        let allowed = sources.client.request_flow().per_second_now;
        self.telemetry().request_rates(needed, allowed);
        let mut inner = self.lock();
        let news = inner.health.rate_news.note(needed, allowed);
        let is_first_round = !inner.health.has_first_round_ended();
        drop(inner);
        match news {
            Some(true) if is_first_round => tracing::warn!(
                "by an estimate, {} (see docs/sizing.md)",
                too_slow(needed, allowed)
            ),
            Some(true) => tracing::warn!("{}", too_slow(needed, allowed)),
            Some(false) => tracing::info!(
                "polling keeps up again: it needs {} requests a second and may send {}",
                rate(needed),
                rate(allowed)
            ),
            None => {}
        }
    }
}
