//! Webhooks: checked, queued, and handed to polling as hints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tracing::field::Empty;
use tracing::{Span, error_span};

use super::gitlab_clock::GitLabClock;
use super::hook_filter::{HookFilter, hint_of};
use super::state::State;
use crate::base::label::Label as _;
use crate::config::{GitLabHooks, HookScope, HookSecret, Watch};
use crate::gitlab::webhook::{self, Credential, Hook, HookKind, HookProject, Refusal, Verifier};
use crate::http::Webhooks;
use crate::ingest::{Observations as _, Waker};
use crate::metrics::WebhookResult;

/// Webhooks that wait to be worked on.
const QUEUE: usize = 4096;

/// Bytes of all waiting webhooks together.
const QUEUE_BYTES: usize = 64 << 20;

/// Takes webhooks from the server.
pub(super) struct Inbox {
    verifier: Verifier,
    state: Arc<State>,
    clock: Arc<GitLabClock>,
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    refusal_logged: AtomicBool,
}

/// Works on webhooks, one after the other.
pub(super) struct Work {
    state: Arc<State>,
    waker: Waker,
    filter: HookFilter,
    /// Of each credential of the verifier.
    scopes: Vec<HookScope>,
    queue: mpsc::Receiver<Queued>,
}

struct Queued {
    body: Bytes,
    kind: HookKind,
    /// Number of the credential that its sender proved.
    credential: usize,
    _room: OwnedSemaphorePermit,
}

/// Both ends of a new queue.
pub(super) fn open(
    config: &GitLabHooks,
    watch: &Watch,
    state: &Arc<State>,
    clock: &Arc<GitLabClock>,
    waker: Waker,
) -> (Arc<Inbox>, Work) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let kinds: Vec<_> = HookKind::ALL.iter().map(|kind| kind.as_str()).collect();
    state.telemetry().webhooks_expected(&kinds);
    let inbox = Inbox {
        verifier: Verifier::new(config.secrets.iter().map(credential).collect()),
        state: state.clone(),
        clock: clock.clone(),
        queue: sender,
        room: Arc::new(Semaphore::new(QUEUE_BYTES)),
        refusal_logged: AtomicBool::new(false),
    };
    let work = Work {
        state: state.clone(),
        waker,
        filter: HookFilter::new(watch),
        scopes: config.secrets.iter().map(|it| it.scope.clone()).collect(),
        queue: receiver,
    };
    (Arc::new(inbox), work)
}

fn credential(secret: &HookSecret) -> Credential {
    Credential {
        token: secret.token.clone(),
        key: secret.signing_key.clone(),
    }
}

impl Inbox {
    /// Webhooks that wait.
    pub(super) fn queued(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    fn count(&self, kind: HookKind, result: WebhookResult) {
        let telemetry = self.state.telemetry();
        telemetry.webhook(kind.as_str(), result);
    }

    fn refuse(&self, refusal: Refusal) -> String {
        self.count(HookKind::Other, WebhookResult::Unauthorized);
        if self.refusal_logged.swap(true, Ordering::Relaxed) {
            tracing::debug!("a webhook was refused again: {refusal}");
        } else {
            tracing::warn!("a webhook was refused: {refusal}");
        }
        refusal.to_string()
    }

    /// A full queue drops webhooks: polling finds the same later.
    fn enqueue(&self, kind: HookKind, credential: usize, body: Bytes) {
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(size);
        let queued = room.ok().map(|room| Queued {
            body,
            kind,
            credential,
            _room: room,
        });
        let sent = queued.is_some_and(|queued| self.queue.try_send(queued).is_ok());
        if !sent {
            self.count(kind, WebhookResult::Dropped);
        }
    }
}

impl Webhooks for Inbox {
    fn expects(&self, headers: &HeaderMap) -> Result<(), String> {
        let checked = self.verifier.check_head(headers);
        checked.map_err(|refusal| self.refuse(refusal))
    }

