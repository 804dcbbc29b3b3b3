//! How many requests a second polling needs, and how many may be sent.

use super::telemetry::{NONE, Telemetry};

impl Telemetry {
    /// Polling needs so many requests a second, and so many may be sent now.
    pub fn request_rates(&self, needed: f64, allowed: f64) {
        self.api_needed.with_label_values(NONE).set(needed);
        self.api_allowed.with_label_values(NONE).set(allowed);
    }
}
