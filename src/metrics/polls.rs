//! How polling a project went.

use std::sync::Arc;

use ci_history::{Span, Timestamp};

use crate::base::api::ErrorClass;
use crate::base::label::Label as _;
use crate::base::project_problem::ProjectProblem;

/// How polling a project went so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProjectPolls {
    /// The last poll without an error.
    pub last_success: Option<Timestamp>,
    /// The same by GitLab's clock, which all replicas share.
    pub(super) last_success_by_gitlab: Option<Timestamp>,
    /// None while it is not known, and in a project without commits.
    pub(super) default_branch: Option<Arc<str>>,
    /// Why the project is not watched as the configuration says.
    pub(super) problem: Option<ProjectProblem>,
    /// Poll interval while its webhooks tell of everything, and only then.
    pub(super) seldom_interval: Option<Span>,
    /// When its schedules were last read without an error.
    pub schedules_read: Option<Timestamp>,
    pub(super) errors: [u64; ErrorClass::ALL.len()],
}

impl ProjectPolls {
    /// Polls that failed for the reason.
    pub fn errors(&self, reason: ErrorClass) -> u64 {
        self.errors[reason as usize]
    }

    /// Polls that failed.
    pub fn all_errors(&self) -> u64 {
        self.errors.iter().sum()
    }
}
