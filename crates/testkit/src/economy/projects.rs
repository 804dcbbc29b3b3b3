//! The projects of the measured hour.

use std::collections::BTreeMap;
use std::time::Duration;

use gitlab_simulator::{Handle, JobPlan, PipelinePlan};

/// Projects of the simulated GitLab.
pub(super) const PROJECTS: usize = 200;

/// Jobs in a pipeline of a busy project: two pages.
pub(super) const JOBS: usize = 150;

/// Jobs in a child pipeline: one page.
const CHILD_JOBS: usize = 30;

/// Pipelines per hour in a project that is not idle.
pub(super) const PIPELINES: usize = 6;

/// Activity of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProjectKind {
    /// One pipeline, which ended before the hour.
    Idle,
    /// A pipeline every ten minutes.
    Busy,
    /// A small pipeline with a child pipeline every ten minutes.
    WithChildren,
    /// A scheduled pipeline every ten minutes.
    Scheduled,
}

impl ProjectKind {
    pub(super) const ALL: [Self; 4] = [Self::Idle, Self::Busy, Self::WithChildren, Self::Scheduled];

    /// Two of twenty projects are busy, one has child pipelines, and one has a schedule.
    fn of(number: usize) -> Self {
        match number % 20 {
            0 | 10 => Self::Busy,
            5 => Self::WithChildren,
            15 => Self::Scheduled,
            _ => Self::Idle,
        }
    }

    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy: 6 pipelines of 150 jobs",
            Self::WithChildren => "6 pipelines of 2 jobs with a child of 30",
            Self::Scheduled => "6 scheduled pipelines of 1 job",
        }
    }
}

/// Creates the projects and plans their pipelines. Returns the projects by id.
pub(super) fn fill(gitlab: &Handle) -> BTreeMap<u64, ProjectKind> {
    let fill = |number: usize| {
        let kind = ProjectKind::of(number);
        let id = gitlab.with(|world| {
            let project = world.create_project(&format!("acme/project-{number:03}"));
            let plan = PipelinePlan::new([JobPlan::passes("build")]).instant();
            world.push_pipeline(project, plan);
            if kind == ProjectKind::Scheduled {
                let plan = PipelinePlan::new([JobPlan::passes("nightly")]);
                world.create_schedule(project, "nightly", Duration::from_mins(10), plan);
            }
            let jobs = match kind {
                ProjectKind::Idle | ProjectKind::Scheduled => return project,
                ProjectKind::Busy => jobs("test", JOBS),
                ProjectKind::WithChildren => {
                    let child = PipelinePlan::new(jobs("test", CHILD_JOBS));
                    vec![JobPlan::passes("build"), JobPlan::triggers("child", child)]
                }
            };
            for minute in (5..60).step_by(60 / PIPELINES) {
                let plan = PipelinePlan::new(jobs.clone());
                world.at(Duration::from_mins(minute), move |world| {
                    world.push_pipeline(project, plan);
                });
            }
            project
        });
        (id, kind)
    };
    (0..PROJECTS).map(fill).collect()
}

fn jobs(name: &str, count: usize) -> Vec<JobPlan> {
    let job = |n| JobPlan::passes(format!("{name}-{n}"));
    let jobs = (0..count).map(job);
    jobs.map(|job| job.taking(Duration::from_secs(10), Duration::from_secs(100)))
        .collect()
}
