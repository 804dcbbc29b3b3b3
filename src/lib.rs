//! Which GitLab CI jobs fail consistently, since when, and why: counted, saved and exposed.

pub mod http;
pub mod metrics;
pub mod model;
