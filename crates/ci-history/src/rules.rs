//! The rules by which executions are counted.

/// What happens to a pipeline older than the newest finished one of its timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LatePipelines {
    /// Its executions are inserted at their place.
    #[default]
    Insert,
    /// It is not counted at all.
    Skip,
}

/// What a finished pipeline says of a tracked job that did not fail in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AbsentJobs {
    /// Nothing, unless the job was decided there.
    #[default]
    Ignore,
    /// The job counts as passed, whether it ran or not.
    Pass,
}

/// Whether failures that the job's script did not cause are failures of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InfrastructureFailures {
    /// They count as any failure.
    #[default]
    Count,
    /// They are no outcome, like a canceled job.
    Ignore,
}

/// Which jobs share a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JobNames {
    /// Every name has its own.
    #[default]
    Full,
    /// The parts of a parallel or matrix job (`test 1/3`, `test: [a, b]`) share one.
    Grouped,
    /// Names are cut at the first `:` and at 48 code points.
    DatadogAgent,
}

/// Whether a job that never failed has a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NeverFailedJobs {
    /// It has: a dead man's switch needs its last success.
    #[default]
    Track,
    /// It has none until it fails for the first time.
    Ignore,
}

/// How executions are counted; the configuration's `counting:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How many executions of a job the ratio looks at.
    pub window: usize,
    /// Pipelines that arrive after a newer one has finished.
    pub late_pipelines: LatePipelines,
    /// Tracked jobs that did not fail in a finished pipeline.
    pub absent_jobs: AbsentJobs,
    /// Failures of the infrastructure.
    pub infrastructure_failures: InfrastructureFailures,
    /// Which jobs share a history.
    pub job_names: JobNames,
    /// Jobs that never failed.
    pub never_failed_jobs: NeverFailedJobs,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            window: 10,
            late_pipelines: LatePipelines::default(),
            absent_jobs: AbsentJobs::default(),
            infrastructure_failures: InfrastructureFailures::default(),
            job_names: JobNames::default(),
            never_failed_jobs: NeverFailedJobs::default(),
        }
    }
}

impl Rules {
    /// The rules for pipelines as a unit: whether one passed does not depend on the rules for jobs.
    #[must_use]
    pub fn for_pipelines(&self) -> Self {
        Self {
            absent_jobs: AbsentJobs::Ignore,
            ..self.clone()
        }
    }

    /// The behaviour of datadog-agent's `check_consistent_failures`: the preset `datadog-agent`.
    pub fn datadog_agent() -> Self {
        Self {
            window: 10,
            late_pipelines: LatePipelines::Skip,
            absent_jobs: AbsentJobs::Pass,
            infrastructure_failures: InfrastructureFailures::Count,
            job_names: JobNames::DatadogAgent,
            never_failed_jobs: NeverFailedJobs::Ignore,
        }
    }
}
