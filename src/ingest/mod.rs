//! Polling: which projects there are, what is new in each, and what that brings to the state.
//!
//! ```text
//! discovery -> one task a project -> cycle: list, jobs of what moved and of its children -> Sink
//! ```

mod children;
mod cursor;
mod cycle;
mod discovery;
mod past;
mod schedule;
mod timetable;
mod wake;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use cursor::{LISTING_OVERLAP, Resume};
pub use past::Past;
pub use timetable::ScheduleSight;
pub use wake::{Wake, Waker};

use crate::config::Watch;
use crate::gitlab::{Client, Error, Project, Rejected};
use crate::model::{JobObservation, PipelineObservation, Timestamp};

/// Where observations go. Calls come from many tasks and must return soon.
pub trait Sink: Send + Sync + 'static {
    /// Where polling of a project left off; asked once a project.
    fn resume(&self, project: &Project) -> Resume;

    /// A project is watched, perhaps under a new path.
    fn watched(&self, project: &Project);

    /// These are the projects there are; no other is watched any more. `complete` if everything the
    /// configuration names was found; else a project that was watched before the start may still be there.
    fn watched_are(&self, projects: &BTreeMap<u64, Project>, complete: bool);

    /// A pipeline with all attempts of its jobs was read at `at`, by GitLab's clock.
    fn observed(
        &self,
        project: &Project,
        pipeline: &PipelineObservation,
        jobs: &[JobObservation],
        at: Timestamp,
    );

    /// GitLab does not know a pipeline any more.
    fn gone(&self, project: &Project, pipeline: &PipelineObservation);

    /// What was observed of a project is to be shown although its cycle goes on.
    fn show(&self, project: &Project);

    /// A cycle of a project ended well: what GitLab told up to `watermark` was observed.
    fn polled(&self, project: &Project, watermark: Option<Timestamp>);

    /// A cycle failed, or a project or group of the configuration could not be found.
    fn poll_failed(&self, what: &str, error: &Error);

    /// A record of GitLab's was left out of what was asked about a project or group.
    fn rejected(&self, what: &str, rejected: &Rejected);

    /// These are the schedules of a project, in the order of their ids; there are no others.
    fn schedules(&self, project: &Project, schedules: &[ScheduleSight]);

    /// The schedules of a project could not be read, or not all of them.
    fn schedules_not_read(&self, project: &Project, error: &Error);

    /// Each project that was found first was tried once.
    fn first_round_ended(&self);

    /// The current time by GitLab's clock.
    fn gitlab_now(&self) -> Timestamp;
}

/// Everything polling needs.
pub struct Ingest {
    client: Client,
    watch: Arc<Watch>,
    sink: Arc<dyn Sink>,
    waker: Waker,
}

impl Ingest {
    /// Polling of what `watch` says, through `client`, into `sink`.
    pub fn new(client: Client, watch: Watch, sink: Arc<dyn Sink>) -> Self {
        Self {
            client,
            watch: Arc::new(watch),
            sink,
            waker: Waker::default(),
        }
    }

    /// Wakes the polling of a project before its time.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Polls until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        schedule::run(&self, stop).await;
    }
}

/// How long discovered projects are taken as they are before GitLab is asked again.
const DISCOVERY_INTERVAL: Duration = Duration::from_mins(10);

/// Cycles under way at a time. So many that some projects that hang do not hold up the others; the rate of
/// requests is bounded elsewhere.
const CONCURRENT_CYCLES: usize = 32;

/// Requests for jobs under way at a time in one cycle.
const CONCURRENT_REQUESTS: usize = 4;
