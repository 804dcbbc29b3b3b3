//! How many requests polling takes, counted at the simulated GitLab over a simulated hour of 200 projects.
//!
//! `cargo bench --bench requests` prints the same numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use ci_history::{JobObservation, PipelineObservation, Timestamp};
use gitlab_simulator::{DEFAULT_TOKEN, Handle, JobPlan, Options, PipelinePlan, Recorded, start};
use job_failure_exporter::base::api::Endpoint;
use job_failure_exporter::config::{Config, Overrides};
use job_failure_exporter::gitlab::{Error, Project, Rejected, TransportMetrics};
use job_failure_exporter::ingest::{Ingest, Resume, ScheduleSight, Sink};
use tokio_util::sync::CancellationToken;

const PROJECTS: usize = 200;

/// Jobs of a busy project's pipeline; they take two pages.
const JOBS: usize = 150;

/// Jobs of a child pipeline; they take one.
const CHILD_JOBS: usize = 30;

/// Pipelines of an hour in a project that has some.
const PIPELINES: usize = 6;

/// What goes on in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One pipeline that has ended long since.
    Idle,
    /// A pipeline every ten minutes.
    Busy,
    /// The same, small, each with a child pipeline.
    WithChildren,
    /// A schedule, and no other pipelines than its own, every ten minutes.
    Scheduled,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Idle, Self::Busy, Self::WithChildren, Self::Scheduled];

    /// Of twenty projects two are busy, one has children, and one a schedule.
    fn of(number: usize) -> Self {
        match number % 20 {
            0 | 10 => Self::Busy,
            5 => Self::WithChildren,
            15 => Self::Scheduled,
            _ => Self::Idle,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy: 6 pipelines of 150 jobs",
            Self::WithChildren => "6 pipelines of 2 jobs with a child of 30",
            Self::Scheduled => "6 scheduled pipelines of 1 job",
        }
    }
}

const HOUR: u64 = 3600;

const LISTING: &str = "GET /projects/:id/pipelines";
const JOBS_OF: &str = "GET /projects/:id/pipelines/:pid/jobs";
const BRIDGES_OF: &str = "GET /projects/:id/pipelines/:pid/bridges";
const SCHEDULES: &str = "GET /projects/:id/pipeline_schedules";
const SCHEDULE: &str = "GET /projects/:id/pipeline_schedules/:sid";
const PIPELINE: &str = "GET /projects/:id/pipelines/:pid";
const DISCOVERY: &str = "GET /groups/:id/projects";

/// What one project cost, and what it was for.
#[derive(Debug, Default, Clone, Copy)]
struct Cost {
    cycles: usize,
    pipelines_read: usize,
    listings: usize,
    job_pages: usize,
    bridges: usize,
    single_pipelines: usize,
    schedules: usize,
    single_schedules: usize,
}

impl Cost {
    fn requests(&self) -> usize {
        let of_pipelines = self.job_pages + self.bridges + self.single_pipelines;
        self.listings + of_pipelines + self.schedules + self.single_schedules
    }
}

/// What an hour took.
pub struct Hour {
    costs: BTreeMap<u64, Cost>,
    kinds: BTreeMap<u64, Kind>,
    /// Requests that were no project's, by endpoint.
    others: BTreeMap<&'static str, usize>,
    failed: usize,
}

/// Counts cycles and what they read, and the requests that were answered.
struct Counter {
    costs: Mutex<BTreeMap<u64, Cost>>,
    answered: AtomicUsize,
    failed: AtomicUsize,
    now: AtomicUsize,
}

impl Counter {
    fn of(&self, project: u64, note: impl FnOnce(&mut Cost)) {
        note(self.costs.lock().unwrap().entry(project).or_default());
    }
}

impl Sink for Counter {
    fn resume(&self, _: &Project) -> Resume {
        Resume::default()
    }

    fn watched(&self, _: &Project) {}

    fn watched_are(&self, _: &BTreeMap<u64, Project>, _: bool) {}

    fn observed(
        &self,
        project: &Project,
        _: &PipelineObservation,
        _: &[JobObservation],
        _: Timestamp,
    ) {
        self.of(project.id, |cost| cost.pipelines_read += 1);
    }

    fn gone(&self, _: &Project, _: &PipelineObservation) {}

    fn show(&self, _: &Project) {}

    fn polled(&self, project: &Project, _: Option<Timestamp>) {
        self.of(project.id, |cost| cost.cycles += 1);
    }

