//! Starts a simulator, and gives access to it while it runs.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::accounts::{Accounts, Scope};
use super::delivery::{self, Hook, HookTarget};
use super::faults::Faults;
use super::ledger::Action;
use super::moment::Moment;
use super::pace::{Pace, SimulatedClock};
use super::release::Release;
use super::replica::Replica;
use super::scenario::Scenario;
use super::server;
use super::state::{Recorded, Shared, State, lock_present};
use super::truth::{self, JobTruth};
use super::world::World;

/// Default token.
pub const DEFAULT_TOKEN: &str = "glpat-simulated";

/// Default start of simulated time: 2026-01-05 08:00:00 UTC, a Monday.
const DEFAULT_START: i64 = 1_767_600_000;

/// Options of a simulator.
#[derive(Clone)]
pub struct Options {
    /// Address to listen on. Port 0 takes a free port.
    pub listen: SocketAddr,
    /// Path before `/api/v4` for a GitLab under a relative URL: empty or `/gitlab`.
    pub prefix: String,
    /// The token that requests need.
    pub token: String,
    /// Scenario of the world; `None` leaves it empty.
    pub scenario: Option<&'static Scenario>,
    /// Seed of everything random.
    pub seed: u64,
    /// Start and speed of simulated time.
    pub pace: Pace,
    /// The release of GitLab to answer as.
    pub release: Release,
    /// Receiver of webhooks; `None` sends none.
    pub hooks: Option<HookTarget>,
}

impl Default for Options {
    /// An empty world on a free port of 127.0.0.1, where time stands still.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            prefix: String::new(),
            token: DEFAULT_TOKEN.to_owned(),
            scenario: None,
            seed: 1,
            pace: Pace::still(Moment::from_unix(DEFAULT_START)),
            release: Release::default(),
            hooks: None,
        }
    }
}

/// A running simulator. Dropping the handle stops it.
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
///
/// If the address cannot be bound.
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
    world.settings_mut().release = options.release;
    let mut faults = Faults::none(options.seed);
    let unknown = options.release.unknown_to_graphql();
    unknown.for_each(|name| faults.graphql.forget(name));
    faults.graphql.lists_no_children = !options.release.lists_children();
    let scopes = [Scope::Api, Scope::ReadApi];
    world.add_token(&options.token, Accounts::OWNER, &scopes);
    if let Some(target) = options.hooks {
        let (sender, receiver) = mpsc::unbounded_channel();
        world.add_hook_receiver(sender);
        // The task ends with the world, which holds the sender.
        tokio::spawn(delivery::deliver(target, receiver));
    }
    if let Some(scenario) = options.scenario {
        scenario.fill(&mut world);
    }
    let shared: Shared = Arc::new(Mutex::new(State {
        world,
        faults,
        clock: SimulatedClock::start(options.pace),
        token: options.token.clone(),
        prefix,
        requests: Vec::new(),
        replica: None,
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
    /// Base URL of the simulated GitLab, with the prefix.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bound address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token that requests need at the start.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Replaces the token that requests need. The old one is refused from now on.
    pub fn rotate_token(&self, token: &str) {
        let mut state = lock_present(&self.shared);
        let old = std::mem::replace(&mut state.token, token.to_owned());
        if let Some(known) = state.world.token(&old).cloned() {
            state.world.revoke_token(&old);
            state.world.add_token(token, known.user, &known.scopes);
        }
    }

    /// Gives access to the world. Steps that are due run before and after `work`.
    pub fn with<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        let mut state = lock_present(&self.shared);
        let result = work(&mut state.world);
        state.world.advance(Duration::ZERO);
        result
    }

    /// A channel with all further webhooks, for tests that deliver them themselves.
    pub fn hooks(&self) -> mpsc::UnboundedReceiver<Hook> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.with(|world| world.add_hook_receiver(sender));
        receiver
    }

    /// Moves simulated time forward at once.
    pub fn advance(&self, by: Duration) {
        let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock.skip(by);
        drop(state);
        drop(lock_present(&self.shared));
    }

    /// Gives access to the injected faults.
    pub fn faults<R>(&self, work: impl FnOnce(&mut Faults) -> R) -> R {
        work(&mut lock_present(&self.shared).faults)
    }

    /// From now on a replica that has only what the world has now gives every `every`-th answer of these endpoints, or
    /// of all if there are none.
    pub fn lag(&self, endpoints: &[&str], every: u32) {
        let mut state = lock_present(&self.shared);
        state.replica = Some(Replica::of(&state.world, endpoints, every));
    }

    /// The replica that lags has everything again.
    pub fn catch_up(&self) {
        lock_present(&self.shared).replica = None;
    }

    /// The present truth of every job.
    pub fn truth(&self) -> Vec<JobTruth> {
        truth::of(&lock_present(&self.shared).world)
    }

    /// The present truth of one job of the default branch.
    pub fn truth_of(&self, project: &str, job_name: &str) -> Option<JobTruth> {
        self.truth()
            .into_iter()
            .find(|job| job.project == project && job.job_name == job_name)
    }

    /// Every request to the API so far.
    pub fn requests(&self) -> Vec<Recorded> {
        lock_present(&self.shared).requests.clone()
    }

    /// Requests to an endpoint so far. An endpoint is method and pattern: `GET /projects/:id/pipelines`.
    pub fn count(&self, endpoint: &str) -> usize {
        let state = lock_present(&self.shared);
        let asked = state.requests.iter();
        asked.filter(|request| request.endpoint == endpoint).count()
    }

    /// Clears the recorded requests.
    pub fn forget_requests(&self) {
        lock_present(&self.shared).requests.clear();
    }

    /// Every action that clients carried out through the API so far, whether or not they got the answer.
    pub fn actions(&self) -> Vec<Action> {
        lock_present(&self.shared).world.actions().to_vec()
    }

    /// Attempts that clients repeated more than once through the API, with the number of their retries.
    pub fn retried_twice(&self) -> Vec<(u64, usize)> {
        let counts = lock_present(&self.shared).world.retries_per_job();
        counts.into_iter().filter(|(_, count)| *count > 1).collect()
    }

    /// Stops listening, drops open connections, and waits for both.
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
