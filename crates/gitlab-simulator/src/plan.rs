//! What a pipeline and its jobs are going to do: written down before they run.

use std::time::Duration;

/// How one attempt of a job ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Ends with `success`.
    Passes,
    /// Ends with `failed` and this reason.
    Fails(String),
    /// Somebody cancels it when its time is over.
    IsCanceled,
    /// Starts and never ends of itself.
    Runs,
    /// Waits for a runner for ever, or until its status is set by hand.
    Waits,
}

impl Ending {
    /// Fails with `script_failure`.
    pub fn fails() -> Self {
        Self::Fails("script_failure".to_owned())
    }
}

/// What a trigger job starts.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The child pipeline.
    pub pipeline: PipelinePlan,
    /// `strategy: depend`: the bridge ends as its child does.
    pub depend: bool,
    /// Path of another project in which the pipeline runs; its own where not given.
    pub project: Option<String>,
}

/// One job of a pipeline.
#[derive(Debug, Clone)]
pub struct JobPlan {
    /// Full name, matrix suffix included.
    pub name: String,
    /// Stage name.
    pub stage: String,
    /// Whether the pipeline passes although this job fails.
    pub allow_failure: bool,
    /// How each attempt ends; the last entry holds for all that follow.
    pub attempts: Vec<Ending>,
    /// How often the pipeline retries it by itself (`retry:`).
    pub retry: usize,
    /// Time in the queue.
    pub wait: Duration,
    /// Time on the runner.
    pub run: Duration,
    /// `when: manual`: started by nobody.
    pub manual: bool,
    /// Makes it a bridge.
    pub trigger: Option<Box<Trigger>>,
}

impl JobPlan {
    /// A job in stage `test` whose attempts end as given.
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

    /// A job that fails with this reason.
    pub fn fails_with(name: impl Into<String>, reason: &str) -> Self {
        Self::new(name, [Ending::Fails(reason.to_owned())])
    }

    /// A job that waits until its status is set by hand.
    pub fn held(name: impl Into<String>) -> Self {
        Self::new(name, [Ending::Waits])
    }

    /// A bridge that starts `pipeline` and ends as it does.
    pub fn triggers(name: impl Into<String>, pipeline: PipelinePlan) -> Self {
        let mut plan = Self::passes(name);
        plan.trigger = Some(Box::new(Trigger {
            pipeline,
            depend: true,
            project: None,
        }));
        plan
    }

    /// As a bridge, ends at once and leaves its pipeline alone.
    #[must_use]
    pub fn detached(mut self) -> Self {
        if let Some(trigger) = &mut self.trigger {
            trigger.depend = false;
        }
        self
    }

    /// As a bridge, starts its pipeline in the project of this path.
    #[must_use]
    pub fn in_project(mut self, path: &str) -> Self {
        if let Some(trigger) = &mut self.trigger {
            trigger.project = Some(path.to_owned());
        }
        self
    }

    /// In this stage.
    #[must_use]
    pub fn in_stage(mut self, stage: &str) -> Self {
        stage.clone_into(&mut self.stage);
        self
    }

    /// With `allow_failure: true`.
    #[must_use]
    pub fn allowed_to_fail(mut self) -> Self {
        self.allow_failure = true;
        self
    }

    /// With `retry: times`.
    #[must_use]
    pub fn retried(mut self, times: usize) -> Self {
        self.retry = times;
        self
    }

    /// So long in the queue, so long on the runner.
    #[must_use]
    pub fn taking(mut self, wait: Duration, run: Duration) -> Self {
        self.wait = wait;
        self.run = run;
        self
    }

    /// With `when: manual`.
    #[must_use]
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// How that attempt (from 0) ends.
    pub fn ending(&self, attempt: usize) -> Ending {
        self.attempts
            .get(attempt)
            .or(self.attempts.last())
            .cloned()
            .unwrap_or(Ending::Passes)
    }
}

/// One pipeline.
#[derive(Debug, Clone)]
pub struct PipelinePlan {
    /// Branch or tag; the project's default branch where not given.
    pub ref_name: Option<String>,
    /// Whether `ref_name` is a tag.
    pub tag: bool,
    /// What started it.
    pub source: String,
    /// The commit; a new one where not given.
    pub sha: Option<String>,
    /// Its jobs; the stages run in the order in which they first appear.
    pub jobs: Vec<JobPlan>,
    /// How long after its creation the API shows it.
    pub hidden_for: Duration,
}

impl PipelinePlan {
    /// A push to the default branch that runs these jobs.
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

    /// On this branch.
    #[must_use]
    pub fn on(mut self, ref_name: &str) -> Self {
        self.ref_name = Some(ref_name.to_owned());
        self
    }

    /// Started by this source.
    #[must_use]
    pub fn from_source(mut self, source: &str) -> Self {
        source.clone_into(&mut self.source);
        self
    }

    /// On this commit.
    #[must_use]
    pub fn at_commit(mut self, sha: &str) -> Self {
        self.sha = Some(sha.to_owned());
        self
    }

    /// Seen through the API only so long after its creation.
    #[must_use]
    pub fn hidden_for(mut self, time: Duration) -> Self {
        self.hidden_for = time;
        self
    }

    /// All its jobs take no time at all.
    #[must_use]
    pub fn instant(mut self) -> Self {
        for job in &mut self.jobs {
            job.wait = Duration::ZERO;
            job.run = Duration::ZERO;
        }
        self
    }

    /// Stage names in the order in which they first appear.
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
