//! Plans of pipelines and jobs: names, stages, durations and endings.

use std::time::Duration;

/// The end of one attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Ends with `success`.
    Passes,
    /// Ends with `failed` and this reason.
    Fails(String),
    /// Is canceled after its time on the runner.
    IsCanceled,
    /// Starts, and never ends by itself.
    Runs,
    /// Waits for a runner until its status is set by hand.
    Waits,
}

impl Ending {
    /// Fails with `script_failure`.
    pub fn fails() -> Self {
        Self::Fails("script_failure".to_owned())
    }
}

/// The pipeline that a bridge starts.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// Plan of the downstream pipeline.
    pub pipeline: PipelinePlan,
    /// `strategy: depend`: the bridge ends with the status of the pipeline.
    pub depend: bool,
    /// Path of the project of the pipeline; `None` for a child pipeline in the same project.
    pub project: Option<String>,
}

/// Plan of a job.
#[derive(Debug, Clone)]
pub struct JobPlan {
    /// Full name, matrix suffix included.
    pub name: String,
    /// Stage name.
    pub stage: String,
    /// Whether the pipeline passes although this job fails.
    pub allow_failure: bool,
    /// The end of each attempt. The last entry applies to all further attempts.
    pub attempts: Vec<Ending>,
    /// Maximum number of automatic retries (`retry:`).
    pub retry: usize,
    /// Time in the queue.
    pub wait: Duration,
    /// Time on the runner.
    pub run: Duration,
    /// `when: manual`.
    pub manual: bool,
    /// The pipeline to start, which makes the job a bridge.
    pub trigger: Option<Box<Trigger>>,
    /// `needs:`, the jobs to wait for instead of all earlier stages.
    pub needs: Option<Vec<String>>,
    /// `environment:`, which makes the job a deployment.
    pub environment: Option<String>,
    /// Share of the attempts after the listed ones that pass although the last listed one fails; `None`
    /// leaves this to the world.
    pub retries_pass: Option<f64>,
    /// Attempts in earlier pipelines that this one repeats. They are the first of `attempts`.
    pub earlier_attempts: usize,
}

impl JobPlan {
    /// A job in stage `test` with these ends of its attempts.
    pub fn new(name: impl Into<String>, attempts: impl Into<Vec<Ending>>) -> Self {
        Self {
            name: name.into(),
            stage: "test".to_owned(),
            allow_failure: false,
            attempts: attempts.into(),
            retry: 0,
            wait: Duration::from_secs(2),
            run: Duration::from_secs(20),
            manual: false,
            trigger: None,
            needs: None,
            environment: None,
            retries_pass: None,
            earlier_attempts: 0,
        }
    }

    /// A job that passes.
    pub fn passes(name: impl Into<String>) -> Self {
        Self::new(name, [Ending::Passes])
    }

    /// A job that fails with `script_failure`.
    pub fn fails(name: impl Into<String>) -> Self {
        Self::new(name, [Ending::fails()])
    }

    /// A job that fails with this `failure_reason`.
    pub fn fails_with(name: impl Into<String>, reason: &str) -> Self {
        Self::new(name, [Ending::Fails(reason.to_owned())])
    }

    /// A job that waits until its status is set by hand.
    pub fn held(name: impl Into<String>) -> Self {
        Self::new(name, [Ending::Waits])
    }

    /// A bridge that starts `pipeline` and ends with its status.
    pub fn triggers(name: impl Into<String>, pipeline: PipelinePlan) -> Self {
        let mut plan = Self::passes(name);
        plan.trigger = Some(Box::new(Trigger {
            pipeline,
            depend: true,
            project: None,
        }));
        plan
    }

    /// Makes the bridge end at once, without `strategy: depend`.
    #[must_use]
    pub fn detached(mut self) -> Self {
        if let Some(trigger) = &mut self.trigger {
            trigger.depend = false;
        }
        self
    }

    /// Makes the bridge start its pipeline in another project.
    #[must_use]
    pub fn in_project(mut self, path: &str) -> Self {
        if let Some(trigger) = &mut self.trigger {
            trigger.project = Some(path.to_owned());
        }
        self
    }

    /// Sets the stage.
    #[must_use]
    pub fn in_stage(mut self, stage: &str) -> Self {
        stage.clone_into(&mut self.stage);
        self
    }

