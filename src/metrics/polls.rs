//! How polling a project went, and why it failed.

use crate::model::Timestamp;

/// Why a poll of a project failed; the label `reason` of `project_poll_errors_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PollError {
    /// No answer in time.
    Timeout,
    /// No connection, or it broke.
    Connection,
    /// 401: the token is not accepted.
    Unauthorized,
    /// 403: the token may not read this.
    Forbidden,
    /// 404: no such project, or not visible to the token.
    NotFound,
    /// 429: asked too often.
    RateLimited,
    /// 5xx.
    ServerError,
    /// An answer that is not what the API promises.
    InvalidAnswer,
    /// Not asked, because GitLab kept failing.
    CircuitOpen,
    /// CI/CD is switched off in the project.
    CiDisabled,
    /// Anything else.
    Other,
}

impl PollError {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::Timeout,
        Self::Connection,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimited,
        Self::ServerError,
        Self::InvalidAnswer,
        Self::CircuitOpen,
        Self::CiDisabled,
        Self::Other,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::InvalidAnswer => "invalid_answer",
            Self::CircuitOpen => "circuit_open",
            Self::CiDisabled => "ci_disabled",
            Self::Other => "other",
        }
    }
}

/// How polling a project went so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectPolls {
    /// The last poll without an error.
    pub last_success: Option<Timestamp>,
    pub(super) errors: [u64; PollError::ALL.len()],
}

impl ProjectPolls {
    /// Polls that failed for the reason.
    pub fn errors(&self, reason: PollError) -> u64 {
        self.errors[reason as usize]
    }
}
