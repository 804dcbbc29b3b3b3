//! How a backfill goes, and what it came to.

use super::past::Written;

/// Hears how a backfill goes.
pub trait Progress: Send + Sync {
    /// A project has so many pipelines to read, of which an earlier run has read some. `place`: number of the
    /// project, and of all projects.
    fn begins(&self, project: &str, place: (usize, usize), pipelines: usize, before: usize);

    /// Another pipeline was read.
    fn has_read(&self);

    /// A project is in the store.
    fn ends(&self, project: &str, timelines: usize);
}

/// What a backfill came to.
#[derive(Debug, Default)]
pub struct BackfillOutcome {
    /// Projects that are in the store.
    pub projects: usize,
    /// All watched projects.
    pub of: usize,
    /// Pipelines that were read.
    pub pipelines: usize,
    /// Timelines that were saved.
    pub timelines: usize,
    /// Projects and names of the configuration that could not be read, and why.
    pub failed: Vec<(String, String)>,
    /// The past that was written, if it was asked for.
    pub written: Option<Written>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}
