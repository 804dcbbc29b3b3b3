//! Which GitLab CI jobs fail consistently, since when, and why: counted, saved and exposed.

pub mod clock;
pub mod model;
pub mod simulator;
