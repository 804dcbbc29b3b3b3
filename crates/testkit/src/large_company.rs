//! A company of any size on the simulated GitLab, for soaks of whole exporters, this one and others.

use std::time::Duration;

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};

/// Jobs of each project.
pub const JOBS: usize = 40;

/// Pipelines of each project.
const PIPELINES: usize = 10;

/// Of so many jobs, one fails always and one now and then.
const FAILING: usize = 24;

/// A simulated GitLab whose projects have this many jobs together, rounded up to whole projects.
pub async fn large_company(jobs: usize) -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    let projects: Vec<_> = gitlab.with(|world| {
        let path = |number| format!("acme/service-{number:04}");
        let numbers = 0..projects(jobs);
        numbers
            .map(|number| world.create_project(&path(number)))
            .collect()
    });
    for round in 0..PIPELINES {
        gitlab.with(|world| {
            for (number, project) in projects.iter().enumerate() {
                let jobs = (0..JOBS).map(|job| plan(number * JOBS + job, round));
                let jobs: Vec<_> = jobs.collect();
                world.push_pipeline(*project, PipelinePlan::new(jobs).instant());
            }
        });
        gitlab.advance(Duration::from_mins(10));
    }
    gitlab
}

/// Projects of a company with so many jobs.
pub fn projects(jobs: usize) -> usize {
    jobs.div_ceil(JOBS)
}

fn plan(number: usize, round: usize) -> JobPlan {
    let name = format!("test: [linux, part-{:02}]", number % JOBS);
    match number % FAILING {
        0 => JobPlan::fails(name),
        1 if round.is_multiple_of(3) => JobPlan::fails(name),
        _ => JobPlan::passes(name),
    }
}

/// A configuration that exporters of all versions read, with all projects. `store` has the keys of its section.
pub fn configuration(gitlab: &Handle, requests_per_second: u32, store: &str) -> String {
    format!(
        "gitlab: {{url: '{}', requests_per_second: {requests_per_second}}}\n\
         watch: {{groups: [{{path: acme}}]}}\n\
         store: {{{store}}}\n\
         clock_jump_hold: 100ms\n\
         web: {{listen_address: '127.0.0.1:0'}}\n",
        gitlab.url()
    )
}
