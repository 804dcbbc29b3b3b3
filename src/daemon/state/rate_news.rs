//! Whether polling may send as many requests as it needs: for the log, once it lasts.

use std::time::Duration;

use tokio::time::Instant;

/// How long a change has to last before the log tells it.
const LASTING: Duration = Duration::from_mins(5);

/// Share of the allowed rate below which the needed one is well again.
const WELL_BELOW: f64 = 0.95;

/// What was told last, and since when it is otherwise.
#[derive(Clone, Copy, Default)]
pub(super) struct RateNews {
    is_told: bool,
    changed: Option<Instant>,
}

impl RateNews {
    /// Takes the rates. Returns whether too few requests are allowed, if that is to be told.
    pub(super) fn note(&mut self, needed: f64, allowed: f64) -> Option<bool> {
        let is_too_few = if self.is_told {
            needed > allowed * WELL_BELOW
        } else {
            needed > allowed
        };
        if is_too_few == self.is_told {
            self.changed = None;
            return None;
        }
        let since = *self.changed.get_or_insert_with(Instant::now);
        if since.elapsed() < LASTING {
            return None;
        }
        self.changed = None;
        self.is_told = is_too_few;
        Some(is_too_few)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_that_is_too_high_is_told_once_it_lasts_and_so_is_its_end() {
        let mut news = RateNews::default();
        let mut told = Vec::new();
        for minute in 0..40 {
            let needed = match minute {
                // A moment.
                3..6 => 12.0,
                10..20 => 12.0,
                // Not well below.
                20..30 => 9.9,
                _ => 5.0,
            };
            told.extend(news.note(needed, 10.0).map(|news| (minute, news)));
            tokio::time::advance(Duration::from_mins(1)).await;
        }
        assert_eq!(told, [(15, true), (35, false)]);
    }
}
