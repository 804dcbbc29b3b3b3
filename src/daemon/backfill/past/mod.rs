//! The past as OpenMetrics: what an exporter would have exposed since long ago, for `promtool tsdb create-blocks-from
//! openmetrics`.
//!
//! ```text
//! pipelines, read in order -> retrace (moment by moment) -> runs (value changes) -> part (one file a project) -> openmetrics
//! ```
//!
//! Only changes are kept until the end, which writes them out as one sample for each step.

mod error;
mod grid;
mod openmetrics;
mod part;
mod plan;
mod retrace;
mod runs;

pub use error::PastError;
pub use openmetrics::Written;
pub use plan::PastOptions;
pub(super) use plan::{Plan, Scope};
pub(super) use retrace::{ProjectPast, TimelinePast};
