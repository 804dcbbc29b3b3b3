//! A project whose webhooks come, get lost, or are forged: how often it is polled.

use std::collections::BTreeMap;
use std::time::Duration;

use ci_history::Status;
use gitlab_simulator::{Handle, JobPlan, PipelinePlan, World};
use job_failure_exporter::config::Api;
use job_failure_exporter::ingest::PollHint;

use crate::economy::Measuring;
use crate::usual_hour::next_hint;

const LISTING: &str = "GET /projects/:id/pipelines";

const RATE: u32 = 50;

/// Simulated time between two looks.
const STEP: Duration = Duration::from_secs(5);

/// Time between two pipelines.
const PIPELINE: Duration = Duration::from_mins(30);

/// What becomes of the webhooks of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    Lost,
    /// Somebody who knows the secret sends others instead: of pipelines that GitLab does not have, and of the newest ones
    /// again and again.
    Forged,
}

/// Lists of the project's pipelines in each of these hours. Requires a runtime with paused time.
pub async fn listings(hours: &[Fate]) -> Vec<usize> {
    let measuring = Measuring::start(Api::Rest, RATE, |gitlab| fill(gitlab, hours.len()));
    let mut hooks = measuring.gitlab().hooks();
    let mut newest = BTreeMap::new();
    let mut found = Vec::new();
    let steps = 3600 / STEP.as_secs();
    for hour in hours {
        let mut listings = 0;
        for step in 0..steps {
            while let Some((project, hint)) = next_hint(&mut hooks) {
                newest.insert(project, hint);
                if *hour == Fate::Delivered {
                    measuring.take_hook(project, hint);
                }
            }
            for (project, newest) in newest.iter().filter(|_| *hour == Fate::Forged) {
                let forged = PollHint {
                    pipeline: newest.pipeline + 1_000 + step,
                    ..*newest
                };
                measuring.take_hook(*project, forged);
                // Long after polling has read it.
                if step % 60 == 59 {
                    measuring.take_hook(*project, *newest);
                }
            }
            let requests = measuring.time_passes(STEP).await;
            let lists = requests.iter().filter(|it| it.endpoint == LISTING);
            listings += lists.count();
        }
        found.push(listings);
    }
    assert_eq!(measuring.failed(), 0);
    measuring.end().await;
    found
}

/// How late the end of a pipeline is known of which no webhook tells, and for how many requests.
#[derive(Debug)]
pub struct LostEnd {
    pub late: Duration,
    pub requests: usize,
}

/// The exporter knows by webhooks that a pipeline of the second hour runs. Then they get lost. Looks after each `step`, for
/// at most so many. Requires a runtime with paused time.
pub async fn lost_end(plan: PipelinePlan, step: Duration, most: u32) -> LostEnd {
    let measuring = Measuring::start(Api::Rest, RATE, |gitlab| fill(gitlab, 1));
    let gitlab = measuring.gitlab();
    let mut hooks = gitlab.hooks();
    for _ in 0..3600 / STEP.as_secs() {
        while let Some((project, hint)) = next_hint(&mut hooks) {
            measuring.take_hook(project, hint);
        }
        measuring.time_passes(STEP).await;
    }
    let id = gitlab.with(|world| {
        let project = world.project_by_path("acme/shop").unwrap().id;
        world.push_pipeline(project, plan)
    });
    for _ in 0..4 {
        measuring.time_passes(STEP).await;
        while let Some((project, hint)) = next_hint(&mut hooks) {
            measuring.take_hook(project, hint);
        }
    }
    assert_eq!(measuring.status_of(id), Some(Status::Running));
    let mut found = LostEnd {
        late: Duration::ZERO,
        requests: 0,
    };
    let is_over = |world: &mut World| world.pipeline(id).unwrap().status.is_terminal();
    for _ in 0..most {
        if measuring.status_of(id).is_some_and(Status::is_terminal) {
            measuring.end().await;
            return found;
        }
        if gitlab.with(is_over) {
            found.late += step;
        }
        found.requests += measuring.time_passes(step).await.len();
    }
    panic!("the end was not seen: {found:?}");
}

fn fill(gitlab: &Handle, hours: usize) {
    let pipelines = u32::try_from(hours * 2).unwrap();
    gitlab.with(|world| {
        let project = world.create_project("acme/shop");
        for pipeline in 0..pipelines {
            let job = JobPlan::passes("unit");
            let job = job.taking(Duration::from_secs(5), Duration::from_mins(2));
            let plan = PipelinePlan::new([job]);
            world.at(Duration::from_mins(3) + PIPELINE * pipeline, move |world| {
                world.push_pipeline(project, plan);
            });
        }
    });
}
