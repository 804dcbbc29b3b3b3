//! Chaos: four exporters and their surroundings fail at random. No execution may be lost or count twice.
//!
//! `make chaos` runs it. `CHAOS_FOR` sets the duration, `CHAOS_SEED` the seed.
//!
//! Two shards, each with a directory, and two replicas on one bucket behind a proxy poll one simulated
//! GitLab. Webhooks are lost, repeated, reordered and forged. A replica of GitLab's database lags, and the clocks of
//! its nodes and of the exporters' machines are wrong. After every few rounds all faults end, and all metrics and documents are compared with the
//! truth.

mod check;
mod exporter;
mod forger;
mod hooks;
mod own_clock;
mod report;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use ci_history::Shard;
use ci_history::duration;
use fastrand::Rng;
use gitlab_simulator::{Fault, Handle, Options, Scenario, start};
use http::Method;
use rustix::process::{Resource, Signal, getrlimit};
use tokio::time::{Instant, sleep};

use testkit::daemon::Place;
use testkit::environment::variable;
use testkit::fault_proxy::{Proxy, Trouble};
use testkit::s3_servers::TestBucket;

use self::exporter::Exporter;
use self::hooks::{Delivered, Hooks};
use self::own_clock::OwnClock;
use self::report::Report;

/// Rounds of faults between two comparisons.
const ROUNDS: u32 = 8;

/// Share of GitLab's answers with a random fault.
const FAULT_SHARE: f64 = 0.05;

/// Endpoints that a lagging replica answers, one or several of them. None: all.
const LAGGING: [&[&str]; 6] = [
    &["GET /projects/:id/pipelines"],
    &["GET /projects/:id/pipelines/:pid"],
    &["GET /projects/:id/pipelines/:pid/jobs"],
    &["GET /projects/:id/pipelines/:pid/bridges"],
    &[
        "GET /projects/:id/pipelines/:pid/jobs",
        "GET /projects/:id/pipelines/:pid/bridges",
        "GET /projects/:id/jobs/:jid",
    ],
    &[],
];

struct Chaos {
    gitlab: Handle,
    bucket: TestBucket,
    proxy: Proxy,
    exporters: Vec<Exporter>,
    hooks: Hooks,
    random: Rng,
    report: Report,
}

impl Chaos {
    async fn start(seed: u64) -> Self {
        let options = Options {
            scenario: Scenario::named("demo"),
            seed,
            ..Options::default()
        };
        let gitlab = start(options).await.unwrap();
        // The demo does not include this scenario.
        let children = Scenario::named("child-pipelines").unwrap();
        gitlab.with(|world| children.fill(world));
        gitlab.faults(|faults| faults.probability = FAULT_SHARE);
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
        let exporters = exporters.map(|(name, shard, place, on_disk)| {
            hooks::enable(&place);
            // As in production: a clock that is wrong for a round is not believed.
            place.reconfigure("clock_jump_hold: 100ms", "clock_jump_hold: 30m");
            Exporter {
                name,
                place,
                shard: Shard::parse(shard).unwrap(),
                on_disk,
                running: None,
                own_clock: OwnClock::right(),
                saved: BTreeMap::new(),
            }
        });
        Self {
            hooks: Hooks::of(&gitlab),
            gitlab,
            bucket,
            proxy,
            exporters: exporters.into(),
            random: Rng::with_seed(seed),
            report: Report::default(),
        }
    }

    /// Injects one to three faults, then ends them.
    async fn round(&mut self) {
        for _ in 0..self.random.u32(1..=3) {
            match self.random.u32(..16) {
                0..4 => self.stop_one().await,
                4..6 => self.gitlab_fails(),
                6..9 => self.s3_fails().await,
                9 => self.disk_is_full(),
                10..12 => self.replica_lags(),
                12..14 => self.clock_steps(),
                _ => self.own_clock_steps(),
            }
            self.pass_time().await;
        }
        self.heal().await;
        self.pass_time().await;
    }

