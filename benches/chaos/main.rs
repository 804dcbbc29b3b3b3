//! Chaos: four exporters and everything around them fail at random for a while; nothing may be lost and
//! nothing count twice. Run by `make chaos`; `CHAOS_FOR` says how long and `CHAOS_SEED` how.
//!
//! One simulated GitLab is polled by two shards, each with a directory, and by two replicas on one
//! bucket behind a proxy. Now and then all faults end, and everything that is served and saved is
//! compared with what GitLab knows.

#![expect(clippy::unwrap_used, reason = "chaos that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "it is a program that reports")]

#[expect(dead_code, reason = "shared with the tests")]
#[path = "../../tests/suite/daemon.rs"]
mod daemon;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../../tests/suite/fault_proxy.rs"]
mod fault_proxy;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../../tests/suite/s3_servers.rs"]
mod s3_servers;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../../tests/suite/samples.rs"]
mod samples;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../../tests/suite/truth.rs"]
mod truth;

mod exporter;
mod report;

mod http_serving {
    //! As the tests ask.

    pub(crate) fn client() -> reqwest::Client {
        let client = reqwest::Client::builder().no_gzip().no_proxy();
        let patience = std::time::Duration::from_secs(30);
        client.timeout(patience).build().unwrap()
    }
}

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use fastrand::Rng;
use http::Method;
use job_failure_exporter::config::duration;
use job_failure_exporter::model::{Outcome, Rules, Shard, Timeline};
use job_failure_exporter::simulator::truth::JobTruth;
use job_failure_exporter::simulator::{Fault, Handle, Options, Scenario, start};
use rustix::process::{Resource, Signal, getrlimit};
use tokio::time::{Instant, sleep};

use crate::daemon::Place;
use crate::exporter::Exporter;
use crate::fault_proxy::{Proxy, Trouble};
use crate::report::Report;
use crate::s3_servers::TestBucket;

/// Rounds of faults between two looks at everything.
const ROUNDS: u32 = 8;

/// Share of the requests that the simulated GitLab spoils.
const SPOILED: f64 = 0.05;

struct Chaos {
    gitlab: Handle,
    bucket: TestBucket,
    proxy: Proxy,
    exporters: Vec<Exporter>,
    random: Rng,
    report: Report,
}

impl Chaos {
    async fn begin(seed: u64) -> Self {
        let options = Options {
            scenario: Scenario::named("demo"),
            seed,
            ..Options::default()
        };
        let gitlab = start(options).await.unwrap();
        gitlab.faults(|faults| faults.probability = SPOILED);
        let bucket = TestBucket::create().await;
        let proxy = Proxy::before(bucket.server).await;
        let watch = |shard: &str| format!("groups: [{{path: acme}}], shard: {shard}");
        let on_disk = |name, shard| (name, shard, Place::new(gitlab.url(), &watch(shard)), true);
        let on_s3 = |name| {
            let place = Place::on_s3(gitlab.url(), &watch("1/1"), &proxy.url(), &bucket.name);
            place.reconfigure(
                "force_path_style: true",
                "force_path_style: true, timeout: 3s",
            );
            (name, "1/1", place, false)
        };
        let exporters = [
            on_disk("shard 1", "1/2"),
            on_disk("shard 2", "2/2"),
            on_s3("replica a"),
            on_s3("replica b"),
        ];
        let exporters = exporters.map(|(name, shard, place, on_disk)| Exporter {
            name,
            place,
            shard: Shard::parse(shard).unwrap(),
            on_disk,
            running: None,
            saved: BTreeMap::new(),
        });
        Self {
            gitlab,
            bucket,
            proxy,
            exporters: exporters.into(),
            random: Rng::with_seed(seed),
            report: Report::default(),
        }
    }

    /// Some faults at a time, for a moment.
    async fn round(&mut self) {
        for _ in 0..self.random.u32(1..=3) {
            match self.random.u32(..10) {
                0..4 => self.end_one().await,
                4..6 => self.gitlab_fails(),
                6..9 => self.s3_fails().await,
                _ => self.disk_is_full(),
            }
            self.pass().await;
        }
        self.heal().await;
        self.pass().await;
    }

