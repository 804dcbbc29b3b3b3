//! The integration tests, as one binary.

mod metrics_docs;
mod metrics_exposition;
mod metrics_rows;
