//! Which webhooks are about a pipeline that is watched, or may be.

use crate::config::{ChildPipelines, RefSelector, SourceSelector, Watch};
use crate::gitlab::Project;
use crate::gitlab::webhook::{Hook, HookKind};
use crate::ingest::PollHint;
use ci_history::Status;

/// The source of a child pipeline.
const CHILD: &str = "parent_pipeline";

/// The source of a merge request's pipeline.
const MERGE_REQUEST: &str = "merge_request_event";

/// Refs that pipelines of merge requests have in the API.
const MERGE_REQUEST_REFS: [&str; 3] = ["head", "merge", "train"];

/// The parts of the configuration that say what is watched.
pub(super) struct HookFilter {
    refs: RefSelector,
    sources: SourceSelector,
    children: ChildPipelines,
}

impl HookFilter {
    pub(super) fn new(watch: &Watch) -> Self {
        Self {
            refs: watch.refs.clone(),
            sources: watch.sources.clone(),
            children: watch.child_pipelines,
        }
    }

    /// Whether polling may want to read the pipeline that a hook of this project names. The API decides.
    pub(super) fn admits(&self, hook: &Hook, project: &Project) -> bool {
        let default_branch = project.default_branch.as_deref();
        let is_watched = |ref_name: &str| self.refs.matches(ref_name, default_branch);
        self.admits_source(hook.source.as_deref())
            && (is_watched(&hook.ref_name) || self.may_be_merge_request(hook, is_watched))
    }

    /// Whether a pipeline of this source counts, by itself or as a part of its parent. A job hook has no source.
    fn admits_source(&self, source: Option<&str>) -> bool {
        if source == Some(CHILD) {
            self.children == ChildPipelines::Follow
        } else {
            self.sources.matches(source)
        }
    }

    /// A hook may name the source branch where the API names the ref of the merge request. A job hook does not
    /// even say that its pipeline is of a merge request, or of which.
    fn may_be_merge_request(&self, hook: &Hook, is_watched: impl Fn(&str) -> bool) -> bool {
        let source = hook.source.as_deref().unwrap_or(MERGE_REQUEST);
        let is_pipelines = hook.kind == HookKind::Pipeline;
        if source != MERGE_REQUEST
            || !self.sources.matches(Some(MERGE_REQUEST))
            || (is_pipelines && hook.source.is_none() && hook.merge_request.is_none())
        {
            return false;
        }
        let number = hook.merge_request.unwrap_or(1);
        let mut refs = MERGE_REQUEST_REFS
            .iter()
            .map(|kind| format!("refs/merge-requests/{number}/{kind}"));
        refs.any(|ref_name| is_watched(&ref_name))
    }
}

/// What polling is to read; `None` if the hook says only that something waits.
pub(super) fn hint_of(hook: &Hook) -> Option<PollHint> {
    let moved = hook.kind == HookKind::Pipeline;
    let tells_more = hook.status.is_terminal()
        || matches!(hook.status, Status::Running | Status::Canceling)
        || moved;
    tells_more.then_some(PollHint {
        pipeline: hook.pipeline_id,
        moved,
        is_urgent: hook.status.is_terminal(),
    })
}
