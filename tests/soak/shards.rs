//! A company of 20,000 projects, watched by eight shards on one bucket.
//!
//! `cargo test --release --test soak -- shards`; `SHARDS_PROJECTS=2000` sets the number of projects. Fails if a job is shown
//! by no shard or by two, if a shard shows less after it was killed, or if others find another state in the bucket.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use gitlab_simulator::{Handle, JobPlan, PipelinePlan};
use rustix::process::Signal;
use testkit::daemon::{Daemon, Place, document_paths};
use testkit::environment::setting;
use testkit::figures::figure;
use testkit::large_company::{Size, configuration, large_company, path};
use testkit::s3_servers::{KEY, Rclone, SECRET};

/// Of all projects, so many get pipelines that fail.
const BROKEN: usize = 100;

const JOBS: usize = 2;

const NEW_JOB: &str = "deploy";

/// Longest time to wait for anything.
const LONGEST: Duration = Duration::from_mins(20);

/// Exporters that watch a part each.
struct Shards {
    places: Vec<Place>,
    running: Vec<Daemon>,
}

/// The current streak of each job, by project and name, and how often it is shown.
type Streaks = BTreeMap<(String, String), (u64, usize)>;

pub(crate) async fn run() -> ExitCode {
    let projects = setting("SHARDS_PROJECTS", 20_000);
    let size = Size {
        projects,
        jobs: JOBS,
        pipelines: 2,
    };
    let gitlab = large_company(size).await;
    let bucket = tempfile::tempdir().unwrap();
    std::fs::create_dir(bucket.path().join("bucket")).unwrap();
    let rclone = Rclone::serve(bucket.path());

    let mut eight = Shards::start(&gitlab, &rclone, 8).await;
    let took = eight.are_ready().await;
    let streaks = eight.streaks().await;
    assert_eq!(streaks.len(), projects * JOBS, "jobs");
    is_shown_once(&streaks);
    let requests = gitlab.requests().len();
    println!(
        "{projects} projects, 8 shards: first round {took:.0?}, {:.2} requests a project, {} MiB a shard at most",
        requests as f64 / projects as f64,
        eight.most_memory() >> 20
    );
    let state = bucket.path().join("bucket/state");
    let saved = until(|| document_paths(&state).len() == projects).await;
    println!("all {projects} documents in the bucket after another {saved:.0?}");
    figure(
        &format!("{projects} projects, 8 shards: first round and all documents in the bucket"),
        format!("{:.0?}", took + saved),
        "-",
    );

    break_some(&gitlab, projects);
    let begun = Instant::now();
    let broken = loop {
        let streaks = eight.streaks().await;
        let broken = streaks
            .iter()
            .filter(|((_, job), (streak, _))| job == NEW_JOB && *streak == 3);
        if broken.count() == BROKEN {
            break streaks;
        }
        assert!(begun.elapsed() < LONGEST, "not all failures are shown");
    };
    is_shown_once(&broken);
    println!(
        "three failures of a new job in {BROKEN} projects shown after {:.0?}",
        begun.elapsed()
    );

    gitlab.forget_requests();
    let took = eight.kill_one(2).await;
    assert_eq!(eight.streaks().await, broken, "after a kill -9");
    println!(
        "kill -9 of one shard: ready again after {took:.1?}, {} requests of all shards meanwhile",
        gitlab.requests().len()
    );
    figure(
        &format!("{projects} projects, 8 shards: ready again after kill -9 of one"),
        format!("{took:.1?}"),
        "-",
    );
    eight.stop().await;

    gitlab.forget_requests();
    let mut four = Shards::start(&gitlab, &rclone, 4).await;
    let took = four.are_ready().await;
    assert_eq!(four.streaks().await, broken, "with four shards");
    println!(
        "four shards in place of eight: ready after {took:.1?}, {:.2} requests a project",
        gitlab.requests().len() as f64 / projects as f64
    );
    figure(
        &format!("{projects} projects, four shards in place of eight: ready after"),
        format!("{took:.1?}"),
        "-",
    );
    four.stop().await;
    ExitCode::SUCCESS
}

