//! Requests of an hour of polling once it has settled: nothing to do, or some projects busy; by GraphQL, by REST, with
//! webhooks.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ci_history::Status;
use gitlab_simulator::{Handle, Hook, JobPlan, PipelinePlan, World};
use job_failure_exporter::config::Api;
use job_failure_exporter::ingest::PollHint;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::economy::Measuring;

const HOUR: u64 = 3600;

/// Longer than projects count as active after the start.
const SETTLING: u64 = 16 * 60;

/// Seconds from when on, and for how long, each project runs a pipeline whose webhooks come.
const FIRST_SIGNS: u64 = 2 * 60;
const SIGNS: u64 = 10 * 60;

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
    /// Most seconds until the end of a pipeline was known, and of a job, in a busy hour.
    pub latest: Latest,
}

/// Seconds.
#[derive(Debug, Default)]
pub struct Latest {
    /// Of a pipeline.
    pub pipeline: u64,
    /// Of a job.
    pub job: u64,
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
    let measuring = Measuring::start(way.api(), RATE, |gitlab| {
        fill(gitlab, way, is_busy, projects);
    });
    let mut hooks = measuring.gitlab().hooks();
    let mut hour = UsualHour::default();
    let mut received = 0;
    let mut unknown = UnknownEnds::default();
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
        if second > SETTLING && is_busy {
            unknown.look(&measuring, projects, &mut hour.latest);
        }
    }
    let requests = measuring.gitlab().requests();
    count(&mut hour, requests.iter().map(|it| it.endpoint));
    assert_eq!(measuring.failed(), 0);
    assert!(measuring.progress().is_over);
    measuring.end().await;
    hour
}

/// Ends that are not known yet, each with the seconds since.
#[derive(Default)]
struct UnknownEnds {
    pipelines: BTreeMap<u64, u64>,
    jobs: BTreeMap<u64, u64>,
}

impl UnknownEnds {
    /// Looks at the two newest pipelines of each busy project.
    fn look<F>(&mut self, measuring: &Measuring<F>, projects: usize, latest: &mut Latest) {
        let (pipelines, jobs) = measuring.gitlab().with(|world| {
            let (mut pipelines, mut jobs) = (Vec::new(), Vec::new());
            for number in (0..projects).step_by(BUSY) {
                let mut all: Vec<_> = world.visible_pipelines(project_of(world, number)).collect();
                all.sort_by_key(|it| it.id);
                for pipeline in all.into_iter().rev().take(2) {
                    pipelines.extend(pipeline.status.is_terminal().then_some(pipeline.id));
                    let ended = world.jobs_of(pipeline.id);
                    jobs.extend(ended.filter(|it| it.status.is_terminal()).map(|it| it.id));
                }
            }
            (pipelines, jobs)
        });
        let is_known = |id: u64| measuring.status_of(id).is_some_and(Status::is_terminal);
        latest.pipeline = latest
            .pipeline
            .max(note(&mut self.pipelines, &pipelines, is_known));
        let is_known = |id: u64| measuring.has_seen_end_of(id);
        latest.job = latest.job.max(note(&mut self.jobs, &jobs, is_known));
    }
}

/// A second has passed. Returns the most seconds.
fn note(unknown: &mut BTreeMap<u64, u64>, ended: &[u64], is_known: impl Fn(u64) -> bool) -> u64 {
    for id in ended {
        if is_known(*id) {
            unknown.remove(id);
        } else {
            *unknown.entry(*id).or_default() += 1;
        }
    }
    unknown.values().copied().max().unwrap_or_default()
}

fn count(hour: &mut UsualHour, endpoints: impl Iterator<Item = &'static str>) {
    for endpoint in endpoints {
        *hour.by_endpoint.entry(endpoint).or_default() += 1;
    }
}

/// What the next webhook hints at, and its project.
pub(crate) fn next_hint(hooks: &mut UnboundedReceiver<Hook>) -> Option<(u64, PollHint)> {
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
fn fill(gitlab: &Handle, way: Way, is_busy: bool, projects: usize) {
    gitlab.with(|world| {
        for number in 0..projects {
            let project = world.create_project(&format!("acme/project-{number:04}"));
            let plan = PipelinePlan::new([JobPlan::passes("build")]).instant();
            world.push_pipeline(project, plan);
        }
    });
    gitlab.advance(Duration::from_hours(1));
    if way == Way::Hooks {
        // Each project shows that its webhooks come.
        gitlab.with(|world| {
            for number in 0..projects {
                let id = project_of(world, number);
                let time = Duration::from_secs(FIRST_SIGNS + number as u64 % SIGNS);
                world.after(time, move |world| {
                    let plan = PipelinePlan::new([JobPlan::passes("build")]);
                    world.push_pipeline(id, plan);
                });
            }
        });
    }
    if !is_busy {
        return;
    }
    gitlab.with(|world| {
        for number in (0..projects).step_by(BUSY) {
            let project = project_of(world, number);
            let first = Duration::from_secs(number as u64 * 37 % PIPELINE.as_secs());
            let pipelines = Duration::from_secs(SETTLING + HOUR).as_secs() / PIPELINE.as_secs();
            for pipeline in 0..=u32::try_from(pipelines).unwrap_or_default() {
                let plan = pipeline_of(pipeline);
                world.after(first + PIPELINE * pipeline, move |world| {
                    world.push_pipeline(project, plan);
                });
            }
        }
    });
}

fn project_of(world: &World, number: usize) -> u64 {
    let path = format!("acme/project-{number:04}");
    world.project_by_path(&path).unwrap().id
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