    /// Lets real time pass, and simulated time more.
    async fn pass(&mut self) {
        let simulated = self.random.u64(1..30);
        self.gitlab.advance(Duration::from_secs(simulated));
        sleep(Duration::from_millis(self.random.u64(10..400))).await;
    }

    async fn end_one(&mut self) {
        let which = self.random.usize(..self.exporters.len());
        let orderly = self.random.u32(..4) == 0;
        let exporter = &mut self.exporters[which];
        let Some(daemon) = exporter.running.take() else {
            return;
        };
        if orderly {
            // It may well not be able to save, and says so.
            daemon.signal(Signal::TERM);
            daemon.ended().await;
            self.report.injected("SIGTERM", 1);
        } else {
            daemon.kill().await;
            self.report.injected("kill -9", 1);
        }
        if self.exporters[which].on_disk {
            self.check_directory(which);
        }
        if self.random.bool() {
            self.exporters[which].start().await;
        }
    }

    fn gitlab_fails(&mut self) {
        let kinds = [Fault::Reset, Fault::Unavailable, Fault::InternalError];
        let kind = kinds[self.random.usize(..kinds.len())];
        self.gitlab.faults(|faults| faults.outage = Some(kind));
        self.report.injected("GitLab away", 1);
    }

    async fn s3_fails(&mut self) {
        match self.random.u32(..4) {
            0 => {
                self.proxy.go().await;
                self.report.injected("S3 away", 1);
            }
            1 => {
                let slow = Trouble::Refuse(503, "SlowDown");
                self.proxy.always(Method::PUT, Some(slow));
                self.report.injected("S3 answers 503 SlowDown", 1);
            }
            2 => {
                let error = Trouble::Refuse(500, "InternalError");
                self.proxy.always(Method::GET, Some(error));
                self.report.injected("S3 answers 500", 1);
            }
            _ => {
                self.proxy.always(Method::GET, Some(Trouble::CutBody));
                self.report.injected("S3 cuts its answers", 1);
            }
        }
    }

    fn disk_is_full(&mut self) {
        for exporter in self.exporters.iter().filter(|exporter| exporter.on_disk) {
            exporter.limit_files(Some(100));
        }
        self.report.injected("disk full", 1);
    }

    /// What failed works again; who was ended comes back.
    async fn heal(&mut self) {
        self.gitlab.faults(|faults| faults.outage = None);
        self.proxy.always(Method::GET, None);
        self.proxy.go().await;
        self.proxy.come_back().await;
        for exporter in &mut self.exporters {
            exporter.limit_files(getrlimit(Resource::Fsize).current);
            exporter.start().await;
        }
        let requests = self.gitlab.requests();
        self.gitlab.forget_requests();
        let spoiled = requests.iter().filter(|request| request.fault.is_some());
        self.report
            .injected("requests that GitLab spoiled", spoiled.count());
    }

    /// Waits until all is as GitLab has it, and looks at every document.
    async fn look_at_everything(&mut self) {
        self.gitlab.faults(|faults| faults.probability = 0.0);
        let truths = self.gitlab.truth();
        for exporter in &self.exporters {
            let own = own(&self.gitlab, &truths, exporter.shard);
            let found = exporter.becomes_true(&own).await;
            self.report.wrong_series += found;
        }
        for which in 0..self.exporters.len() {
            if self.exporters[which].on_disk {
                let saved = self.check_directory(which);
                let own = own(&self.gitlab, &truths, self.exporters[which].shard);
                self.compare(&saved, &own);
            }
        }
        let saved = self.check_bucket().await;
        self.compare(&saved, &truths);
        self.gitlab.faults(|faults| faults.probability = SPOILED);
    }