impl Shards {
    async fn start(gitlab: &Handle, rclone: &Rclone, count: usize) -> Self {
        let store = format!(
            "s3: {{bucket: bucket, prefix: state, endpoint_url: '{}', force_path_style: true}}, save_interval: 1s",
            rclone.url
        );
        let configuration = configuration(gitlab, 1000, &store);
        let place = |number: usize| {
            let place = Place::new(gitlab.url(), "groups: [{path: acme}]").with_environment(&[
                ("AWS_ACCESS_KEY_ID", KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET),
            ]);
            place.configure(&configuration);
            let shard =
                format!("watch: {{shard: {number}/{count}, interval: 2s, idle_interval: 10s, ");
            place.reconfigure("watch: {", &shard);
            place
        };
        let places: Vec<_> = (1..=count).map(place).collect();
        let mut running = Vec::new();
        for place in &places {
            running.push(place.start().await);
        }
        Self { places, running }
    }

    /// Time until all are.
    async fn are_ready(&self) -> Duration {
        let begun = Instant::now();
        for daemon in &self.running {
            is_ready(daemon).await;
        }
        begun.elapsed()
    }

    async fn streaks(&self) -> Streaks {
        let mut streaks = Streaks::new();
        for daemon in &self.running {
            let (_, page) = daemon.get("/metrics").await;
            for line in page.lines() {
                let Some(sample) = line.strip_prefix("job_consecutive_failures{") else {
                    continue;
                };
                let (labels, value) = sample.rsplit_once("} ").unwrap();
                let label = |name: &str| {
                    let (_, rest) = labels.split_once(&format!("{name}=\"")).unwrap();
                    rest.split_once('"').unwrap().0.to_owned()
                };
                let key = (label("project"), label("job_name"));
                let shown = streaks.entry(key).or_default();
                *shown = (value.parse().unwrap(), shown.1 + 1);
            }
        }
        streaks
    }

    fn most_memory(&self) -> usize {
        let memory = self.running.iter().map(Daemon::resident_bytes);
        memory.max().unwrap()
    }

    /// Time until the shard is back.
    async fn kill_one(&mut self, index: usize) -> Duration {
        self.running.remove(index).kill().await;
        let begun = Instant::now();
        let daemon = self.places[index].start().await;
        is_ready(&daemon).await;
        self.running.insert(index, daemon);
        begun.elapsed()
    }

    async fn stop(&mut self) {
        for daemon in &self.running {
            daemon.signal(Signal::TERM);
        }
        for daemon in self.running.drain(..) {
            let (status, log) = daemon.ended().await;
            assert_eq!(status.code(), Some(0), "{log}");
        }
    }
}

async fn is_ready(daemon: &Daemon) {
    let begun = Instant::now();
    while daemon.get("/-/ready").await.0 != 200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(begun.elapsed() < LONGEST, "{}", daemon.log());
    }
}

fn is_shown_once(streaks: &Streaks) {
    let other = streaks.iter().find(|(_, (_, times))| *times != 1);
    assert_eq!(other, None, "a job that two shards show");
}

/// Lets a new job fail three times in some projects.
fn break_some(gitlab: &Handle, projects: usize) {
    for _ in 0..3 {
        gitlab.with(|world| {
            for number in (0..projects).step_by(projects / BROKEN) {
                let project = world.project_by_path(&path(number)).unwrap().id;
                let jobs = [JobPlan::passes("build"), JobPlan::fails(NEW_JOB)];
                world.push_pipeline(project, PipelinePlan::new(jobs).instant());
            }
        });
        gitlab.advance(Duration::from_mins(5));
    }
}

/// Time until it holds.
async fn until(holds: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(begun.elapsed() < LONGEST, "waited for too long");
    }
    begun.elapsed()
}
