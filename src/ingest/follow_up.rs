//! Follow-ups: unfinished pipelines are read again between two cycles, because the webhook of their end may be lost.

use super::cursor::PollCursor;
use super::details::DetailsBy;
use super::hook_trust::HookTrust;
use super::open::Unfinished;
use super::poller::Poller;
use crate::gitlab::Project;
use ci_history::PipelineObservation;

impl Poller {
    /// Follows up the unfinished pipelines of a project that are due.
    pub(super) async fn follow_up(
        &self,
        together: bool,
        project: &Project,
        cursor: &mut PollCursor,
        trust: &mut HookTrust,
    ) {
        let reader = &self.reader;
        let due = cursor.take_unfinished(reader.observations.gitlab_now());
        if due.is_empty() {
            return;
        }
        let (mut wanted, mut going_on) = (Vec::new(), Vec::new());
        for Unfinished {
            pipeline,
            is_overdue,
            awaits_status,
        } in due
        {
            let moved = if is_overdue {
                self.moved_since(project, cursor, &pipeline).await
            } else {
                None
            };
            if moved.is_none() && !is_overdue && together && reader.waits(cursor, &pipeline) {
                going_on.push(pipeline);
                continue;
            }
            let as_it_was = (!awaits_status).then_some(pipeline);
            wanted.extend(moved.or(as_it_was));
        }
        self.compare_with_hooks(cursor, trust, &wanted);
        let api = DetailsBy::of_hinted(going_on.len());
        for (api, pipelines) in [(DetailsBy::Rest, wanted), (api, going_on)] {
            if let Err(error) = reader.read_by(api, project, cursor, pipelines).await {
                tracing::debug!("not followed up: {error}");
            }
            self.events.publish(project);
        }
    }

    /// Asks whether a pipeline has ended. `None` if it has not moved, or GitLab did not answer: the next follow-up asks again.
    async fn moved_since(
        &self,
        project: &Project,
        cursor: &PollCursor,
        known: &PipelineObservation,
    ) -> Option<PipelineObservation> {
        match self.reader.client.pipeline(project.id, known.id).await {
            Ok(found) if cursor.has_seen(&found) => None,
            // Listings give no duration: it is worked out of the jobs.
            Ok(found) => Some(PipelineObservation {
                duration: None,
                ..found
            }),
            // Reading it confirms that it was deleted.
            Err(error) if error.is_not_found() => Some(known.clone()),
            Err(error) => {
                tracing::debug!(pipeline = known.id, "not followed up: {error}");
                None
            }
        }
    }
}
