//! What the paths that act work with.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::Semaphore;

use crate::remediation::{Callers, Executor};

/// Requests for actions that are worked on at a time. Others are refused, and may come again.
const AT_A_TIME: usize = 8;

/// What decides and acts, and who may ask it.
pub struct Remedies {
    pub(super) executor: Arc<Executor>,
    pub(super) callers: Callers,
    /// Proves that a form was on a page of this process.
    pub(super) form_token: String,
    pub(super) turns: Arc<Semaphore>,
}

impl Remedies {
    /// `form_token` cannot be guessed, and is another one in each process.
    pub fn new(executor: Arc<Executor>, callers: Callers, form_token: String) -> Self {
        Self {
            executor,
            callers,
            form_token,
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    pub(super) fn caller(&self, headers: &HeaderMap) -> Option<Arc<str>> {
        self.callers.of(headers)
    }
}
