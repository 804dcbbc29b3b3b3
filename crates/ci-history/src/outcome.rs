//! Outcomes of executions.

use serde::{Deserialize, Serialize};
use strum::{EnumCount, IntoStaticStr, VariantArray};

/// Outcome of an execution. Only the first three enter a window; only `Failed` is failing.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    EnumCount,
    VariantArray,
    IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[repr(u8)]
pub enum Outcome {
    /// The last attempt succeeded.
    Passed,
    /// The last attempt failed, and `allow_failure` is not set.
    Failed,
    /// The last attempt failed, and `allow_failure` is set.
    AllowedFailure,
    /// The last attempt was canceled.
    Canceled,
    /// The job was skipped.
    Skipped,
}

impl Outcome {
    /// Every outcome, in order of declaration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.as_array().expect("every variant once");

    /// Value of the label `outcome`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// True if executions with this outcome enter the window.
    pub fn enters_window(self) -> bool {
        matches!(self, Self::Passed | Self::Failed | Self::AllowedFailure)
    }
}
