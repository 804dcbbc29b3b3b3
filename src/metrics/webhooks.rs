//! What became of a webhook.

/// The label `result` of `job_failure_exporter_webhook_events_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookResult {
    /// Counted at once, or made polling look.
    Taken,
    /// Of a project or ref that is not watched, or of a kind that says nothing of jobs.
    Ignored,
    /// Too many were waiting; polling catches up.
    Dropped,
    /// Came before.
    Replayed,
    /// Without the right token or signature, or too old.
    Unauthorized,
    /// Not what GitLab sends.
    Invalid,
    /// Larger than any of GitLab's.
    TooLarge,
}

impl WebhookResult {
    /// All results.
    pub const ALL: [Self; 7] = [
        Self::Taken,
        Self::Ignored,
        Self::Dropped,
        Self::Replayed,
        Self::Unauthorized,
        Self::Invalid,
        Self::TooLarge,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Ignored => "ignored",
            Self::Dropped => "dropped",
            Self::Replayed => "replayed",
            Self::Unauthorized => "unauthorized",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
        }
    }
}
