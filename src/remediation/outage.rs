//! Whether many jobs fail at the same time.

use crate::config::PauseWhen;

/// Jobs that ran lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recent {
    /// All of them.
    pub ran: usize,
    /// Those whose newest execution failed.
    pub failing: usize,
}

impl Recent {
    /// Adds a job.
    pub fn add(&mut self, is_failing: bool) {
        self.ran += 1;
        self.failing += usize::from(is_failing);
    }

    /// Whether so many fail that retries would only add load.
    pub fn is_outage(&self, when: &PauseWhen) -> bool {
        self.failing >= when.at_least && self.failing as f64 >= when.failing_share * self.ran as f64
    }
}
