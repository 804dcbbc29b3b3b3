//! The rules of counting.

/// How to count a pipeline that is older than the newest finished one of its timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LatePipelines {
    /// Insert its executions in the order of pipelines.
    #[default]
    Insert,
    /// Ignore it.
    Skip,
}

/// How to count a tracked job in a finished pipeline in which it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AbsentJobs {
    /// Count the job only if it passed.
    #[default]
    Ignore,
    /// Count the job as passed, whether it ran or not.
    Pass,
}

/// How to count failures caused by the runner or by GitLab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InfrastructureFailures {
    /// Count them as any other failure.
    #[default]
    Count,
    /// Ignore them: the execution has no outcome.
    Ignore,
}

/// How to count deployments that GitLab failed without running them, such as outdated ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutdatedDeployments {
    /// Ignore them: an earlier attempt decides, and without one the execution has no outcome.
    #[default]
    Ignore,
    /// Count them as any other failure.
    Count,
}

/// Which jobs share a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JobNames {
    /// Every job name has its own history.
    #[default]
    Full,
    /// The parts of a parallel or matrix job (`test 1/3`, `test: [a, b]`) share a history.
    Grouped,
    /// Names that are equal up to the first `:` or 48 code points share a history.
    DatadogAgent,
}

/// Whether jobs without any failure have a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NeverFailedJobs {
    /// Track every job: alerts on missing successes need the last one.
    #[default]
    Track,
    /// Track a job from its first failure on.
    Ignore,
}

/// Default of [`Rules::absent_after`].
const ABSENT_AFTER: usize = 10;

/// How executions are counted: the section `counting` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Executions in the window of a job.
    pub window: usize,
    /// How to count pipelines that arrive after a newer one has finished.
    pub late_pipelines: LatePipelines,
    /// How to count tracked jobs in finished pipelines in which they did not fail.
    pub absent_jobs: AbsentJobs,
    /// How to count failures caused by the runner or by GitLab.
    pub infrastructure_failures: InfrastructureFailures,
    /// How to count deployments that GitLab failed without running them.
    pub outdated_deployments: OutdatedDeployments,
    /// Which jobs share a history.
    pub job_names: JobNames,
    /// Whether jobs without any failure have a history.
    pub never_failed_jobs: NeverFailedJobs,
    /// A job is gone once this many of its pipelines in a row had no such job; 0: never.
    pub absent_after: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            window: 10,
            late_pipelines: LatePipelines::default(),
            absent_jobs: AbsentJobs::default(),
            infrastructure_failures: InfrastructureFailures::default(),
            outdated_deployments: OutdatedDeployments::default(),
            job_names: JobNames::default(),
            never_failed_jobs: NeverFailedJobs::default(),
            absent_after: ABSENT_AFTER,
        }
    }
}

impl Rules {
    /// The rules for the history of pipelines, which absent jobs do not affect.
    #[must_use]
    pub fn for_pipelines(&self) -> Self {
        Self {
            absent_jobs: AbsentJobs::Ignore,
            ..self.clone()
        }
    }

    /// The preset `datadog-agent`: the behaviour of its `check_consistent_failures` task.
    pub fn datadog_agent() -> Self {
        Self {
            window: 10,
            late_pipelines: LatePipelines::Skip,
            absent_jobs: AbsentJobs::Pass,
            infrastructure_failures: InfrastructureFailures::Count,
            outdated_deployments: OutdatedDeployments::Count,
            job_names: JobNames::DatadogAgent,
            never_failed_jobs: NeverFailedJobs::Ignore,
            absent_after: ABSENT_AFTER,
        }
    }
}
