//! Requests of an hour of polling once it has settled: nothing to do, or some projects busy; by GraphQL, by REST, with
//! webhooks.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ci_history::Status;
use gitlab_simulator::{Handle, Hook, JobPlan, PipelinePlan};
use job_failure_exporter::config::Api;
use job_failure_exporter::ingest::PollHint;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::economy::Measuring;

const HOUR: u64 = 3600;

/// Longer than projects count as active after the start.
const SETTLING: u64 = 16 * 60;

/// Requests a second: more than are needed.
const RATE: u32 = 1000;

/// One project of so many is busy.
const BUSY: usize = 20;

/// Time between two pipelines of a busy project, and about as long as each runs.
const PIPELINE: Duration = Duration::from_mins(10);

/// Jobs of such a pipeline. The n-th runs for n minutes.
const JOBS: u64 = 9;

/// One pipeline of so many has a job that fails.
const FAILING: u32 = 3;

/// How polling learns what moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Sweeps.
    Graphql,
    /// A list of each project.
    Rest,
    /// Sweeps and webhooks.
    Hooks,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Graphql => "GraphQL",
            Self::Rest => "REST",
            Self::Hooks => "GraphQL and webhooks",
        })
    }
}

impl Way {
    /// What the configuration says.
    pub fn api(self) -> Api {
        match self {
            Self::Rest => Api::Rest,
            Self::Graphql | Self::Hooks => Api::Auto,
        }
    }
}

/// The requests of an hour, by endpoint.
#[derive(Debug, Default)]
pub struct UsualHour {
    /// By method and path.
    pub by_endpoint: BTreeMap<&'static str, usize>,
}

impl UsualHour {
    /// All of them.
    pub fn requests(&self) -> usize {
        self.by_endpoint.values().sum()
    }

    /// Requests of sweeps.
    pub fn sweeps(&self) -> usize {
        self.by_endpoint.get("graphql").copied().unwrap_or_default()
    }
}

/// Measures an hour of so many projects. Requires a runtime with paused time.
///
/// # Panics
///
/// If a poll fails.
pub async fn usual_hour(way: Way, is_busy: bool, projects: usize) -> UsualHour {
    let measuring = Measuring::start(way.api(), RATE, |gitlab| fill(gitlab, is_busy, projects));
    let mut hooks = measuring.gitlab().hooks();
    let mut hour = UsualHour::default();
    let mut received = 0;
    for second in 0..SETTLING + HOUR {
        if second % 10 == 0 {
            let requests = measuring.gitlab().requests();
            measuring.gitlab().forget_requests();
            received += requests.len();
            if second > SETTLING {
                count(&mut hour, requests.iter().map(|it| it.endpoint));
            }
        }
        while let Some((project, hint)) = next_hint(&mut hooks) {
            if way == Way::Hooks {
                measuring.take_hook(project, hint);
            }
        }
        measuring.second_passes(received).await;
    }
    let requests = measuring.gitlab().requests();
    count(&mut hour, requests.iter().map(|it| it.endpoint));
    assert_eq!(measuring.failed(), 0);
    assert!(measuring.progress().is_over);
    measuring.end().await;
    hour
}

fn count(hour: &mut UsualHour, endpoints: impl Iterator<Item = &'static str>) {
    for endpoint in endpoints {
        *hour.by_endpoint.entry(endpoint).or_default() += 1;
    }
}

/// What the next webhook hints at, and its project.
fn next_hint(hooks: &mut UnboundedReceiver<Hook>) -> Option<(u64, PollHint)> {
    let hook = hooks.try_recv().ok()?;
    let of = |path: &str| hook.body.pointer(path).cloned().unwrap_or_default();
    let moved = hook.event == "Pipeline Hook";
    let (project, pipeline, status) = if moved {
        (
            "/project/id",
            "/object_attributes/id",
            "/object_attributes/status",
        )
    } else {
        ("/project_id", "/pipeline_id", "/build_status")
    };
    let status = Status::parse(of(status).as_str()?);
    if !moved && !status.is_terminal() && status != Status::Running {
        return next_hint(hooks);
    }
    let hint = PollHint {
        pipeline: of(pipeline).as_u64()?,
        moved,
        is_urgent: status.is_terminal(),
    };
    Some((of(project).as_u64()?, hint))
}

/// Creates projects whose pipelines have ended, and plans those of the busy ones.
fn fill(gitlab: &Handle, is_busy: bool, projects: usize) {
    gitlab.with(|world| {
        for number in 0..projects {
            let project = world.create_project(&format!("acme/project-{number:04}"));
            let plan = PipelinePlan::new([JobPlan::passes("build")]).instant();
            world.push_pipeline(project, plan);
        }
    });
    gitlab.advance(Duration::from_hours(1));
    if !is_busy {
        return;
    }
    gitlab.with(|world| {
        for number in (0..projects).step_by(BUSY) {
            let path = format!("acme/project-{number:04}");
            let project = world.project_by_path(&path).map_or(0, |found| found.id);
            let first = Duration::from_secs(number as u64 * 37 % PIPELINE.as_secs());
            let pipelines = Duration::from_secs(SETTLING + HOUR).as_secs() / PIPELINE.as_secs();
            for pipeline in 0..=u32::try_from(pipelines).unwrap_or_default() {
                let plan = pipeline_of(pipeline);
                world.at(first + PIPELINE * pipeline, move |world| {
                    world.push_pipeline(project, plan);
                });
            }
        }
    });
}

fn pipeline_of(number: u32) -> PipelinePlan {
    let job = |n: u64| {
        let name = format!("job-{n}");
        let fails = n == JOBS && number.is_multiple_of(FAILING);
        let plan = if fails {
            JobPlan::fails(name)
        } else {
            JobPlan::passes(name)
        };
        plan.taking(Duration::from_secs(10), Duration::from_mins(n))
    };
    PipelinePlan::new((1..=JOBS).map(job).collect::<Vec<_>>())
}
