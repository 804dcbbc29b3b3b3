//! Which GitLab CI jobs fail consistently, since when, and why: counted, saved and exposed.

pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod gitlab;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod model;
pub mod simulator;
pub mod store;
