//! The state of the simulator: the world, its time, its faults, and the requests so far.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::Fault;
use super::faults::Faults;
use super::graphql::QueryCost;
use super::moment::Moment;
use super::pace::SimulatedClock;
use super::replica::Replica;
use super::world::World;

/// One request to the API and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Method and pattern: `GET /projects/:id/pipelines`; `graphql` for GraphQL.
    pub endpoint: &'static str,
    /// Path and query of the request.
    pub target: String,
    /// Status of the answer; 0 if the connection was closed without an answer.
    pub status: u16,
    /// Id of the token's user; `None` for a token that is not known or not sufficient.
    pub user: Option<u64>,
    /// The injected fault.
    pub fault: Option<Fault>,
    /// What GraphQL spent on it.
    pub cost: Option<QueryCost>,
    /// Simulated time of the request.
    pub at: Moment,
}

/// The state behind the server and its handle.
pub(super) struct State {
    pub(super) world: World,
    pub(super) faults: Faults,
    pub(super) clock: SimulatedClock,
    /// The token that requests need, unless the world has others.
    pub(super) token: String,
    /// Path before `/api/v4`, with a leading slash, or empty.
    pub(super) prefix: String,
    pub(super) requests: Vec<Recorded>,
    /// A replica that lags, if there is one.
    pub(super) replica: Option<Replica>,
}

impl State {
    /// The world that answers a request: the true one, or a replica that lags.
    pub(super) fn answering(&mut self, endpoint: &str) -> &mut World {
        let replica = self.replica.as_mut();
        match replica.and_then(|replica| replica.answering(endpoint)) {
            Some(world) => {
                world.advance_to(self.world.now());
                world
            }
            None => &mut self.world,
        }
    }
}

/// The state, shared by connections and the handle.
pub(super) type Shared = Arc<Mutex<State>>;

/// Locks the state and advances the world to the present simulated time.
pub(super) fn lock_present(shared: &Shared) -> MutexGuard<'_, State> {
    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let now = state.clock.now();
    state.world.advance_to(now);
    state
}
