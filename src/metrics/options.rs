//! What is exposed, as the configuration has it.

use std::collections::HashSet;

use ci_history::TimelineRows;

use super::catalog::Described;

/// The address of a job's page, given its timeline and its name.
type JobUrl = dyn Fn(&TimelineRows, &str) -> Option<String> + Send + Sync;

/// What is exposed: of a failing job besides its figures, and which families.
#[derive(Default)]
pub struct ExpositionOptions {
    job_url: Option<Box<JobUrl>>,
    hides_log_lines: bool,
    disabled: HashSet<&'static str>,
}

impl ExpositionOptions {
    /// Exposes the address of each failing job's page.
    #[must_use]
    pub fn with_job_urls(
        mut self,
        job_url: impl Fn(&TimelineRows, &str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.job_url = Some(Box::new(job_url));
        self
    }

    /// Exposes nothing of the logs.
    #[must_use]
    pub fn without_log_lines(mut self) -> Self {
        self.hides_log_lines = true;
        self
    }

    /// Exposes no family of these names.
    #[must_use]
    pub fn without(mut self, families: impl IntoIterator<Item = &'static str>) -> Self {
        self.disabled.extend(families);
        self
    }

    pub(super) fn shows(&self, family: &Described) -> bool {
        !self.disabled.contains(family.name)
    }

    pub(super) fn shows_log_lines(&self) -> bool {
        !self.hides_log_lines
    }

    pub(super) fn job_url(&self, rows: &TimelineRows, job: &str) -> Option<String> {
        self.job_url.as_ref()?(rows, job)
    }
}