    fn poll_failed(&self, _: &str, _: &Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn rejected(&self, _: &str, _: &Rejected) {}

    fn schedules(&self, _: &Project, _: &[ScheduleSight]) {}

    fn schedules_not_read(&self, _: &Project, _: &Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn first_round_ended(&self) {}

    fn gitlab_now(&self) -> Timestamp {
        let seconds = self.now.load(Ordering::Relaxed);
        Timestamp::from_unix(i64::try_from(seconds).unwrap()).unwrap()
    }
}

impl TransportMetrics for Counter {
    fn answered(&self, _: Endpoint, _: &'static str, _: Duration) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    fn server_date(&self, date: Timestamp) {
        let seconds = usize::try_from(date.unix()).unwrap();
        self.now.fetch_max(seconds, Ordering::Relaxed);
    }
}

/// A GitLab on a runtime of its own: only the exporter's time is made to pass.
fn gitlab(stop: mpsc::Receiver<()>) -> Handle {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        let handle = runtime.block_on(start(Options::default())).unwrap();
        sender.send(handle).unwrap();
        runtime.block_on(async {
            let ended = tokio::task::spawn_blocking(move || stop.recv());
            let _ = ended.await;
        });
    });
    receiver.recv().unwrap()
}

/// Fills a GitLab; gives the projects.
fn fill(gitlab: &Handle) -> BTreeMap<u64, Kind> {
    let fill = |number: usize| {
        let kind = Kind::of(number);
        let id = gitlab.with(|world| {
            let project = world.create_project(&format!("acme/project-{number:03}"));
            let plan = PipelinePlan::new([JobPlan::passes("build")]).instant();
            world.push_pipeline(project, plan);
            if kind == Kind::Scheduled {
                let plan = PipelinePlan::new([JobPlan::passes("nightly")]);
                world.create_schedule(project, "nightly", Duration::from_mins(10), plan);
            }
            let jobs = match kind {
                Kind::Idle | Kind::Scheduled => return project,
                Kind::Busy => jobs("test", JOBS),
                Kind::WithChildren => {
                    let child = PipelinePlan::new(jobs("test", CHILD_JOBS));
                    vec![JobPlan::passes("build"), JobPlan::triggers("child", child)]
                }
            };
            for minute in (5..60).step_by(60 / PIPELINES) {
                let plan = PipelinePlan::new(jobs.clone());
                world.at(Duration::from_mins(minute), move |world| {
                    world.push_pipeline(project, plan);
                });
            }
            project
        });
        (id, kind)
    };
    (0..PROJECTS).map(fill).collect()
}

fn jobs(name: &str, count: usize) -> Vec<JobPlan> {
    let job = |n| JobPlan::passes(format!("{name}-{n}"));
    let jobs = (0..count).map(job);
    jobs.map(|job| job.taking(Duration::from_secs(10), Duration::from_secs(100)))
        .collect()
}

/// Waits, in real time, until every request that was begun has been answered.
async fn settled(gitlab: &Handle, counter: &Counter, received_before: usize) {
    let mut quiet = 0;
    let mut last = usize::MAX;
    while quiet < 2 {
        let pause = || std::thread::sleep(Duration::from_micros(700));
        tokio::task::spawn_blocking(pause).await.unwrap();
        let answered = counter.answered.load(Ordering::Relaxed);
        let received = received_before + gitlab.requests().len();
        quiet = if answered == received && answered == last {
            quiet + 1
        } else {
            0
        };
        last = answered;
    }
}

fn project_of(request: &Recorded) -> Option<u64> {
    let (_, rest) = request.target.split_once("/projects/")?;
    rest.split(['/', '?']).next()?.parse().ok()
}

fn tally(counter: &Counter, requests: &[Recorded], others: &mut BTreeMap<&'static str, usize>) {
    for request in requests {
        assert_eq!(request.status, 200, "{request:?}");
        let count = |cost: &mut Cost| match request.endpoint {
            LISTING => cost.listings += 1,
            JOBS_OF => cost.job_pages += 1,
            BRIDGES_OF => cost.bridges += 1,
            PIPELINE => cost.single_pipelines += 1,
            SCHEDULES => cost.schedules += 1,
            SCHEDULE => cost.single_schedules += 1,
            other => panic!("{other} was asked of a project"),
        };
        match project_of(request) {
            Some(project) => counter.of(project, count),
            None => *others.entry(request.endpoint).or_default() += 1,
        }
    }
}

impl Hour {
    /// The numbers, a row for each kind of project.
    pub fn table(&self) -> String {
        let mut text = "| projects | cycles | listings | pages of jobs | trigger jobs | pipelines | schedules | \
             requests a cycle |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
        for kind in Kind::ALL {
            let mut sum = Cost::default();
            let of_kind = self.costs.iter().filter(|(id, _)| self.kinds[id] == kind);
            let mut projects = 0;
            for (_, cost) in of_kind {
                projects += 1;
                sum.cycles += cost.cycles;
                sum.listings += cost.listings;
                sum.job_pages += cost.job_pages;
                sum.bridges += cost.bridges;
                sum.single_pipelines += cost.single_pipelines;
                sum.schedules += cost.schedules;
                sum.single_schedules += cost.single_schedules;
            }
            writeln!(
                text,
                "| {projects} {} | {} | {} | {} | {} | {} | {} | {:.2} |",
                kind.words(),
                sum.cycles,
                sum.listings,
                sum.job_pages,
                sum.bridges,
                sum.single_pipelines,
                sum.schedules + sum.single_schedules,
                sum.requests() as f64 / sum.cycles as f64
            )
            .unwrap();
        }
        let all: usize = self.costs.values().map(Cost::requests).sum();
        let discovery = self.discovery();
        writeln!(
            text,
            "{} requests in all, {discovery} of them to find the projects",
            all + discovery
        )
        .unwrap();
        text
    }

