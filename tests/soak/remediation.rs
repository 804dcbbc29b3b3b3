//! Two replicas that bring failed jobs back from one bucket, killed at random while GitLab and S3 lose answers.
//!
//! `cargo test --test soak -- remediation`. `REMEDIATION_FOR` sets the duration, `REMEDIATION_SEED` the seed.
//!
//! Each round pushes one pipeline to every project, and injects faults while its failed jobs are retried. Then the kills
//! end, and what became of every job is compared with what was planned. GitLab counts the actions: never two for one
//! failure.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use ci_history::duration;
use fastrand::Rng;
use gitlab_simulator::{
    CiStatus, Ending, Fault, Handle, JobPlan, Options, PipelinePlan, Role, Scope, start,
};
use http::Method;
use tokio::time::{Instant, sleep};

use testkit::daemon::{Daemon, Place};
use testkit::environment::variable;
use testkit::fault_proxy::{Proxy, Trouble};
use testkit::s3_servers::TestBucket;

const PROJECTS: usize = 12;

/// Faults of a round.
const STEPS: u32 = 16;

/// Tries of the rule.
const TRIES: usize = 3;

/// Longest time until everything has come back after the end of all faults.
const PATIENCE: Duration = Duration::from_mins(2);

/// Time of GitLab that passes in one step, in seconds. GitLab and the exporters keep up with it.
const STEP: u64 = 15;

/// How long a step takes at least.
const STEP_TAKES: Duration = Duration::from_millis(250);

const TOKEN: &str = "glpat-bot";

const CONFIG: &str = "classification: {read_logs: false}\n\
    remediation: {mode: act, token_file: bot-token, \
    limits: {actions_per_hour: 10000, per_project_per_hour: 10000, per_pipeline: 1000, younger_than: 24h}, \
    circuit: {failures: 1000}, pause_when: {failing_share: 1, at_least: 100000}, \
    rules: [{name: runner, match: {failure_classes: [infrastructure]}, action: recover, delays: [10s, 20s, 30s]}]}\n";

/// What is to become of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// It passes after so many retries.
    Recovers(usize),
    /// It fails after the last try, too.
    KeepsFailing,
    /// Nobody touches it.
    Untouched,
}

/// A job of the round.
struct Job {
    pipeline: u64,
    name: String,
    wanted: Wanted,
}

struct Soak {
    gitlab: Handle,
    proxy: Proxy,
    places: [Place; 2],
    running: [Option<Daemon>; 2],
    projects: Vec<u64>,
    bot: u64,
    random: Rng,
    injected: BTreeMap<&'static str, usize>,
    jobs: usize,
}

