//! What polling needs.

use std::sync::Arc;

use super::events::{Observations, PollEvents};
use super::hints::Waker;
use super::reader::Reader;
use crate::config::{Api, Watch};
use crate::gitlab::Client;

/// Polls the watched projects.
pub struct Poller {
    pub(super) reader: Reader,
    pub(super) events: Arc<dyn PollEvents>,
    pub(super) waker: Waker,
    pub(super) api: Api,
}

impl Poller {
    /// Polls what `watch` says through `client`, into `state`.
    pub fn new<S: Observations + PollEvents>(client: Client, watch: Watch, state: Arc<S>) -> Self {
        Self {
            reader: Reader::new(client, watch, state.clone()),
            events: state,
            waker: Waker::default(),
            api: Api::Rest,
        }
    }

    /// Learns by this API which pipelines moved. Without it: by REST.
    #[must_use]
    pub fn with_api(self, api: Api) -> Self {
        Self { api, ..self }
    }

    /// Wakes the polling of a project before its time.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }
}
