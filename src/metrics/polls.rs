//! How polling a project went.

use ci_history::Timestamp;

use crate::base::api::ErrorClass;
use crate::base::label::Label as _;

/// How polling a project went so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectPolls {
    /// The last poll without an error.
    pub last_success: Option<Timestamp>,
    /// When its schedules were last read without an error.
    pub schedules_read: Option<Timestamp>,
    pub(super) errors: [u64; ErrorClass::ALL.len()],
}

impl ProjectPolls {
    /// Polls that failed for the reason.
    pub fn errors(&self, reason: ErrorClass) -> u64 {
        self.errors[reason as usize]
    }
}
