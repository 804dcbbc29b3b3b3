//! What an execution came to.

use serde::{Deserialize, Serialize};

/// Outcome of an execution. Only the first three enter a window, only `Failed` is failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Outcome {
    /// The last attempt succeeded.
    Passed,
    /// The last attempt failed and the job may not.
    Failed,
    /// The last attempt failed and the job may (`allow_failure`).
    AllowedFailure,
    /// The last attempt was canceled.
    Canceled,
    /// The job was skipped.
    Skipped,
}

impl Outcome {
    /// All outcomes, in the order of their declaration.
    pub const ALL: [Self; 5] = [
        Self::Passed,
        Self::Failed,
        Self::AllowedFailure,
        Self::Canceled,
        Self::Skipped,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::AllowedFailure => "allowed_failure",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
        }
    }

    /// True for the outcomes that enter a window.
    pub fn is_counted(self) -> bool {
        matches!(self, Self::Passed | Self::Failed | Self::AllowedFailure)
    }
}
