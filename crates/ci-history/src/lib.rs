//! Counts executions of CI jobs: pure, without I/O or logging.
//!
//! A poller passes [`PipelineObservation`]s and [`JobObservation`]s to the [`Timeline`] of their project's
//! ref. The timeline keeps one history per job and one of the pipelines, counts by [`Rules`], and returns the
//! [`Changes`]. [`Timeline::rows`] gives the [`Figures`] of all histories, for rendering.
//!
//! | area | files |
//! | --- | --- |
//! | input | `observation`, `rules`, `name`, `shard` |
//! | identity | `key`, `track` |
//! | counting | `finished`, `attempt` -> `execution` -> `baseline` -> `history` -> `timeline` |
//! | further operations on timelines | `absence`, `backfill`, `identity`, `import`, `known`, `merge`, `regroup`, `retention`, `withdrawal` |
//! | output | `figures`, `past`, `pipeline`, `record`, `summary` |
//! | failures | `commit`, `failure_class`, `line`, `log`, `log_rules`, `mask`, `telling_line` |
//! | time | `clock`, `duration`, `time` |

mod absence;
mod attempt;
mod attempt_times;
mod attempts;
mod backfill;
mod baseline;
pub mod clock;
mod commit;
mod counts;
pub mod duration;
mod execution;
mod failure_class;
mod figures;
mod finished;
mod grid;
mod history;
mod identity;
mod import;
mod key;
mod known;
mod line;
mod log;
mod log_rules;
mod mask;
mod merge;
mod mixed;
mod name;
mod observation;
mod outcome;
mod past;
mod pattern;
mod pipeline;
mod pipeline_list;
mod record;
mod regroup;
mod retention;
mod rules;
mod scope;
mod shard;
mod summary;
mod telling_line;
mod time;
mod timeline;
mod track;
mod withdrawal;

pub use absence::Absence;
pub use commit::{CommitInfo, UnmaskedCommit};
pub use counts::{ClassCounts, Counts, Kind, OutcomeCounts};
pub use failure_class::FailureClass;
pub use figures::{Failing, Figures, JobRow, TimelineRows, WindowEntry};
pub use grid::{Grid, GridCell, GridJob, GridPipeline};
pub use identity::is_another;
pub use key::{TAG_TRACK, TimelineKey};
pub use log::{LogExcerpt, LogFinding, LogText};
pub use log_rules::{LogRule, LogRules};
pub use mask::Masker;
pub use mixed::Tallies;
pub use observation::{CONFIG_ERROR, JOBS_FAILED, JobObservation, PipelineObservation, Status};
pub use outcome::Outcome;
pub use past::{FailedAttempt, FollowingAttempt};
pub use pipeline::{ExecutionRow, ExecutionState, PipelineRow};
pub use pipeline_list::{JobCounts, PipelineSummary};
pub use record::PipelineRecord;
pub use rules::{
    AbsentJobs, InfrastructureFailures, JobNames, LatePipelines, NeverFailedJobs,
    OutdatedDeployments, Rules,
};
pub use scope::CHILD_SEPARATOR;
pub use shard::Shard;
pub use time::{Span, Timestamp};
pub use timeline::{Changes, Timeline};
pub use track::{ALL_MERGE_REQUESTS, MERGE_REQUEST_REFS, Track, Tracks};
pub use withdrawal::{Absentee, NotListed};

/// The parts of histories, for the documents of the store.
pub mod stored {
    pub use super::attempt::{Attempt, Detail, Phase};
    pub use super::attempt_times::AttemptTimes;
    pub use super::baseline::{Baseline, Imported, ImportedWindow, StreakStart};
    pub use super::execution::{Counted, Execution};
    pub use super::finished::{FinishedPipelines, KEPT_FINISHED};
    pub use super::history::History;
    pub use super::timeline::Job;
}
