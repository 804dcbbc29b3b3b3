//! Webhooks: let in or not, queued, and what they say joined with what polling sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::HeaderMap;
use secrecy::ExposeSecret;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::gitlab_clock::GitLabClock;
use super::state::State;
use crate::config::{ChildPipelines, GitLabHooks, SourceSelector, Watch};
use crate::gitlab::webhook::{Hook, HookKind, HookProject, Refusal, Verifier, decode, kind_of};
use crate::http::Webhooks;
use crate::ingest::{Sink as _, Wake, Waker};
use crate::metrics::WebhookResult;
use crate::model::{JobObservation, Status, TimelineKey};

/// Webhooks that wait to be worked on.
const QUEUE: usize = 4096;

/// What starts a child pipeline.
const CHILD: &str = "parent_pipeline";

/// Bytes of all of them together.
const QUEUE_BYTES: usize = 64 << 20;

/// Takes webhooks from the server.
pub(super) struct Inbox {
    verifier: Verifier,
    state: Arc<State>,
    clock: Arc<GitLabClock>,
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    refusal_told: AtomicBool,
}

/// Works on them, one after the other.
pub(super) struct Work {
    state: Arc<State>,
    waker: Waker,
    sources: SourceSelector,
    children: ChildPipelines,
    queue: mpsc::Receiver<Queued>,
}

struct Queued {
    body: Bytes,
    kind: HookKind,
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
    let token = config.token.as_ref().map(ExposeSecret::expose_secret);
    let key = config.signing_key.as_ref().map(ExposeSecret::expose_secret);
    let (sender, receiver) = mpsc::channel(QUEUE);
    let kinds = HookKind::ALL.map(HookKind::as_str);
    state.exposition.telemetry().webhooks_expected(&kinds);
    let inbox = Inbox {
        verifier: Verifier::new(token, key),
        state: state.clone(),
        clock: clock.clone(),
        queue: sender,
        room: Arc::new(Semaphore::new(QUEUE_BYTES)),
        refusal_told: AtomicBool::new(false),
    };
    let work = Work {
        state: state.clone(),
        waker,
        sources: watch.sources.clone(),
        children: watch.child_pipelines,
        queue: receiver,
    };
    (Arc::new(inbox), work)
}

impl Inbox {
    fn count(&self, kind: HookKind, result: WebhookResult) {
        let telemetry = self.state.exposition.telemetry();
        telemetry.webhook(kind.as_str(), result);
    }

    fn refuse(&self, refusal: Refusal) -> String {
        self.count(HookKind::Other, WebhookResult::Unauthorized);
        if self.refusal_told.swap(true, Ordering::Relaxed) {
            tracing::debug!("a webhook was refused again: {refusal}");
        } else {
            tracing::warn!("a webhook was refused: {refusal}");
        }
        refusal.to_string()
    }

