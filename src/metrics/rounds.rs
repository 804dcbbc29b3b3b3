//! How far the first round of polling is.

use super::telemetry::{NONE, Telemetry, clamped};

impl Telemetry {
    /// Of the projects of the first round so many were tried, and so many wait; of so many projects older pipelines are
    /// still to be read.
    pub fn first_round(&self, tried: usize, waiting: usize, with_past: usize) {
        for (result, projects) in [("tried", tried), ("waiting", waiting)] {
            let gauge = self.first_round.with_label_values(&[result]);
            gauge.set(clamped(projects as u64));
        }
        self.with_past
            .with_label_values(NONE)
            .set(clamped(with_past as u64));
    }
}
