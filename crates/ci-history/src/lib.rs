//! What is observed and how it is counted: pure, without I/O, logging or a clock.

mod attempt;
mod cause;
mod classify;
pub mod clock;
pub mod duration;
mod execution;
mod figures;
mod history;
mod log;
mod mask;
mod merge;
mod name;
mod observation;
mod outcome;
mod rebuild;
mod rules;
mod shard;
mod summary;
mod time;
mod timeline;

pub use cause::LogRules;
pub use classify::FailureClass;
pub use figures::{
    ClassCounts, Failing, Figures, JobRow, OutcomeCounts, TimelineRows, WindowEntry,
};
pub use history::History;
pub use log::{LogExcerpt, LogFinding, LogText};
pub use observation::{JobObservation, PipelineObservation, Status};
pub use outcome::Outcome;
pub use rules::{
    AbsentJobs, InfrastructureFailures, JobNames, LatePipelines, NeverFailedJobs, Rules,
};
pub use shard::Shard;
pub use time::{Span, Timestamp};
pub use timeline::{Changes, Job, Timeline, TimelineKey};

/// The inner shape of histories, for those who save them.
pub mod stored {
    pub use super::History;
    pub use super::attempt::{Attempt, Detail, Phase};
    pub use super::execution::{Counted, Execution};
    pub use super::history::{Carried, Imported};
    pub use super::timeline::Job;
}
