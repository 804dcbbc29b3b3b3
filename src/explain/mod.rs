//! What Prometheus and Alertmanager say of one job: the thresholds that hold, the alerts on it, and who hears
//! of them. No rule is written down here a second time.
//!
//! ```text
//! Servers::ask(job, now) -> Report { thresholds, alerts, conclusions }
//! ```

mod alertmanager;
mod client;
mod conclude;
mod figures;
mod labels;
mod levels;
mod prometheus;
mod report;
mod servers;
mod thresholds;

pub use self::client::{ClientError, server_url};
pub use self::labels::JobLabels;
pub use self::report::Report;
pub use self::servers::Servers;
pub use self::thresholds::Threshold;
