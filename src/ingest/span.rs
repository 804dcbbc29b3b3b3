//! Spans that say on every log line which project and pipeline it is about.
//!
//! They are of level error, so that a filter that lets only warnings pass keeps them.

use tracing::{Span, error_span};

/// Everything that happens while a project is polled or backfilled.
pub fn project_span(path: &str) -> Span {
    error_span!("project", project = path)
}

/// Everything that happens while the projects of a configured name are looked for: of a group, or the project itself.
pub(super) fn discovery_span(name: &str) -> Span {
    error_span!("discovery", name)
}

/// Everything that happens while one pipeline is read.
pub(super) fn pipeline_span(id: u64) -> Span {
    error_span!("pipeline", pipeline = id)
}