    fn discovery(&self) -> usize {
        self.others.values().sum()
    }

    /// Fails where the budget is not kept.
    #[track_caller]
    pub fn is_within_the_budget(&self) {
        assert_eq!(self.failed, 0);
        assert_eq!(self.costs.len(), PROJECTS);
        for (id, cost) in &self.costs {
            let kind = self.kinds[id];
            let about = format!("{id} {kind:?}: {cost:?}");
            assert_eq!(cost.listings, cost.cycles, "{about}");
            // What was asked for itself is handed over once more.
            let read = cost.pipelines_read - cost.single_pipelines;
            match kind {
                Kind::Idle => {
                    let of_pipelines = cost.job_pages + cost.bridges + cost.single_pipelines;
                    assert_eq!(of_pipelines, 0, "{about}");
                    // A quarter of an hour every 30 s, and every five minutes from then on.
                    assert!((30..=50).contains(&cost.cycles), "{about}");
                }
                Kind::Busy => {
                    assert!(read >= PIPELINES, "{about}");
                    assert!(cost.job_pages <= read * JOBS.div_ceil(100), "{about}");
                    // Once for each pipeline: they have no trigger jobs, and will have none.
                    assert!(cost.bridges <= PIPELINES, "{about}");
                }
                Kind::WithChildren => {
                    assert!(read >= PIPELINES, "{about}");
                    // A parent and its one child: a page of jobs and the trigger jobs of each.
                    let members = 2 * read;
                    assert!(
                        cost.job_pages <= members && cost.bridges <= members,
                        "{about}"
                    );
                    assert!(cost.job_pages > read, "children were read: {about}");
                }
                Kind::Scheduled => {
                    // It runs once more at the very end.
                    assert!((PIPELINES..=read).contains(&cost.job_pages), "{about}");
                    assert!(cost.bridges <= PIPELINES + 1, "{about}");
                }
            }
            if kind == Kind::Scheduled {
                // Every second idle interval, and two questions after each run.
                assert!((5..=7).contains(&cost.schedules), "{about}");
                assert!(cost.single_schedules <= 2 * (PIPELINES + 1), "{about}");
                assert!(cost.single_schedules >= PIPELINES - 1, "{about}");
            } else {
                // None of them has schedules: asked every twelfth idle interval.
                assert!(cost.schedules <= 2, "{about}");
                assert_eq!(cost.single_schedules, 0, "{about}");
            }
        }
        // Two pages every ten minutes.
        assert!(
            self.discovery() <= 14 && self.others.contains_key(DISCOVERY),
            "{:?}",
            self.others
        );
    }
}

/// An hour after the first minute, which reads what is there. Wants a runtime whose time stands still.
pub async fn hour() -> Hour {
    let (end, ended) = mpsc::channel();
    let gitlab = gitlab(ended);
    let kinds = fill(&gitlab);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    let text = format!(
        "gitlab: {{url: '{}', requests_per_second: 50, timeout: 1h}}\nwatch: {{groups: [{{path: acme}}]}}\n",
        gitlab.url()
    );
    std::fs::write(&file, text).unwrap();
    let env = |name: &str| (name == "GITLAB_TOKEN").then(|| DEFAULT_TOKEN.to_owned());
    let config = Config::load(Some(&file), &Overrides::default(), &env).unwrap();
    let counter = Arc::new(Counter {
        costs: Mutex::default(),
        answered: AtomicUsize::new(0),
        failed: AtomicUsize::new(0),
        now: AtomicUsize::new(1),
    });
    let client = job_failure_exporter::daemon::client(&config, counter.clone()).unwrap();
    let ingest = Ingest::new(client, config.watch, counter.clone());
    // While a blocking task runs, time passes only by `advance`.
    let (release, held) = mpsc::channel::<()>();
    let holding = tokio::task::spawn_blocking(move || held.recv());
    let stop = CancellationToken::new();
    let polling = tokio::spawn(ingest.run(stop.clone()));

    let mut received = 0;
    let mut others = BTreeMap::new();
    for second in 0..60 + HOUR {
        if second % 60 == 0 {
            let requests = gitlab.requests();
            gitlab.forget_requests();
            received += requests.len();
            if second == 60 {
                counter.costs.lock().unwrap().clear();
                others.clear();
            } else {
                tally(&counter, &requests, &mut others);
            }
        }
        gitlab.advance(Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        settled(&gitlab, &counter, received).await;
    }
    tally(&counter, &gitlab.requests(), &mut others);
    stop.cancel();
    polling.await.unwrap();
    release.send(()).unwrap();
    holding.await.unwrap().unwrap();
    end.send(()).unwrap();
    let costs = counter.costs.lock().unwrap().clone();
    Hour {
        costs,
        kinds,
        others,
        failed: counter.failed.load(Ordering::Relaxed),
    }
}
