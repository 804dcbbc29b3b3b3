//! What is observed and how it is counted: pure, without I/O, logging or a clock.

mod classify;
mod figures;
mod observation;
mod outcome;
mod rules;
mod time;

pub use classify::FailureClass;
pub use figures::{
    ClassCounts, Failing, Figures, JobRow, OutcomeCounts, TimelineRows, WindowEntry,
};
pub use observation::{JobObservation, PipelineObservation, Status};
pub use outcome::Outcome;
pub use rules::{
    AbsentJobs, InfrastructureFailures, JobNames, LatePipelines, NeverFailedJobs, Rules,
};
pub use time::{Span, Timestamp};
