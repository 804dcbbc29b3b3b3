//! Which GitLab CI jobs fail consistently, since when, and why: counted, saved and exposed.

pub mod cli;
pub mod config;
pub mod gitlab;
pub mod model;
pub mod store;
