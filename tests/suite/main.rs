//! All integration tests, as one binary: linking many would take minutes.
#![expect(clippy::unwrap_used, reason = "a test's helper may panic")]

mod alert_rules;
mod counting;
mod gitlab_adapter;
mod metrics_docs;
mod metrics_exposition;
mod metrics_rows;
mod prose;
mod routing;
mod simulator;
mod tools;