    /// Sets `allow_failure: true`.
    #[must_use]
    pub fn allowed_to_fail(mut self) -> Self {
        self.allow_failure = true;
        self
    }

    /// Sets `retry: times`.
    #[must_use]
    pub fn retried(mut self, times: usize) -> Self {
        self.retry = times;
        self
    }

    /// Sets the time in the queue and on the runner.
    #[must_use]
    pub fn taking(mut self, wait: Duration, run: Duration) -> Self {
        self.wait = wait;
        self.run = run;
        self
    }

    /// Sets `when: manual`.
    #[must_use]
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// Sets `needs:`.
    #[must_use]
    pub fn needing<'a>(mut self, jobs: impl IntoIterator<Item = &'a str>) -> Self {
        self.needs = Some(jobs.into_iter().map(str::to_owned).collect());
        self
    }

    /// Sets `environment:`.
    #[must_use]
    pub fn deploying_to(mut self, environment: &str) -> Self {
        self.environment = Some(environment.to_owned());
        self
    }

    /// Lets this share of the attempts after the listed ones pass. 0 makes the job fail for ever.
    #[must_use]
    pub fn passing_on_retry(mut self, share: f64) -> Self {
        self.retries_pass = Some(share);
        self
    }

    /// The plan of the job in a pipeline that repeats one with so many attempts of the job.
    #[must_use]
    pub(super) fn after_attempts(mut self, count: usize) -> Self {
        self.earlier_attempts += count;
        self
    }

    /// Whether `attempts` has an own entry for this attempt, numbered from 0.
    pub(super) fn lists(&self, attempt: usize) -> bool {
        self.earlier_attempts + attempt < self.attempts.len()
    }

    /// The end of an attempt, numbered from 0.
    pub fn ending(&self, attempt: usize) -> Ending {
        self.attempts
            .get(self.earlier_attempts + attempt)
            .or(self.attempts.last())
            .cloned()
            .unwrap_or(Ending::Passes)
    }
}

/// Plan of a pipeline.
#[derive(Debug, Clone)]
pub struct PipelinePlan {
    /// Branch or tag; `None` for the default branch of the project.
    pub ref_name: Option<String>,
    /// Whether `ref_name` is a tag.
    pub tag: bool,
    /// GitLab's pipeline source: `push`, `schedule`, ..
    pub source: String,
    /// Commit of the pipeline; `None` for a new commit.
    pub sha: Option<String>,
    /// Plans of the jobs. The stages run in the order of their first job.
    pub jobs: Vec<JobPlan>,
    /// Time from the creation until the API shows the pipeline.
    pub hidden_for: Duration,
}

impl PipelinePlan {
    /// A pipeline of a push to the default branch.
    pub fn new(jobs: impl Into<Vec<JobPlan>>) -> Self {
        Self {
            ref_name: None,
            tag: false,
            source: "push".to_owned(),
            sha: None,
            jobs: jobs.into(),
            hidden_for: Duration::ZERO,
        }
    }

    /// Sets the branch.
    #[must_use]
    pub fn on(mut self, ref_name: &str) -> Self {
        self.ref_name = Some(ref_name.to_owned());
        self
    }

    /// Sets the source.
    #[must_use]
    pub fn from_source(mut self, source: &str) -> Self {
        source.clone_into(&mut self.source);
        self
    }

    /// Hides the pipeline from the API for some time after its creation.
    #[must_use]
    pub fn hidden_for(mut self, time: Duration) -> Self {
        self.hidden_for = time;
        self
    }

    /// Makes all jobs start and end without delay.
    #[must_use]
    pub fn instant(mut self) -> Self {
        for job in &mut self.jobs {
            job.wait = Duration::ZERO;
            job.run = Duration::ZERO;
        }
        self
    }

    /// The plan of a pipeline that repeats one with so many attempts of every job.
    #[must_use]
    pub(super) fn after_attempts(mut self, count: usize) -> Self {
        let jobs = self.jobs.into_iter();
        self.jobs = jobs.map(|job| job.after_attempts(count)).collect();
        self
    }

    /// Stage names in the order of their first job.
    pub fn stages(&self) -> Vec<String> {
        let mut stages: Vec<String> = Vec::new();
        for job in &self.jobs {
            if !stages.contains(&job.stage) {
                stages.push(job.stage.clone());
            }
        }
        stages
    }
}
