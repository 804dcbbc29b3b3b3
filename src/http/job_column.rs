//! The columns that a list of jobs is sorted by.

use super::sorting::Column;

/// A column of the list of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobColumn {
    /// Name of the job.
    Job,
    /// Path of the project.
    Project,
    /// The worst state.
    State,
    /// Time of the last execution.
    LastExecution,
    /// Consecutive failures.
    Streak,
    /// Failing share of the window.
    Ratio,
    /// Start of the streak.
    Since,
    /// Reason of the last failure.
    Reason,
    /// Owner.
    Team,
}

impl Column for JobColumn {
    const ALL: &'static [Self] = &[
        Self::Job,
        Self::Project,
        Self::State,
        Self::LastExecution,
        Self::Streak,
        Self::Ratio,
        Self::Since,
        Self::Reason,
        Self::Team,
    ];

    fn key(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Project => "project",
            Self::State => "state",
            Self::LastExecution => "executed",
            Self::Streak => "streak",
            Self::Ratio => "ratio",
            Self::Since => "since",
            Self::Reason => "reason",
            Self::Team => "team",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Job => "Job",
            Self::Project => "Project",
            Self::State => "State",
            Self::LastExecution => "Last executions",
            Self::Streak => "Streak",
            Self::Ratio => "Failing",
            Self::Since => "Since",
            Self::Reason => "Last failure",
            Self::Team => "Team",
        }
    }

    fn descends(self) -> bool {
        matches!(self, Self::LastExecution | Self::Streak | Self::Ratio)
    }
}
