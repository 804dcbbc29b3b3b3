//! Counts the requests that polling 200 projects takes in a simulated hour.
//!
//! `cargo test --test soak -- requests` prints the same numbers.

mod hour;
mod projects;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use ci_history::{JobObservation, NotListed, PipelineObservation, Status, Timestamp};
use gitlab_simulator::{DEFAULT_TOKEN, Handle, Options, Recorded, start};
use job_failure_exporter::base::api::Endpoint;
use job_failure_exporter::base::project_memory::SchedulesMemory;
use job_failure_exporter::base::project_problem::ProjectProblem;
use job_failure_exporter::config::{Api, Config, Overrides};
use job_failure_exporter::gitlab::{Error, Project, Rejected, TransportMetrics};
use job_failure_exporter::ingest::{
    AbsentAttempts, FormerProject, Observations, PollEvents, PollHint, PollProgress, Poller,
    Resume, ScheduleSight, SweepReport, Waker,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::hour::Cost;
pub use self::hour::Hour;
use self::projects::fill;

const HOUR: u64 = 3600;

const LISTING: &str = "GET /projects/:id/pipelines";
const JOBS_OF: &str = "GET /projects/:id/pipelines/:pid/jobs";
const BRIDGES_OF: &str = "GET /projects/:id/pipelines/:pid/bridges";
const SCHEDULES: &str = "GET /projects/:id/pipeline_schedules";
const SCHEDULE: &str = "GET /projects/:id/pipeline_schedules/:sid";
const PIPELINE: &str = "GET /projects/:id/pipelines/:pid";
/// Counts the cycles, their pipelines, and the answered requests.
struct Counter {
    costs: Mutex<BTreeMap<u64, Cost>>,
    answered: AtomicUsize,
    failed: AtomicUsize,
    now: AtomicUsize,
    progress: Mutex<PollProgress>,
    shown: Mutex<BTreeSet<u64>>,
    statuses: Mutex<BTreeMap<u64, Status>>,
    ended_jobs: Mutex<BTreeSet<u64>>,
}

impl Counter {
    fn of(&self, project: u64, note: impl FnOnce(&mut Cost)) {
        note(self.costs.lock().unwrap().entry(project).or_default());
    }
}

impl Observations for Counter {
    fn observed(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
        _: Timestamp,
    ) {
        let ended = jobs.iter().filter(|job| job.status.is_terminal());
        let ended = ended.map(|job| job.id);
        self.ended_jobs.lock().unwrap().extend(ended);
        let mut statuses = self.statuses.lock().unwrap();
        statuses.insert(pipeline.id, pipeline.status);
        drop(statuses);
        self.of(project.id, |cost| cost.pipelines_read += 1);
    }

    fn not_listed(&self, _: &Project, _: &PipelineObservation, _: &HashSet<u64>) -> NotListed {
        NotListed::default()
    }

    fn absent(&self, _: &Project, _: &PipelineObservation, _: &AbsentAttempts) {}

    fn knows_job(&self, _: &Project, _: &str, _: &str) -> bool {
        false
    }

    fn pipeline_removed(&self, _: &Project, _: &PipelineObservation) {}

    fn rejected(&self, _: &Rejected) {}

    fn gitlab_now(&self) -> Timestamp {
        let seconds = self.now.load(Ordering::Relaxed);
        Timestamp::from_unix(i64::try_from(seconds).unwrap()).unwrap()
    }
}

impl PollEvents for Counter {
    fn resume(&self, _: &Project) -> Resume {
        Resume::default()
    }

    fn contradicted(&self, _: &Project, _: &[PipelineObservation]) -> Vec<PipelineObservation> {
        Vec::new()
    }

    fn replaced(&self, _: &Project, _: &PipelineObservation) {}

    fn refs_to_read_back(&self, _: &Project) -> BTreeSet<Arc<str>> {
        BTreeSet::new()
    }

    fn former_projects(&self) -> Vec<FormerProject> {
        Vec::new()
    }

    fn watched(&self, _: &Project, _: Option<&Arc<str>>) {}

    fn watched_are(&self, _: &BTreeMap<u64, Project>, _: bool) {}

    fn project_lost(&self, _: &Project, _: ProjectProblem) {}

    fn publish(&self, project: &Project) {
        self.shown.lock().unwrap().insert(project.id);
    }

    fn polled(&self, project: &Project, _: Option<Timestamp>) {
        self.of(project.id, |cost| cost.cycles += 1);
        self.shown.lock().unwrap().insert(project.id);
    }

    fn poll_failed(&self, _: &str, _: &Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn schedules(&self, _: &Project, _: &[ScheduleSight], _: SchedulesMemory) {}

    fn schedules_read(&self, _: &Project) {}

    fn schedules_not_read(&self, _: &Project, _: &Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn relies_on_hooks(&self, _: &Project, _: bool) {}

    fn swept(&self, _: SweepReport) {}

    fn needs(&self, _: f64) {}

    fn progressed(&self, progress: PollProgress) {
        *self.progress.lock().unwrap() = progress;
    }

    fn first_round_ended(&self) {}
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

/// A simulated GitLab on its own runtime, because the time of the exporter's runtime is paused.
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

/// Looks without any change after which requests that were cut off are given up.
const LOOKS_FOR_LATE_ANSWERS: u32 = 3000;

/// Waits in real time until every request has been answered.
async fn settled(gitlab: &Handle, counter: &Counter, received_before: usize) {
    let mut quiet = 0;
    let mut unchanged = 0;
    let mut last = usize::MAX;
    let mut last_received = 0;
    while quiet < 2 && unchanged < LOOKS_FOR_LATE_ANSWERS {
        let pause = || std::thread::sleep(Duration::from_micros(700));
        tokio::task::spawn_blocking(pause).await.unwrap();
        let answered = counter.answered.load(Ordering::Relaxed);
        let received = received_before + gitlab.requests().len();
        quiet = if answered == received && answered == last {
            quiet + 1
        } else {
            0
        };
        let has_changed = answered != last || received != last_received;
        unchanged = if has_changed { 0 } else { unchanged + 1 };
        (last, last_received) = (answered, received);
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
            other => panic!("unexpected request for a project: {other}"),
        };
        match project_of(request) {
            Some(project) => counter.of(project, count),
            None => *others.entry(request.endpoint).or_default() += 1,
        }
    }
}

/// Measures an hour of polling that learns by this API what moved. The first minute before it reads the existing pipelines. Requires a runtime
/// with paused time.
pub async fn hour(api: Api) -> Hour {
    let measuring = Measuring::start(api, 50, fill);
    let Measuring {
        gitlab, counter, ..
    } = &measuring;
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
                tally(counter, &requests, &mut others);
            }
        }
        measuring.second_passes(received).await;
    }
    tally(counter, &gitlab.requests(), &mut others);
    let costs = counter.costs.lock().unwrap().clone();
    let failed = counter.failed.load(Ordering::Relaxed);
    Hour {
        costs,
        kinds: measuring.end().await,
        others,
        failed,
    }
}

