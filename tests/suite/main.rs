//! All integration tests, as one binary: linking many would take minutes.
#![expect(clippy::unwrap_used, reason = "a test's helper may panic")]

mod alert_rules;
mod bad_input;
mod children;
mod configuration;
mod configuration_docs;
mod configuration_problems;
mod counting;
mod daemon;
mod demo;
mod end_to_end;
mod fault_proxy;
mod gitlab_adapter;
mod http_page;
mod http_server;
mod http_serving;
mod in_flight;
mod layers;
mod metrics_docs;
mod metrics_exposition;
mod metrics_rows;
mod monitoring;
mod prose;
mod refused_starts;
mod replay;
mod routing;
mod s3_servers;
mod samples;
mod schedules;
mod simulator;
mod state_on_disk;
mod store_s3;
mod tools;
mod truth;
