//! Which GitLab CI jobs fail consistently, since when, and why: counted, saved and exposed.

pub mod gitlab;
pub mod model;
pub mod store;
