//! What the paths that act work with.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::Semaphore;

use super::form_token::{FormTokens, Session};
use crate::remediation::{Callers, Executor};

/// Requests for actions that are worked on at a time. Others are refused, and may come again.
const AT_A_TIME: usize = 8;

/// What decides and acts, and who may ask it.
pub struct Remedies {
    pub(super) executor: Arc<Executor>,
    pub(super) callers: Callers,
    pub(super) form_tokens: FormTokens,
    pub(super) turns: Arc<Semaphore>,
}

impl Remedies {
    /// `form_key` cannot be guessed, and is another one in each process.
    pub fn new(executor: Arc<Executor>, callers: Callers, form_key: [u8; 32]) -> Self {
        Self {
            executor,
            callers,
            form_tokens: FormTokens::new(form_key),
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    /// The browser that a page with forms is for; `None` if nobody may act.
    pub(super) fn session(&self, headers: &HeaderMap) -> Option<Session> {
        if self.callers.is_empty() {
            None
        } else {
            Session::of(headers)
        }
    }

    pub(super) fn caller(&self, headers: &HeaderMap) -> Option<Arc<str>> {
        self.callers.of(headers)
    }
}
