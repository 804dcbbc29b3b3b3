//! What is observed and how it is counted: pure, without I/O, logging or a clock.

mod observation;
mod time;

pub use observation::{JobObservation, PipelineObservation, Status};
pub use time::{Span, Timestamp};