    /// Lets simulated time and less real time pass, and delivers webhooks.
    async fn pass_time(&mut self) {
        let simulated = self.random.u64(1..30);
        self.gitlab.advance(Duration::from_secs(simulated));
        let now = self.gitlab.with(|world| world.now().unix());
        let delivering = (self.hooks).deliver(&self.exporters, &mut self.random, now);
        let Delivered {
            lost,
            twice,
            forged,
            stale,
        } = delivering.await;
        self.report.injected("webhooks lost", lost);
        self.report.injected("webhooks delivered twice", twice);
        self.report.injected("webhooks forged", forged);
        self.report.injected("webhooks refused as stale", stale);
        sleep(Duration::from_millis(self.random.u64(10..400))).await;
    }

    async fn stop_one(&mut self) {
        let which = self.random.usize(..self.exporters.len());
        let orderly = self.random.u32(..4) == 0;
        let exporter = &mut self.exporters[which];
        let Some(daemon) = exporter.running.take() else {
            return;
        };
        if orderly {
            // It may fail to save; its exit status does not matter.
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

    /// One of GitLab's replicas has nothing newer than now until all faults end, which is sooner than the exporter
    /// believes that something is missing.
    fn replica_lags(&mut self) {
        let endpoint = LAGGING[self.random.usize(..LAGGING.len())];
        self.gitlab.lag(endpoint, self.random.u32(1..4));
        self.report.injected("replica lags", 1);
    }

    /// One of GitLab's nodes, or all of them, has a clock that is days ahead.
    fn clock_steps(&mut self) {
        let ahead = Duration::from_hours(self.random.u64(1..24 * 60));
        let every = self.random.u32(1..5);
        (self.gitlab).faults(|faults| faults.wrong_date = Some((ahead, every)));
        self.report.injected("clock steps", 1);
    }

    /// The clock of an exporter's machine is wrong, by up to two months.
    fn own_clock_steps(&mut self) {
        let hours = self.random.i64(-24 * 60..24 * 60);
        let which = self.random.usize(..self.exporters.len());
        self.exporters[which].own_clock.set(hours * 3600);
        self.report.injected("own clock steps", 1);
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

    /// Ends all faults and starts the stopped exporters.
    async fn heal(&mut self) {
        self.gitlab.faults(|faults| {
            faults.outage = None;
            faults.wrong_date = None;
        });
        self.gitlab.catch_up();
        self.proxy.always(Method::GET, None);
        self.proxy.go().await;
        self.proxy.come_back().await;
        for exporter in &mut self.exporters {
            exporter.limit_files(getrlimit(Resource::Fsize).current);
            exporter.own_clock.set(0);
            exporter.start().await;
        }
        let requests = self.gitlab.requests();
        self.gitlab.forget_requests();
        let faulty = requests.iter().filter(|request| request.fault.is_some());
        self.report
            .injected("faulty answers of GitLab", faulty.count());
    }
}

/// Runs for `CHAOS_FOR`. Fails if an execution was lost, counted twice, or forged.
pub(crate) async fn run() -> ExitCode {
    let time = variable("CHAOS_FOR").unwrap_or_else(|| "120s".to_owned());
    let time = duration::parse(&time).expect("CHAOS_FOR is a duration such as 120s");
    let seed = variable("CHAOS_SEED").map(|seed| seed.parse().expect("CHAOS_SEED is a number"));
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("chaos for {}, CHAOS_SEED={seed}", duration::format(time));
    let end = Instant::now() + time;
    let mut chaos = Chaos::start(seed).await;
    chaos.heal().await;
    let mut comparisons = 0;
    while Instant::now() < end {
        for _ in 0..ROUNDS {
            chaos.round().await;
        }
        chaos.compare_all().await;
        comparisons += 1;
    }
    for exporter in std::mem::take(&mut chaos.exporters) {
        exporter.running.unwrap().stop().await;
    }
    println!("{comparisons} comparisons\n{}", chaos.report);
    if chaos.report.is_good() {
        ExitCode::SUCCESS
    } else {
        println!("repeat with: CHAOS_SEED={seed} make chaos");
        ExitCode::FAILURE
    }
}
