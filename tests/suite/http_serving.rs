//! A server with a daemon of the tests' own behind it, and clients of various manners.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ci_history::{JobRow, TimelineRows, Timestamp};
use job_failure_exporter::base::listen_address::ListenAddress;
use job_failure_exporter::http::{
    Bound, DaemonStatus, FoldedNames, GridEntry, Hosts, JobEntry, JobFacts, JobGroup, JobPage,
    JobQuery, Limits, ListedJob, PipelineEntry, ProjectStatus, Readiness, RefPipelines, RefStatus,
    ScheduleEntry, SelfReport, Server, Service, select,
};
use job_failure_exporter::metrics::Telemetry;
use testkit::client;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::metrics_rows::{exposition, key};

/// What the status page and the probes see.
#[derive(Default)]
pub(crate) struct Daemon {
    pub(crate) timelines: Vec<TimelineRows>,
    pub(crate) projects: Vec<ProjectStatus>,
    pub(crate) pipelines: Vec<PipelineEntry>,
    pub(crate) schedules: Vec<ScheduleEntry>,
    pub(crate) grid: Option<GridEntry>,
    pub(crate) report: SelfReport,
    pub(crate) ref_pipelines: Option<RefPipelines>,
    pub(crate) waiting_for: Mutex<Option<String>>,
}

impl DaemonStatus for Daemon {
    fn readiness(&self) -> Readiness {
        let reason = self.waiting_for.lock().unwrap().clone();
        reason.map_or(Readiness::Ready, Readiness::NotReady)
    }

    fn self_report(&self) -> SelfReport {
        self.report.clone()
    }

    fn projects(&self) -> Vec<ProjectStatus> {
        self.projects.clone()
    }

    fn refs(&self) -> Vec<RefStatus> {
        let refs = self.timelines.iter().map(|timeline| {
            let pipelines = &timeline.pipelines;
            let failing = timeline.jobs.iter();
            let failing = failing.filter(|row| row.figures.consecutive_failures > 0);
            RefStatus {
                project: Arc::clone(&timeline.project),
                ref_name: Arc::clone(&timeline.ref_name),
                track: timeline.track.clone(),
                jobs: timeline.jobs.len(),
                failing_jobs: failing.count(),
                failed_pipelines: pipelines.consecutive_failures,
                red_since: pipelines.failing.as_ref().and_then(|failing| failing.since),
                last_pipeline: pipelines.last_execution,
            }
        });
        refs.collect()
    }

    fn schedules(&self) -> Vec<ScheduleEntry> {
        self.schedules.clone()
    }

    fn grid(
        &self,
        project: &str,
        ref_name: &str,
        track: Option<&str>,
        _: usize,
    ) -> Option<GridEntry> {
        let grid = self.grid.clone()?;
        let is_it = *grid.project == *project
            && *grid.ref_name == *ref_name
            && track.is_none_or(|track| track == grid.track.as_deref().unwrap_or_default());
        is_it.then_some(grid)
    }

    fn pipelines(
        &self,
        project: &str,
        ref_name: &str,
        track: Option<&str>,
    ) -> Option<RefPipelines> {
        let found = self.ref_pipelines.clone()?;
        let is_it = *found.project == *project
            && *found.ref_name == *ref_name
            && track.is_none_or(|track| track == found.track.as_deref().unwrap_or_default());
        is_it.then_some(found)
    }

    fn jobs(&self, query: &JobQuery) -> JobPage {
        let jobs = self.timelines.iter().map(|timeline| {
            let rows = timeline.jobs.iter();
            let jobs: Vec<_> = rows.map(|row| Listed(row, JobFacts::of(row))).collect();
            let names = FoldedNames::of(&jobs);
            (timeline, jobs, names)
        });
        let jobs: Vec<_> = jobs.collect();
        let groups = jobs.iter().map(|(timeline, jobs, names)| JobGroup {
            project: &timeline.project,
            ref_name: &timeline.ref_name,
            track: timeline.track.as_deref(),
            jobs,
            names,
            item: *timeline,
        });
        let groups: Vec<_> = groups.collect();
        let selected = select(&groups, query);
        selected.look_up(|(timeline, job)| Some(entry(timeline, job.0)))
    }