    fn take(&self, headers: &HeaderMap, body: Bytes) -> Result<(), String> {
        let check = |now| self.verifier.check(headers, &body, now);
        let checked = match check(self.clock.gitlab_now()) {
            // One of GitLab's nodes may have a wrong clock.
            Err(Refusal::Stale) => check(self.clock.local_now()),
            checked => checked,
        };
        let credential = match checked {
            Ok(credential) => credential,
            Err(Refusal::Replayed) => {
                let kind = webhook::kind_of(&body).unwrap_or(HookKind::Other);
                self.count(kind, WebhookResult::Replayed);
                return Ok(());
            }
            Err(refusal) => return Err(self.refuse(refusal)),
        };
        self.refusal_logged.store(false, Ordering::Relaxed);
        match webhook::kind_of(&body) {
            Some(HookKind::Other) => self.count(HookKind::Other, WebhookResult::Ignored),
            Some(kind) => self.enqueue(kind, credential, body),
            None => self.count(HookKind::Other, WebhookResult::Invalid),
        }
        Ok(())
    }

    fn too_large(&self) {
        self.count(HookKind::Other, WebhookResult::TooLarge);
    }
}

impl Work {
    /// Until the server is gone.
    pub(super) async fn run(mut self) {
        while let Some(queued) = self.queue.recv().await {
            let span = error_span!(
                "hook",
                kind = queued.kind.as_str(),
                project = Empty,
                pipeline = Empty
            );
            let result = span.in_scope(|| self.work(&queued));
            let telemetry = self.state.telemetry();
            telemetry.webhook(queued.kind.as_str(), result);
        }
    }

    fn work(&self, queued: &Queued) -> WebhookResult {
        let hook = match webhook::decode(queued.kind, &queued.body) {
            Ok(Some(hook)) => hook,
            Ok(None) => return WebhookResult::Ignored,
            Err(rejected) => {
                self.state.rejected(&rejected);
                return WebhookResult::Invalid;
            }
        };
        let span = Span::current();
        match &hook.project {
            HookProject::Id(id) => span.record("project", id),
            HookProject::Path(path) => span.record("project", &**path),
        };
        span.record("pipeline", hook.pipeline_id);
        self.hint(&hook, queued.credential)
    }

    /// Hands polling what a hook hints at.
    fn hint(&self, hook: &Hook, credential: usize) -> WebhookResult {
        let Some(project) = self.state.project_of_hook(&hook.project) else {
            return WebhookResult::Ignored;
        };
        let scope = self.scopes.get(credential);
        if !scope.is_some_and(|scope| scope.covers(project.id, &project.path)) {
            tracing::warn!("a webhook's secret is of another project or group; it was ignored");
            return WebhookResult::Unauthorized;
        }
        if !self.filter.admits(hook, &project) {
            return WebhookResult::Ignored;
        }
        self.waker.wake(project.id, hint_of(hook));
        WebhookResult::Taken
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::{page, test_state};
    use super::*;
    use crate::base::live_secret::LiveSecret;

    #[tokio::test]
    async fn what_a_full_queue_does_not_take_is_answered_well_and_counted() {
        let (state, watch) = test_state();
        let clock = Arc::new(GitLabClock::new(
            Arc::new(ci_history::clock::SystemClock),
            std::time::Duration::ZERO,
        ));
        let hooks = GitLabHooks {
            secrets: vec![HookSecret {
                scope: HookScope::All,
                token: Some(Arc::new(LiveSecret::fixed("secret".into()))),
                signing_key: None,
            }],
        };
        let waker = Waker::default();
        let (inbox, _work) = open(&hooks, &watch, &state, &clock, waker);
        let headers = [("x-gitlab-token", "secret")];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers = HeaderMap::from_iter(headers);
        for _ in 0..QUEUE + 3 {
            let body = Bytes::from_static(br#"{"object_kind":"build"}"#);
            assert_eq!(inbox.take(&headers, body), Ok(()));
        }
        let page = page(&state).await;
        let dropped =
            "job_failure_exporter_webhook_events_total{kind=\"job\",result=\"dropped\"} 3\n";
        assert!(page.contains(dropped), "{page}");
    }
}
