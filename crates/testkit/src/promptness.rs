//! Measures the time from a webhook to the scraped metric, with polling once an hour.
//!
//! `cargo test --test soak -- webhooks` prints the same times.

use std::time::{Duration, Instant};

use gitlab_simulator::{CiStatus, Handle, Hook, JobPlan, Options, PipelinePlan, start};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::client;
use crate::daemon::{Daemon, Place};
use crate::samples::Samples;

const PROJECT: &str = "acme/shop";

const SECRET: &str = "a-secret-of-the-webhooks";

/// Maximum median time from webhook to metric.
pub const LIMIT: Duration = Duration::from_millis(100);

/// Times from sending a webhook to a scrape with the finished job.
#[derive(Debug, Default)]
pub struct Times {
    /// Passed jobs.
    pub passed: Vec<Duration>,
    /// Failed jobs.
    pub failed: Vec<Duration>,
    /// Jobs of a child pipeline. The exporter reads the parent, which determines the name.
    pub in_a_child: Vec<Duration>,
}

/// A pipeline and a child pipeline with pending jobs, and an exporter with webhooks.
struct Stage {
    gitlab: Handle,
    exporter: Daemon,
    hooks: UnboundedReceiver<Hook>,
    client: reqwest::Client,
    parent: u64,
    child: u64,
    _place: Place,
}

impl Stage {
    async fn new(jobs: usize) -> Self {
        let gitlab = start(Options::default()).await.unwrap();
        let held =
            |name: &'static str| (0..jobs).map(move |n| JobPlan::held(format!("{name}-{n}")));
        let child = PipelinePlan::new(held("inner").collect::<Vec<_>>());
        let own = held("passes").chain(held("fails"));
        let jobs: Vec<_> = own.chain([JobPlan::triggers("child", child)]).collect();
        let parent = gitlab.with(|world| {
            let project = world.create_project(PROJECT);
            world.push_pipeline(project, PipelinePlan::new(jobs))
        });
        gitlab.advance(Duration::from_mins(1));
        let child = gitlab.with(|world| world.latest(parent, "child").unwrap().downstream);
        let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
        std::fs::write(place.config().with_file_name("token"), SECRET).unwrap();
        place.configure_also("webhooks: {gitlab: {token_file: token}}\n");
        place.reconfigure(
            "interval: 100ms, idle_interval: 100ms, hooked_interval: 100ms",
            "interval: 1h, idle_interval: 1h",
        );
        let exporter = place.start().await;
        exporter.is_ready().await;
        Self {
            hooks: gitlab.hooks(),
            gitlab,
            exporter,
            // Shared, because building a client takes longer than the measured time.
            client: client(),
            parent,
            child: child.unwrap(),
            _place: place,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.exporter.address())
    }

    /// Ends a job, posts its webhook, and measures the time until a scrape shows the job as `name`.
    async fn measure(
        &mut self,
        pipeline: u64,
        job: &str,
        status: CiStatus,
        name: &str,
    ) -> Duration {
        self.gitlab.with(|world| {
            let id = world.latest(pipeline, job).unwrap().id;
            world.set_job_status(id, status);
        });
        let sent = std::iter::from_fn(|| self.hooks.try_recv().ok());
        let of_jobs: Vec<_> = sent.filter(|hook| hook.event == "Job Hook").collect();
        let body = of_jobs.last().unwrap().body.to_string();
        let request = self.client.post(self.url("/hooks/gitlab"));
        let request = request.header("X-Gitlab-Token", SECRET).body(body);
        let outcome = match status {
            CiStatus::Success => "passed",
            _ => "failed",
        };
        let labels = [("job_name", name), ("outcome", outcome)];
        let began = Instant::now();
        assert_eq!(request.send().await.unwrap().status(), 202);
        loop {
            let page = self.client.get(self.url("/metrics")).send().await.unwrap();
            let samples = Samples::parse(&page.text().await.unwrap());
            if samples.sum("job_executions_total", &labels) > 0.0 {
                return began.elapsed();
            }
            let waited = began.elapsed();
            assert!(waited < Duration::from_secs(30), "{}", self.exporter.log());
        }
    }
}

/// Measures a number of jobs of each kind. The number must not exceed the limit of concurrent reads that the
/// webhooks of a project cause.
pub async fn measure(jobs: usize) -> Times {
    let mut times = Times::default();
    let mut stage = Stage::new(jobs).await;
    let (parent, child) = (stage.parent, stage.child);
    for n in 0..jobs {
        let name = format!("passes-{n}");
        let time = stage.measure(parent, &name, CiStatus::Success, &name).await;
        times.passed.push(time);
    }
    for n in 0..jobs {
        let name = format!("fails-{n}");
        let time = stage.measure(parent, &name, CiStatus::Failed, &name).await;
        times.failed.push(time);
    }
    for n in 0..jobs {
        let (job, name) = (format!("inner-{n}"), format!("child / inner-{n}"));
        let time = stage.measure(child, &job, CiStatus::Failed, &name).await;
        times.in_a_child.push(time);
    }
    stage.exporter.stop().await;
    times
}