/// A poller at work on a simulated GitLab.
pub(crate) struct Measuring<F> {
    gitlab: Handle,
    filled: F,
    counter: Arc<Counter>,
    stop: CancellationToken,
    polling: JoinHandle<()>,
    waker: Waker,
    holding: JoinHandle<Result<(), mpsc::RecvError>>,
    release: mpsc::Sender<()>,
    end: mpsc::Sender<()>,
}

impl<F> Measuring<F> {
    /// Starts to poll what `fill` creates.
    pub(crate) fn start(
        api: Api,
        requests_per_second: u32,
        fill: impl FnOnce(&Handle) -> F,
    ) -> Self {
        let (end, ended) = mpsc::channel();
        let gitlab = gitlab(ended);
        let filled = fill(&gitlab);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yml");
        let text = format!(
            "gitlab: {{url: '{}', requests_per_second: {requests_per_second}, timeout: 1h}}\nwatch: {{groups: [{{path: acme}}]}}\n",
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
            progress: Mutex::default(),
            shown: Mutex::default(),
            statuses: Mutex::default(),
            ended_jobs: Mutex::default(),
        });
        let client = job_failure_exporter::daemon::client(
            &config.gitlab,
            Some(&config.limits),
            counter.clone(),
        )
        .unwrap();
        let poller = Poller::new(client, config.watch, counter.clone()).with_api(api);
        // Tokio does not advance paused time by itself while a blocking task runs.
        let (release, held) = mpsc::channel::<()>();
        let holding = tokio::task::spawn_blocking(move || held.recv());
        let stop = CancellationToken::new();
        let waker = poller.waker();
        let polling = tokio::spawn(poller.run(stop.clone()));
        Self {
            gitlab,
            filled,
            counter,
            stop,
            polling,
            waker,
            holding,
            release,
            end,
        }
    }

    /// The simulated GitLab.
    pub(crate) fn gitlab(&self) -> &Handle {
        &self.gitlab
    }

    /// Takes webhooks, as the exporter does.
    pub(crate) fn take_hook(&self, project: u64, hint: PollHint) {
        self.waker.wake(project, Some(hint));
    }

    /// The status of a pipeline as it was read last.
    pub(crate) fn status_of(&self, pipeline: u64) -> Option<Status> {
        self.counter
            .statuses
            .lock()
            .unwrap()
            .get(&pipeline)
            .copied()
    }

    /// Whether a job was seen to have ended.
    pub(crate) fn has_seen_end_of(&self, job: u64) -> bool {
        self.counter.ended_jobs.lock().unwrap().contains(&job)
    }

    /// Polls that failed.
    pub(crate) fn failed(&self) -> usize {
        self.counter.failed.load(Ordering::Relaxed)
    }

    /// Lets some time pass at once, and waits until all requests of it are answered. The recorded ones are forgotten.
    /// Returns them.
    pub(crate) async fn time_passes(&self, time: Duration) -> Vec<Recorded> {
        let answered = self.counter.answered.load(Ordering::Relaxed);
        self.gitlab.advance(time);
        tokio::time::advance(time).await;
        settled(&self.gitlab, &self.counter, answered).await;
        let requests = self.gitlab.requests();
        self.gitlab.forget_requests();
        requests
    }

    /// Lets a second pass. So many requests were received before those that GitLab remembers.
    pub(crate) async fn second_passes(&self, received: usize) {
        self.gitlab.advance(Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        settled(&self.gitlab, &self.counter, received).await;
    }

    /// How far the first round is.
    pub(crate) fn progress(&self) -> PollProgress {
        *self.counter.progress.lock().unwrap()
    }

    /// Projects of which something was shown.
    pub(crate) fn shown(&self) -> usize {
        self.counter.shown.lock().unwrap().len()
    }

    /// Requests that GitLab remembers.
    pub(crate) fn requests(&self) -> usize {
        self.gitlab.requests().len()
    }

    pub(crate) async fn end(self) -> F {
        self.stop.cancel();
        self.polling.await.unwrap();
        self.release.send(()).unwrap();
        self.holding.await.unwrap().unwrap();
        self.end.send(()).unwrap();
        self.filled
    }
}
