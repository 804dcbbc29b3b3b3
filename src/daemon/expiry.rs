//! When the retention is applied to everything.

use super::state::State;
use ci_history::Timestamp;

/// Time between two times, in seconds of the newest sign of life.
const INTERVAL: i64 = 60 * 60;

/// By the time that retention goes by: a wrong clock must not cost the histories.
#[derive(Default)]
pub(super) struct ExpiryTimer {
    next: Option<Timestamp>,
    /// Whether it was due after the first round of polling.
    after_first_round: bool,
}

impl ExpiryTimer {
    pub(super) fn is_due(&mut self, state: &State) -> bool {
        let Some(now) = state.retention_now() else {
            return false;
        };
        let one_later = |from: Timestamp| Timestamp::of_clock(from.unix() + INTERVAL);
        // Not at once: a backfill may be about to bring what an old history goes on with.
        let next = *self.next.get_or_insert_with(|| one_later(now));
        let first = !self.after_first_round && state.has_first_round_ended();
        // Also if the clock was set back.
        let due = first || now >= next || one_later(now) < next;
        if due {
            self.after_first_round |= first;
            self.next = Some(one_later(now));
        }
        due
    }
}
