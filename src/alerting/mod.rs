//! What Prometheus and Alertmanager say: all alerts and who hears of them, and the thresholds that hold for a job. No rule is
//! written down here a second time.
//!
//! ```text
//! Servers::overview()    -> Overview { alerts }
//! Servers::ask(job, now) -> Report { thresholds, alerts, conclusions }
//! Servers::survey()      -> Survey { versions, rules, routes }
//! Monitor                the same for the readers of pages, with few requests
//! ```

mod alertmanager;
mod alerts;
mod asker;
mod cached;
mod client;
mod conclude;
mod figures;
mod labels;
mod levels;
mod links;
mod monitor;
mod prometheus;
mod report;
mod routes;
mod servers;
mod survey;
mod thresholds;

pub use self::alertmanager::{Delivery, Silence};
pub use self::asker::Asker;
pub use self::client::{ClientError, server_url};
pub use self::labels::{JobLabels, Labels};
pub use self::monitor::Monitor;
pub use self::report::{Alert, AlertState, Overview, Report, ServerReport};
pub use self::servers::Servers;
pub use self::survey::{AlertmanagerSurvey, PrometheusSurvey, Receivers, Survey};
pub use self::thresholds::{Check, Threshold};