    /// Reads what an exporter has on disk; nothing may be broken, and nothing older than before.
    fn check_directory(&mut self, which: usize) -> Vec<Timeline> {
        let exporter = &mut self.exporters[which];
        let mut timelines = Vec::new();
        for project in entries(&exporter.place.state()) {
            for document in entries(&project) {
                let name = document.to_string_lossy().into_owned();
                // A temporary file of a save that was cut off goes at the next start.
                if is_document(&name) {
                    let text = std::fs::read(&document).unwrap();
                    timelines.extend(self.report.read(&name, &text));
                } else if name.contains(".broken") {
                    println!("{}: {name}", exporter.name);
                    self.report.broken += 1;
                }
            }
        }
        for timeline in &timelines {
            let key = (timeline.key.project_id, timeline.key.ref_name.to_string());
            let newest = timeline.newest_finished();
            let known = exporter.saved.insert(key, newest).unwrap_or(0);
            if newest < known {
                println!("{}: {:?} fell back", exporter.name, timeline.key);
                self.report.losses += 1;
            }
        }
        timelines
    }

    async fn check_bucket(&mut self) -> Vec<Timeline> {
        let mut timelines = Vec::new();
        for key in self.bucket.keys().await {
            if key.contains(".broken") {
                println!("bucket: {key}");
                self.report.broken += 1;
            } else if is_document(&key) && !key.contains("probe") {
                let text = self.bucket.get(&key).await.unwrap();
                timelines.extend(self.report.read(&key, &text));
            }
        }
        timelines
    }

    /// Compares the counters and windows of documents with the truth.
    fn compare(&mut self, saved: &[Timeline], truths: &[JobTruth]) {
        let rules = Rules::default();
        for job in truths {
            let name = format!("{} {}", job.project, job.job_name);
            let timeline = saved.iter().find(|it| *it.project == *job.project);
            let row = timeline.and_then(|timeline| timeline.row(&job.job_name, &rules));
            let (retries, passed) = truth::counters(&self.gitlab, job);
            let Some(row) = row else {
                self.report.losses += job.window.len() as u64;
                continue;
            };
            let figures = row.figures;
            let found = figures.executions.get(Outcome::Passed);
            self.report.count(&format!("{name}: passed"), found, passed);
            self.report
                .count(&format!("{name}: retries"), figures.retries, retries);
            let (found, wanted) = (figures.window.len() as u64, job.window.len() as u64);
            self.report.count(&format!("{name}: window"), found, wanted);
        }
    }
}

/// The truths on the projects of a shard.
fn own(gitlab: &Handle, truths: &[JobTruth], shard: Shard) -> Vec<JobTruth> {
    let id = |job: &JobTruth| gitlab.with(|world| world.project_by_path(&job.project).unwrap().id);
    let own = truths.iter().filter(|job| shard.owns(id(job)));
    own.cloned().collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect()
}

fn is_document(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|ending| ending == "json")
}

#[tokio::main]
async fn main() -> ExitCode {
    let given = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let time = given("CHAOS_FOR").unwrap_or_else(|| "120s".to_owned());
    let time = duration::parse(&time).expect("CHAOS_FOR is a duration such as 120s");
    let seed = given("CHAOS_SEED").map(|seed| seed.parse().expect("CHAOS_SEED is a number"));
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("chaos for {}, CHAOS_SEED={seed}", duration::format(time));
    let end = Instant::now() + time;
    let mut chaos = Chaos::begin(seed).await;
    chaos.heal().await;
    let mut looks = 0;
    while Instant::now() < end {
        for _ in 0..ROUNDS {
            chaos.round().await;
        }
        chaos.look_at_everything().await;
        looks += 1;
    }
    for exporter in std::mem::take(&mut chaos.exporters) {
        exporter.running.unwrap().stop().await;
    }
    println!("everything compared {looks} times\n{}", chaos.report);
    if chaos.report.is_good() {
        ExitCode::SUCCESS
    } else {
        println!("again with: CHAOS_SEED={seed} make chaos");
        ExitCode::FAILURE
    }
}
