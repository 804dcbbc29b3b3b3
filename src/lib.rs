//! Which GitLab CI jobs fail consistently, since when, and why: counted, saved and exposed.

pub mod config;
pub mod model;