    /// Too many at once are dropped: polling finds what they would have told.
    fn enqueue(&self, kind: HookKind, body: Bytes) {
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(size);
        let queued = room.ok().map(|room| Queued {
            body,
            kind,
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
        let now = self.clock.gitlab_now();
        match self.verifier.check(headers, &body, now) {
            Ok(()) => {}
            Err(Refusal::Replayed) => {
                let kind = kind_of(&body).unwrap_or(HookKind::Other);
                self.count(kind, WebhookResult::Replayed);
                return Ok(());
            }
            Err(refusal) => return Err(self.refuse(refusal)),
        }
        self.refusal_told.store(false, Ordering::Relaxed);
        match kind_of(&body) {
            Some(HookKind::Other) => self.count(HookKind::Other, WebhookResult::Ignored),
            Some(kind) => self.enqueue(kind, body),
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
            let result = self.work(&queued.body);
            let telemetry = self.state.exposition.telemetry();
            telemetry.webhook(queued.kind.as_str(), result);
        }
    }

    fn work(&self, body: &[u8]) -> WebhookResult {
        let hook = match decode(body) {
            Ok(Some(hook)) => hook,
            Ok(None) => return WebhookResult::Ignored,
            Err(rejected) => {
                self.state.rejected("a webhook", &rejected);
                return WebhookResult::Invalid;
            }
        };
        for rejected in &hook.jobs.rejected {
            self.state.rejected("a webhook", rejected);
        }
        if !self.is_watched(hook.source.as_deref()) {
            return WebhookResult::Ignored;
        }
        match self.state.hooked(&hook) {
            None => WebhookResult::Ignored,
            Some((project, wake)) => {
                self.waker.wake(project, wake);
                WebhookResult::Taken
            }
        }
    }
}

impl Work {
    /// Whether a pipeline that was started so counts, by itself or as a part of its parent. A job hook does
    /// not say what started its pipeline.
    fn is_watched(&self, source: Option<&str>) -> bool {
        if source == Some(CHILD) {
            self.children == ChildPipelines::Follow
        } else {
            self.sources.matches(source)
        }
    }
}

impl State {
    /// Counts what a hook says for sure, and says what polling is to look at; `None` for what is not
    /// watched.
    ///
    /// Only of a pipeline that polling has seen it is known that it counts, and by which names: what started
    /// it, and whether it is a child, no job hook says. And a job that failed may just be retried by itself, which only a look
    /// at the whole pipeline shows.
    fn hooked(&self, hook: &Hook) -> Option<(u64, Wake)> {
        let rules = &self.policy.rules;
        let now = self.gitlab_now();
        let mut held = self.held();
        let facts = match &hook.project {
            HookProject::Id(id) => held.projects.get(id)?.facts.as_ref()?,
            HookProject::Path(path) => held
                .projects
                .values()
                .filter_map(|watched| watched.facts.as_ref())
                .find(|facts| facts.path == *path)?,
        };
        let id = facts.id;
        let default_branch = facts.default_branch.as_deref();
        if !self.policy.refs.matches(&hook.ref_name, default_branch) {
            return None;
        }
        let key = TimelineKey {
            project_id: id,
            ref_name: hook.ref_name.clone(),
        };
        let Some(tracked) = held.timelines.get_mut(&key).filter(|tracked| tracked.shown) else {
            return Some((id, Wake::Everything));
        };
        let Some(known) = tracked.timeline.known_pipeline(hook.pipeline_id) else {
            return Some((id, Wake::Everything));
        };
        let jobs = hook.jobs.items.iter();
        let (sure, unsure): (Vec<_>, Vec<_>) = jobs
            .filter(|job| self.policy.jobs.matches(&job.name))
            .filter(|job| tells_more(job.status))
            .filter(|job| !tracked.timeline.knows(hook.pipeline_id, job, rules))
            .cloned()
            .partition(|job| is_sure(job, hook.pipeline_status));
        let changes = tracked
            .timeline
            .observe_attempts(hook.pipeline_id, &sure, rules, now)?;
        tracked.note(!changes.is_empty());
        self.publish_project(&mut held, id);
        let wake = wake(hook, known.status, !sure.is_empty(), !unsure.is_empty());
        Some((id, wake))
    }
}

/// What is waiting has no time in a hook that could be relied on.
fn tells_more(status: Status) -> bool {
    status.is_terminal() || matches!(status, Status::Running | Status::Canceling)
}

/// Whether an attempt counts as it is. Once a pipeline has ended, no retry by itself follows.
fn is_sure(job: &JobObservation, pipeline: Option<Status>) -> bool {
    job.status != Status::Failed || pipeline.is_some_and(Status::is_terminal)
}

fn wake(hook: &Hook, known: Status, counted: bool, unsure: bool) -> Wake {
    let id = hook.pipeline_id;
    match (known.is_terminal(), hook.pipeline_status) {
        // It has ended.
        (false, Some(status)) if status.is_terminal() => Wake::Everything,
        // It goes on after its end.
        (true, Some(status)) if !status.is_terminal() => Wake::Everything,
        (true, _) if counted || unsure => Wake::Everything,
        (false, _) if unsure => Wake::Pipeline(id),
        _ => Wake::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::{page, test_state};
    use super::*;

    #[tokio::test]
    async fn what_a_full_queue_does_not_take_is_answered_well_and_counted() {
        let (state, watch) = test_state();
        let clock = state.clock.clone();
        let hooks = GitLabHooks {
            token: Some("secret".into()),
            signing_key: None,
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
