//! How many requests polling takes, counted at the simulated GitLab over a simulated hour of 200 projects.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use job_failure_exporter::config::{Config, Overrides};
use job_failure_exporter::gitlab::{Endpoint, Error, Observer, Project, Rejected};
use job_failure_exporter::ingest::{Ingest, Resume, ScheduleSight, Sink};
use job_failure_exporter::model::{JobObservation, PipelineObservation, Timestamp};
use job_failure_exporter::simulator::{
    DEFAULT_TOKEN, Handle, JobPlan, Options, PipelinePlan, Recorded, start,
};
use tokio_util::sync::CancellationToken;

const PROJECTS: usize = 200;

/// Every tenth one has a pipeline every ten minutes.
const BUSY: usize = 20;

/// Takes two pages.
const JOBS: usize = 150;

const HOUR: u64 = 3600;

const LISTING: &str = "GET /projects/:id/pipelines";
const JOBS_OF: &str = "GET /projects/:id/pipelines/:pid/jobs";
const BRIDGES_OF: &str = "GET /projects/:id/pipelines/:pid/bridges";
const SCHEDULES: &str = "GET /projects/:id/pipeline_schedules";
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

impl Observer for Counter {
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

fn fill(gitlab: &Handle) {
    gitlab.with(|world| {
        for number in 0..PROJECTS {
            let project = world.create_project(&format!("acme/project-{number:03}"));
            let plan = PipelinePlan::new([JobPlan::passes("build")]).instant();
            world.push_pipeline(project, plan);
            if number % (PROJECTS / BUSY) != 0 {
                continue;
            }
            for minute in (5..60).step_by(10) {
                let job = |n: usize| JobPlan::passes(format!("test-{n}"));
                let jobs: Vec<_> = (0..JOBS)
                    .map(|n| job(n).taking(Duration::from_secs(10), Duration::from_secs(100)))
                    .collect();
                world.at(Duration::from_mins(minute), move |world| {
                    world.push_pipeline(project, PipelinePlan::new(jobs));
                });
            }
        }
    });
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
            other => panic!("{other} was asked of a project"),
        };
        match project_of(request) {
            Some(project) => counter.of(project, count),
            None => *others.entry(request.endpoint).or_default() += 1,
        }
    }
}

fn table(costs: &BTreeMap<u64, Cost>, busy: &[u64], others: usize) -> String {
    let mut text =
        "| projects | cycles | listings | pages of jobs | trigger jobs | pipelines | schedules | requests a cycle |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for (name, is_busy) in [("180 idle", false), ("20 busy", true)] {
        let mut sum = Cost::default();
        for (_, cost) in costs.iter().filter(|(id, _)| busy.contains(id) == is_busy) {
            sum.cycles += cost.cycles;
            sum.listings += cost.listings;
            sum.job_pages += cost.job_pages;
            sum.bridges += cost.bridges;
            sum.single_pipelines += cost.single_pipelines;
            sum.schedules += cost.schedules;
        }
        let of_pipelines = sum.job_pages + sum.bridges + sum.single_pipelines;
        let all = sum.listings + of_pipelines + sum.schedules;
        writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} | {:.2} |",
            sum.cycles,
            sum.listings,
            sum.job_pages,
            sum.bridges,
            sum.single_pipelines,
            sum.schedules,
            all as f64 / sum.cycles as f64
        )
        .unwrap();
    }
    writeln!(text, "and {others} to find the projects").unwrap();
    text
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_two_hundred_projects_costs_what_the_budget_says() {
    let (end, ended) = mpsc::channel();
    let gitlab = gitlab(ended);
    fill(&gitlab);
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
    // The first minute reads what is there; the hour begins after it.
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
    let busy: Vec<u64> = (0..PROJECTS as u64)
        .filter(|n| n % (PROJECTS / BUSY) as u64 == 0)
        .map(|n| costs.keys().next().unwrap() + n)
        .collect();
    let discovery = others.values().sum();
    let table = table(&costs, &busy, discovery);
    // Past the capture of tests' output: the numbers are to be seen.
    std::io::stdout().write_all(table.as_bytes()).unwrap();
    assert_eq!(counter.failed.load(Ordering::Relaxed), 0);
    assert_eq!(costs.len(), PROJECTS);
    for (id, cost) in &costs {
        assert_eq!(cost.listings, cost.cycles, "{id}: {cost:?}");
        // None of them has schedules: asked every twelfth idle interval.
        assert!(cost.schedules <= 2, "{id}: {cost:?}");
        if busy.contains(id) {
            // What was asked for itself is handed over once more.
            let read = cost.pipelines_read - cost.single_pipelines;
            assert!(read >= 6, "{id}: {cost:?}");
            let pages = JOBS.div_ceil(100);
            assert!(cost.job_pages <= read * pages, "{id}: {cost:?}");
            // Once for each of the six pipelines: they have no trigger jobs, and will have none.
            assert!(cost.bridges <= 6, "{id}: {cost:?}");
        } else {
            let of_pipelines = cost.job_pages + cost.bridges + cost.single_pipelines;
            assert_eq!(of_pipelines, 0, "{id}: {cost:?}");
            // A quarter of an hour every 30 s, and every five minutes from then on.
            assert!((30..=50).contains(&cost.cycles), "{id}: {cost:?}");
        }
    }
    // Two pages every ten minutes.
    assert!(
        discovery <= 14 && others.contains_key(DISCOVERY),
        "{others:?}"
    );
}