impl Soak {
    async fn start(seed: u64) -> Self {
        let options = Options {
            seed,
            ..Options::default()
        };
        let gitlab = start(options).await.unwrap();
        let (projects, bot) = gitlab.with(|world| {
            let bot = world.add_user("bot", Role::Maintainer);
            world.add_token(TOKEN, bot, &[Scope::Api]);
            let path = |index| format!("acme/service-{index:02}");
            let projects = (0..PROJECTS).map(|index| world.create_project(&path(index)));
            (projects.collect(), bot)
        });
        gitlab.faults(|faults| {
            faults.writes.probability = 0.3;
            faults.writes.kinds = vec![
                Fault::Reset,
                Fault::AnswerLost,
                Fault::BadGateway,
                Fault::TooManyRequestsBare,
            ];
            faults.writes.race_window = Duration::from_millis(50);
        });
        let bucket = TestBucket::create().await;
        let proxy = Proxy::before(bucket.server).await;
        let place = || {
            let watch = "groups: [{path: acme}]";
            let place = Place::on_s3(gitlab.url(), watch, &proxy.url(), &bucket.name);
            let style = "force_path_style: true";
            place.reconfigure(style, &format!("{style}, timeout: 3s"));
            place.reconfigure("timeout: 5s", "timeout: 1s");
            std::fs::write(place.config().with_file_name("bot-token"), TOKEN).unwrap();
            place.configure_also(CONFIG);
            place
        };
        let places = [place(), place()];
        let running = [Some(places[0].start().await), Some(places[1].start().await)];
        Self {
            gitlab,
            proxy,
            places,
            running,
            projects,
            bot,
            random: Rng::with_seed(seed),
            injected: BTreeMap::new(),
            jobs: 0,
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.injected.entry(what).or_default() += 1;
    }

    /// Pushes a pipeline to every project.
    fn push(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        for project in self.projects.clone() {
            let (plans, wanted): (Vec<_>, Vec<_>) = (0..self.random.usize(2..6))
                .map(|index| self.plan(&format!("job-{index}")))
                .unzip();
            let names: Vec<_> = plans.iter().map(|plan| plan.name.clone()).collect();
            let push = |world: &mut gitlab_simulator::World| {
                world.push_pipeline(project, PipelinePlan::new(plans))
            };
            let pipeline = self.gitlab.with(push);
            let of_pipeline = names.into_iter().zip(wanted);
            jobs.extend(of_pipeline.map(|(name, wanted)| Job {
                pipeline,
                name,
                wanted,
            }));
        }
        self.jobs += jobs.len();
        jobs
    }

    fn plan(&mut self, name: &str) -> (JobPlan, Wanted) {
        let fails = || Ending::Fails("runner_system_failure".to_owned());
        let passes_after = |retries: usize| {
            let mut endings = vec![fails(); retries];
            endings.push(Ending::Passes);
            JobPlan::new(name, endings)
        };
        match self.random.u32(..10) {
            0 => (JobPlan::passes(name), Wanted::Untouched),
            1 => (JobPlan::fails(name), Wanted::Untouched),
            2 => (JobPlan::new(name, [fails()]), Wanted::KeepsFailing),
            3..5 => (passes_after(2), Wanted::Recovers(2)),
            5 => (passes_after(3), Wanted::Recovers(3)),
            _ => (passes_after(1), Wanted::Recovers(1)),
        }
    }

    /// Kills replicas, and lets S3 and GitLab go away, while time passes.
    async fn trouble(&mut self) {
        for _ in 0..STEPS {
            match self.random.u32(..10) {
                0..5 => self.kill().await,
                5 => {
                    self.proxy.go().await;
                    self.count("S3 away");
                }
                6 => {
                    let slow = Trouble::Refuse(503, "SlowDown");
                    self.proxy.always(Method::PUT, Some(slow));
                    self.count("S3 refuses writes");
                }
                7 => {
                    self.gitlab
                        .faults(|faults| faults.outage = Some(Fault::Unavailable));
                    self.count("GitLab away");
                }
                8 => {
                    self.gitlab.lag(&[], self.random.u32(1..4));
                    self.count("replica lags");
                }
                _ => {}
            }
            self.pass_time().await;
            self.mend().await;
        }
    }

    /// Kills a replica at a random moment, or both.
    async fn kill(&mut self) {
        sleep(Duration::from_millis(self.random.u64(..200))).await;
        let first = self.random.usize(..2);
        let both = self.random.u8(..4) == 0;
        for which in 0..2 {
            if (which == first || both)
                && let Some(daemon) = self.running[which].take()
            {
                daemon.kill().await;
                self.count("kill -9");
            }
        }
    }

    async fn pass_time(&mut self) {
        self.gitlab
            .advance(Duration::from_secs(self.random.u64(1..=STEP)));
        sleep(STEP_TAKES).await;
    }

    async fn mend(&mut self) {
        self.proxy.always(Method::PUT, None);
        self.proxy.go().await;
        self.proxy.come_back().await;
        self.gitlab.faults(|faults| faults.outage = None);
        self.gitlab.catch_up();
        for (place, running) in self.places.iter().zip(&mut self.running) {
            if running.is_none() {
                *running = Some(place.start().await);
            }
        }
    }

    /// Waits until every job is what was wanted. Returns what is not.
    async fn settle(&mut self, jobs: &[Job]) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let wrong: Vec<_> = jobs.iter().filter_map(|job| self.differs(job)).collect();
            if wrong.is_empty() || Instant::now() > end {
                return wrong;
            }
            self.pass_time().await;
        }
    }

    /// How a job differs from what was wanted.
    fn differs(&self, job: &Job) -> Option<String> {
        let bot = self.bot;
        let (status, retries) = self.gitlab.with(|world| {
            let attempts = world
                .jobs_of(job.pipeline)
                .filter(|it| it.name() == job.name);
            let retries = attempts.filter(|attempt| attempt.user == bot).count();
            (
                world.latest(job.pipeline, &job.name).unwrap().status,
                retries,
            )
        });
        let is_right = match job.wanted {
            Wanted::Recovers(wanted) => (status, retries) == (CiStatus::Success, wanted),
            Wanted::KeepsFailing => (status, retries) == (CiStatus::Failed, TRIES),
            Wanted::Untouched => status.is_terminal() && retries == 0,
        };
        let (name, pipeline, wanted) = (&job.name, job.pipeline, job.wanted);
        (!is_right).then(|| {
            format!("{name} of pipeline {pipeline}: {status:?} after {retries} retries, wanted {wanted:?}")
        })
    }

    /// The end of each replica's log, for a failure.
    fn logs(&self) -> String {
        let running = self.running.iter().flatten();
        let end = |daemon: &Daemon| {
            let log = daemon.log();
            let mut lines: Vec<_> = log.lines().rev().take(30).collect();
            lines.reverse();
            lines.join("\n")
        };
        running.map(end).collect::<Vec<_>>().join("\n\n")
    }
}

/// Runs for `REMEDIATION_FOR`. Fails if a failure was acted on twice, or a job has not become what was wanted.
pub(crate) async fn run() -> ExitCode {
    let time = variable("REMEDIATION_FOR").unwrap_or_else(|| "60s".to_owned());
    let time = duration::parse(&time).expect("REMEDIATION_FOR is a duration such as 60s");
    let seed = variable("REMEDIATION_SEED");
    let seed = seed.map(|seed| seed.parse().expect("REMEDIATION_SEED is a number"));
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!(
        "remediation for {}, REMEDIATION_SEED={seed}",
        duration::format(time)
    );
    let end = Instant::now() + time;
    let mut soak = Soak::start(seed).await;
    let mut wrong = Vec::new();
    let mut rounds = 0;
    while Instant::now() < end && wrong.is_empty() {
        let jobs = soak.push();
        soak.trouble().await;
        wrong = soak.settle(&jobs).await;
        rounds += 1;
    }
    let twice = soak.gitlab.retried_twice();
    let requests = soak.gitlab.requests();
    let sent = requests
        .iter()
        .filter(|request| request.endpoint.ends_with("/retry"));
    let faulty = sent.clone().filter(|request| request.fault.is_some());
    let (jobs, done) = (soak.jobs, soak.gitlab.actions().len());
    println!(
        "{rounds} rounds, {jobs} jobs, {done} retries done of {} sent, {} of these with a fault",
        sent.count(),
        faulty.count()
    );
    for (fault, count) in &soak.injected {
        println!("{fault:<20} {count}");
    }
    println!("failures acted on twice: {}", twice.len());
    if wrong.is_empty() && twice.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("{}\n{twice:?}\n{}", wrong.join("\n"), soak.logs());
    println!("repeat with: REMEDIATION_SEED={seed} cargo test --test soak -- remediation");
    ExitCode::FAILURE
}
