//! Measures a burst of webhooks of one pipeline with many jobs.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gitlab_simulator::{CiStatus, JobPlan, Options, PipelinePlan, start};
use tokio::task::JoinSet;

use crate::client;
use crate::daemon::{Daemon, Place};

/// Jobs of the pipeline.
pub const JOBS: usize = 1000;

/// Jobs that end at once.
pub const HOOKS: usize = 200;

const SECRET: &str = "a-secret-of-the-webhooks";

/// Longest time until all are shown.
const LONGEST: Duration = Duration::from_mins(2);

/// What a burst came to.
#[derive(Debug)]
pub struct Burst {
    /// Until the last webhook was answered.
    pub answered: Duration,
    /// Until a scrape shows all jobs.
    pub shown: Duration,
    /// CPU time of the exporter, with the scrapes.
    pub cpu: Duration,
    /// Times that the jobs of the pipeline were listed at GitLab, each on ten pages.
    pub listings: usize,
}

/// Ends jobs and posts their webhooks at once, to an exporter that polls once an hour.
pub async fn burst(program: PathBuf) -> Burst {
    let gitlab = start(Options::default()).await.unwrap();
    let held = (0..JOBS).map(|number| JobPlan::held(format!("part-{number:04}")));
    let held: Vec<_> = held.collect();
    let pipeline = gitlab.with(|world| {
        let project = world.create_project("acme/shop");
        world.push_pipeline(project, PipelinePlan::new(held))
    });
    gitlab.advance(Duration::from_mins(1));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]").with_program(program);
    std::fs::write(place.config().with_file_name("token"), SECRET).unwrap();
    place.configure(&format!(
        "gitlab: {{url: '{}', requests_per_second: 1000}}\n\
         watch: {{groups: [{{path: acme}}], interval: 1h, idle_interval: 1h}}\n\
         store: {{directory: '{}'}}\n\
         webhooks: {{gitlab: {{token_file: token}}}}\n\
         clock_jump_hold: 100ms\n\
         web: {{listen_address: '127.0.0.1:0'}}\n",
        gitlab.url(),
        place.state().display()
    ));
    let exporter = place.start().await;
    exporter.is_ready().await;
    let mut hooks = gitlab.hooks();
    gitlab.with(|world| {
        for number in 0..HOOKS {
            let job = world
                .latest(pipeline, &format!("part-{number:04}"))
                .unwrap();
            let id = job.id;
            world.set_job_status(id, CiStatus::Success);
        }
    });
    let sent = std::iter::from_fn(|| hooks.try_recv().ok());
    let of_jobs = sent.filter(|hook| hook.event == "Job Hook");
    let bodies: Vec<_> = of_jobs.map(|hook| hook.body.to_string()).collect();
    gitlab.forget_requests();
    let cpu = exporter.cpu_time();
    let begun = Instant::now();
    let answered = post(&exporter, bodies).await;
    let shown = all_are_shown(&exporter, begun).await;
    let burst = Burst {
        answered,
        shown,
        cpu: exporter.cpu_time().saturating_sub(cpu),
        listings: gitlab.count("GET /projects/:id/pipelines/:id/jobs") / JOBS.div_ceil(100),
    };
    exporter.stop().await;
    burst
}

async fn post(exporter: &Daemon, bodies: Vec<String>) -> Duration {
    let begun = Instant::now();
    let client = client();
    let mut posts = JoinSet::new();
    for body in bodies {
        let url = format!("http://{}/hooks/gitlab", exporter.address());
        let request = client.post(url).header("X-Gitlab-Token", SECRET).body(body);
        posts.spawn(request.send());
    }
    while let Some(answer) = posts.join_next().await {
        let status = answer.unwrap().unwrap().status();
        assert!(status.is_success(), "{status}");
    }
    begun.elapsed()
}

async fn all_are_shown(exporter: &Daemon, begun: Instant) -> Duration {
    loop {
        let (_, page) = exporter.get("/metrics").await;
        let ended = page.lines().filter(|line| {
            line.starts_with("job_executions_total{")
                && line.contains("outcome=\"passed\"")
                && line.ends_with("} 1")
        });
        let ended = ended.count();
        if ended == HOOKS {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < LONGEST, "found {ended}, wanted {HOOKS}");
    }
}
