//! The first start with many projects: when the newest pipelines of all of them are shown, and at how many requests.

use std::fmt;
use std::time::Duration;

use gitlab_simulator::{Handle, JobPlan, PipelinePlan};
use job_failure_exporter::config::Api;

use crate::economy::Measuring;

/// Pipelines of each default branch: a whole backfill.
const PIPELINES: usize = 50;

/// Every such project has jobs that fail.
const FAILING: usize = 10;

/// Requests a second, the default.
const RATE: u32 = 10;

/// A first start that takes longer is given up.
const LONGEST: u64 = 4 * 3600;

/// What a first start came to.
#[derive(Debug)]
pub struct FirstStart {
    /// Watched projects.
    pub projects: usize,
    /// Seconds until the newest pipelines of every project were read.
    pub seconds: u64,
    /// Requests until then.
    pub requests: usize,
    /// Projects of which something was shown by then.
    pub shown: usize,
    /// Projects whose past was still to be read then.
    pub with_past: usize,
}

impl fmt::Display for FirstStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            projects,
            seconds,
            requests,
            shown,
            with_past,
        } = self;
        let each = *requests as f64 / *projects as f64;
        write!(
            f,
            "{projects} projects: the newest pipelines of all after {seconds} s and {requests} requests ({each:.2} a \
             project); {shown} shown, {with_past} with a past to read"
        )
    }
}

/// Measures a first start with so many projects. Requires a runtime with paused time.
pub async fn first_start(api: Api, projects: usize) -> FirstStart {
    let measuring = Measuring::start(api, RATE, |gitlab| fill(gitlab, projects));
    let mut seconds = 0;
    while !measuring.progress().is_over && seconds < LONGEST {
        measuring.second_passes(0).await;
        seconds += 1;
    }
    let progress = measuring.progress();
    let start = FirstStart {
        projects,
        seconds,
        requests: measuring.requests(),
        shown: measuring.shown(),
        with_past: progress.with_past,
    };
    measuring.end().await;
    start
}

/// Creates projects with pipelines that have ended.
fn fill(gitlab: &Handle, projects: usize) {
    gitlab.with(|world| {
        for number in 0..projects {
            let project = world.create_project(&format!("acme/project-{number:04}"));
            for _ in 0..PIPELINES {
                let last = if number % FAILING == 0 {
                    JobPlan::fails("unit")
                } else {
                    JobPlan::passes("unit")
                };
                let jobs = [JobPlan::passes("build"), JobPlan::passes("lint"), last];
                world.push_pipeline(project, PipelinePlan::new(jobs).instant());
            }
        }
    });
    gitlab.advance(Duration::from_hours(1));
}
