//! Starting the simulator, and looking into it while it runs.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::faults::Faults;
use super::hooks::{self, Hook, HookTarget};
use super::moment::Moment;
use super::pace::{Course, Pace};
use super::scenario::Scenario;
use super::server::{self, Recorded, Shared, State, present};
use super::truth::{self, JobTruth};
use super::world::World;

/// The token that is taken where no other is set.
pub const DEFAULT_TOKEN: &str = "glpat-simulated";

/// Start of simulated time where no other is set: 2026-01-05 08:00:00 UTC, a Monday.
const DEFAULT_START: i64 = 1_767_600_000;

/// How a simulator is started.
#[derive(Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Path before `/api/v4`, as of a GitLab below a relative URL: empty or `/gitlab`.
    pub prefix: String,
    /// The token requests must carry.
    pub token: String,
    /// What fills the world; `None` leaves it empty.
    pub scenario: Option<&'static Scenario>,
    /// Decides everything that is random.
    pub seed: u64,
    /// How simulated time passes.
    pub pace: Pace,
    /// Where webhooks are sent; `None` sends none.
    pub hooks: Option<HookTarget>,
}

impl Default for Options {
    /// An empty world on a free port of 127.0.0.1 whose time stands still.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            prefix: String::new(),
            token: DEFAULT_TOKEN.to_owned(),
            scenario: None,
            seed: 1,
            pace: Pace::still(Moment::from_unix(DEFAULT_START)),
            hooks: None,
        }
    }
}

/// A simulator that runs. Dropping it stops it, too.
pub struct Handle {
    shared: Shared,
    url: String,
    address: SocketAddr,
    token: String,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
}

/// Starts a simulated GitLab.
///
/// # Errors
/// Where the address cannot be listened on.
pub async fn start(options: Options) -> io::Result<Handle> {
    let listener = TcpListener::bind(options.listen).await?;
    let address = listener.local_addr()?;
    let prefix = match options.prefix.trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    };
    let url = format!("http://{address}{prefix}");
    let mut world = World::new(options.pace.start, options.seed);
    world.base_url.clone_from(&url);
    if let Some(target) = options.hooks {
        let (sender, receiver) = mpsc::unbounded_channel();
        world.send_hooks_to(sender);
        // Ends with the world, which holds the sender.
        tokio::spawn(hooks::deliver(target, receiver));
    }
    if let Some(scenario) = options.scenario {
        scenario.fill(&mut world);
    }
    let shared: Shared = Arc::new(Mutex::new(State {
        world,
        faults: Faults::none(options.seed),
        course: Course::begin(options.pace),
        token: options.token.clone(),
        prefix,
        requests: Vec::new(),
    }));
    let stop = CancellationToken::new();
    let server = tokio::spawn(server::serve(listener, Arc::clone(&shared), stop.clone()));
    Ok(Handle {
        shared,
        url,
        address,
        token: options.token,
        stop,
        server: Some(server),
    })
}

impl Handle {
    /// What an exporter is given as the address of GitLab.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token requests must carry.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Looks into the world or changes it; what is due now has happened before and after.
    pub fn with<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        let mut state = present(&self.shared);
        let result = work(&mut state.world);
        state.world.advance(Duration::ZERO);
        result
    }

    /// Every webhook from now on, for somebody who delivers it in a way of his own.
    pub fn hooks(&self) -> mpsc::UnboundedReceiver<Hook> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.with(|world| world.send_hooks_to(sender));
        receiver
    }

    /// Lets so much simulated time pass at once.
    pub fn advance(&self, by: Duration) {
        let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        state.course.skip(by);
        drop(state);
        drop(present(&self.shared));
    }

    /// Looks at what goes wrong on purpose, or changes it.
    pub fn faults<R>(&self, work: impl FnOnce(&mut Faults) -> R) -> R {
        work(&mut present(&self.shared).faults)
    }

    /// The truth on every job now.
    pub fn truth(&self) -> Vec<JobTruth> {
        truth::of(&present(&self.shared).world)
    }

    /// The truth on one job of the default branch now.
    pub fn truth_of(&self, project: &str, job_name: &str) -> Option<JobTruth> {
        self.truth()
            .into_iter()
            .find(|job| job.project == project && job.job_name == job_name)
    }

    /// Every request to the API so far.
    pub fn requests(&self) -> Vec<Recorded> {
        present(&self.shared).requests.clone()
    }

    /// How many requests an endpoint got so far: `GET /projects/:id/pipelines`.
    pub fn count(&self, endpoint: &str) -> usize {
        let state = present(&self.shared);
        let asked = state.requests.iter();
        asked.filter(|request| request.endpoint == endpoint).count()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        present(&self.shared).requests.clear();
    }

    /// Stops listening, drops open connections, and waits until that is done.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take()
            && let Err(error) = server.await
        {
            tracing::warn!(%error, "the simulated GitLab did not stop cleanly");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
