//! What a restart of a real exporter costs, with nothing new and after something moved meanwhile.

use std::fmt;
use std::time::Instant;

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};
use job_failure_exporter::config::Api;
use tokio::runtime::Builder;

use crate::daemon::{Place, folder, holds, minutes, until};
use crate::truth::equal;

/// Ended pipelines of each project.
const PIPELINES: usize = 5;

/// Of so many projects one moves while the exporter is away.
const MOVING: usize = 20;

/// `watch.interval`, in seconds.
const INTERVAL: f64 = 30.0;

const LISTING: &str = "GET /projects/:id/pipelines";
const SCHEDULES: &str = "GET /projects/:id/pipeline_schedules";
const SWEEP: &str = "graphql";

/// What one restart cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From its start until the exporter was ready.
    pub seconds: f64,
    /// Requests until then.
    pub sweeps: usize,
    pub listings: usize,
    pub schedules: usize,
    /// Pipelines with their jobs, pages of the group's projects, and what is asked once.
    pub others: usize,
}

/// What restarts cost.
#[derive(Debug)]
pub struct Restart {
    pub api: Api,
    pub projects: usize,
    /// Nothing moved meanwhile.
    pub nothing_new: Cost,
    /// One project of 20 moved meanwhile.
    pub some_moved: Cost,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seconds,
            sweeps,
            listings,
            schedules,
            others,
        } = self;
        write!(
            f,
            "ready after {seconds:.1} s: {sweeps} sweeps, {listings} listings, {schedules} of schedules, {others} others"
        )
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.api == Api::Rest {
            "by REST"
        } else {
            "with GraphQL"
        };
        write!(
            f,
            "{name}, {} projects, nothing new: {}; 5 % moved: {}",
            self.projects, self.nothing_new, self.some_moved
        )
    }
}

impl Restart {
    /// Panics if the costs are more than one sweep of 50 projects a request, or one listing a project.
    pub fn is_within_the_budget(&self) {
        let Self {
            api,
            projects,
            nothing_new,
            some_moved,
        } = self;
        let api = *api;
        let sweeps = projects.div_ceil(50);
        let moved = projects / MOVING;
        for (cost, moved) in [(nothing_new, 0), (some_moved, moved)] {
            if api == Api::Rest {
                assert_eq!(cost.sweeps, 0, "{cost}");
                // While others wait for their turn, a project in which something moves is listed again in each interval.
                let again = moved as f64 * cost.seconds / INTERVAL;
                assert!(cost.listings as f64 <= *projects as f64 + again, "{cost}");
            } else {
                assert!(cost.sweeps <= sweeps, "{cost}");
                assert_eq!(cost.listings, 0, "{cost}");
            }
            // Their share of ten minutes.
            let share = *projects as f64 * cost.seconds / 600.0;
            assert!(cost.schedules as f64 <= 10.0 + 2.0 * share, "{cost}");
        }
        let pages = projects.div_ceil(100);
        assert!(nothing_new.others <= pages + 10, "{nothing_new}");
        assert!(some_moved.others <= pages + 10 + 5 * moved, "{some_moved}");
    }
}

/// Measures restarts of exporters with 200 and 1,000 projects. On a thread of its own, because exporters need time that passes.
pub fn measure(report: impl Fn(&Restart) + Send + 'static) {
    let measuring = std::thread::spawn(move || {
        let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
        for projects in [200, 1000] {
            for api in [Api::Auto, Api::Rest] {
                report(&runtime.block_on(restart(api, projects)));
            }
        }
    });
    measuring.join().unwrap();
}

/// Measures restarts at the default rate of requests.
async fn restart(api: Api, projects: usize) -> Restart {
    let gitlab = start(Options::default()).await.unwrap();
    let ids = fill(&gitlab, projects);
    let name = if api == Api::Rest { "rest" } else { "auto" };
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.reconfigure("api: rest", &format!("api: {name}"));
    let (hasty, usual) = (
        "interval: 100ms, idle_interval: 100ms, hooked_interval: 100ms",
        "interval: 1m, idle_interval: 5m",
    );
    let (fast, slow) = ("requests_per_second: 1000", "requests_per_second: 10");
    // A request that is repeated on a busy machine would be counted twice.
    place.reconfigure("timeout: 5s", "timeout: 1m");
    place.reconfigure(hasty, "interval: 30s, idle_interval: 30s");
    let daemon = place.start().await;
    daemon.is_ready().await;
    until("sights of every project", async || {
        let saved = folder(&place.state()).into_iter();
        let saved = saved.filter(|it| it.join(".sights").is_file()).count();
        holds(saved == projects, format!("{saved}\n{}", daemon.log()))
    })
    .await;
    daemon.stop().await;
    place.reconfigure("interval: 30s, idle_interval: 30s", usual);
    place.reconfigure(fast, slow);
    let nothing_new = measured(&gitlab, &place).await;
    for id in ids.iter().step_by(MOVING) {
        push(&gitlab, *id, JobPlan::fails("unit"));
    }
    gitlab.advance(minutes(10));
    let some_moved = measured(&gitlab, &place).await;
    Restart {
        api,
        projects,
        nothing_new,
        some_moved,
    }
}

async fn measured(gitlab: &Handle, place: &Place) -> Cost {
    gitlab.forget_requests();
    let began = Instant::now();
    let daemon = place.start().await;
    daemon.is_ready().await;
    let seconds = began.elapsed().as_secs_f64();
    let requests = gitlab.requests();
    let of = |endpoint: &str| requests.iter().filter(|it| it.endpoint == endpoint).count();
    let (sweeps, listings, schedules) = (of(SWEEP), of(LISTING), of(SCHEDULES));
    let truths = gitlab.truth();
    daemon
        .shows("the truth", |samples| equal(samples, &truths))
        .await;
    daemon.stop().await;
    Cost {
        seconds,
        sweeps,
        listings,
        schedules,
        others: requests.len() - sweeps - listings - schedules,
    }
}

fn fill(gitlab: &Handle, projects: usize) -> Vec<u64> {
    let create =
        |number| gitlab.with(|world| world.create_project(&format!("acme/project-{number:04}")));
    let ids: Vec<u64> = (0..projects).map(create).collect();
    for _ in 0..PIPELINES {
        for id in &ids {
            push(gitlab, *id, JobPlan::passes("unit"));
        }
    }
    gitlab.advance(minutes(60));
    ids
}

fn push(gitlab: &Handle, project: u64, last: JobPlan) {
    let jobs = [JobPlan::passes("build"), last];
    gitlab.with(|world| world.push_pipeline(project, PipelinePlan::new(jobs).instant()));
}