    fn job(&self, project: &str, ref_name: &str, _: Option<&str>, job: &str) -> Option<JobEntry> {
        let timeline = self
            .timelines
            .iter()
            .find(|rows| *rows.project == *project && *rows.ref_name == *ref_name)?;
        let row = timeline.jobs.iter().find(|row| *row.name == *job)?;
        Some(entry(timeline, row))
    }

    fn pipeline(&self, project: &str, id: u64) -> Option<PipelineEntry> {
        let mut pipelines = self.pipelines.iter();
        let found = pipelines.find(|it| *it.project == *project && it.row.id == id);
        found.cloned()
    }
}

/// A row with what it is sorted by.
struct Listed<'a>(&'a JobRow, JobFacts);

impl ListedJob for Listed<'_> {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn team(&self) -> Option<&str> {
        Some("sre")
    }

    fn facts(&self) -> &JobFacts {
        &self.1
    }
}

fn entry(timeline: &TimelineRows, row: &JobRow) -> JobEntry {
    JobEntry {
        project: Arc::clone(&timeline.project),
        project_url: timeline.project_url.clone(),
        ref_name: Arc::clone(&timeline.ref_name),
        track: None,
        team: Some("sre".into()),
        row: row.clone(),
    }
}

/// A running server.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    pub(crate) daemon: Arc<Daemon>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
    pub(crate) async fn start(daemon: Daemon, limits: Limits) -> Self {
        Self::start_for(daemon, limits, None).await
    }

    /// `hosts` are the names that are answered; `None`: any.
    pub(crate) async fn start_for(daemon: Daemon, limits: Limits, hosts: Option<Hosts>) -> Self {
        let equip = |bound, service: Service, _: &Telemetry| match hosts {
            Some(hosts) => (bound, service.with_hosts(hosts)),
            None => (bound, service),
        };
        Self::start_with(daemon, limits, equip).await
    }

    /// `equip` adds what a test is about.
    pub(crate) async fn start_with(
        daemon: Daemon,
        limits: Limits,
        equip: impl FnOnce(Bound, Service, &Telemetry) -> (Bound, Service),
    ) -> Self {
        let exposition = exposition();
        for rows in &daemon.timelines {
            exposition.publish(key(rows), rows, &|_, _| Some("sre".into()));
        }
        let daemon = Arc::new(daemon);
        let bound = Server::bind(&ListenAddress::parse("127.0.0.1:0").unwrap())
            .await
            .unwrap()
            .with_limits(limits);
        let address = bound.local_addr().unwrap();
        let now = Arc::new(|| Timestamp::from_unix(1_700_003_600).unwrap());
        let status = Arc::clone(&daemon) as Arc<dyn DaemonStatus>;
        let telemetry = exposition.telemetry().clone();
        let service = Service::new(exposition, status, now);
        let (bound, service) = equip(bound, service, &telemetry);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(bound.serve(service, async {
            stopped.await.ok();
        }));
        Self {
            address,
            daemon,
            stop,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A client that shows what is on the wire: nothing is inflated.
    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        client().get(self.url(path)).send().await.unwrap()
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        self.get(path).await.text().await.unwrap()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes as they are and returns all that comes until the server closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        // The server may close before it has read everything.
        stream.write_all(request).await.ok();
        read_to_close(&mut stream).await
    }

    /// Asks for the shutdown.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.task
    }
}

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// All that comes until the server closes, or resets.
pub(crate) async fn read_to_close(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    read.await.expect("the server closes the connection").ok();
    String::from_utf8_lossy(&answer).into_owned()
}
