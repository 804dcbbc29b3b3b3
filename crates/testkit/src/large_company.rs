//! A company of any size on the simulated GitLab, for soaks of whole exporters, this one and others.

use std::time::Duration;

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};

/// How large a company is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub projects: usize,
    /// Jobs of each project.
    pub jobs: usize,
    /// Pipelines of each project.
    pub pipelines: usize,
}

/// Of so many jobs, one fails always and one now and then.
const FAILING: usize = 24;

/// A simulated GitLab with the projects of the group `acme`.
pub async fn large_company(size: Size) -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    let projects: Vec<_> = gitlab.with(|world| {
        let create = |number| world.create_project(&path(number));
        (0..size.projects).map(create).collect()
    });
    for round in 0..size.pipelines {
        gitlab.with(|world| {
            for (number, project) in projects.iter().enumerate() {
                let jobs = (0..size.jobs).map(|job| plan(number * size.jobs + job, job, round));
                let jobs: Vec<_> = jobs.collect();
                world.push_pipeline(*project, PipelinePlan::new(jobs).instant());
            }
        });
        gitlab.advance(Duration::from_mins(10));
    }
    gitlab
}

/// Path of a project, counted from 0.
pub fn path(number: usize) -> String {
    format!("acme/service-{number:05}")
}

fn plan(number: usize, job: usize, round: usize) -> JobPlan {
    let name = format!("test: [linux, part-{job:02}]");
    match number % FAILING {
        0 => JobPlan::fails(name),
        1 if round.is_multiple_of(3) => JobPlan::fails(name),
        _ => JobPlan::passes(name),
    }
}

/// Rules of owners, each for a hundred projects.
const RULES: usize = 50;

/// A configuration that exporters of all versions read, with all projects. `store` has the keys of its section.
pub fn configuration(gitlab: &Handle, requests_per_second: u32, store: &str) -> String {
    let rules = (0..RULES).map(|hundred| {
        format!("{{jobs: '*', projects: 'acme/service-{hundred:03}*', team: team-{hundred}}}")
    });
    let rules: Vec<_> = rules.collect();
    format!(
        "gitlab: {{url: '{}', requests_per_second: {requests_per_second}}}\n\
         watch: {{groups: [{{path: acme}}]}}\n\
         store: {{{store}}}\n\
         owners: {{rules: [{}]}}\n\
         clock_jump_hold: 100ms\n\
         web: {{listen_address: '127.0.0.1:0'}}\n",
        gitlab.url(),
        rules.join(", ")
    )
}
