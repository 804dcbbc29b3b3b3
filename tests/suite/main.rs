//! The integration tests, in one binary.

#![expect(
    clippy::unwrap_used,
    reason = "clippy sees tests in test functions only, not in what they share"
)]

mod configuration;
mod configuration_docs;
mod configuration_problems;
