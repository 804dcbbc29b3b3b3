//! What became of a webhook.

use strum::{IntoStaticStr, VariantArray};

/// The label `result` of `job_failure_exporter_webhook_events_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum WebhookResult {
    /// Counted at once, or made polling look.
    Taken,
    /// Of a project or ref that is not watched, or of a kind without jobs.
    Ignored,
    /// Too many were waiting; polling catches up.
    Dropped,
    /// Came before.
    Replayed,
    /// Without the right token or signature, or too old.
    Unauthorized,
    /// Not a webhook of GitLab.
    Invalid,
    /// Larger than any of GitLab's.
    TooLarge,
}
