//! Where polling of a project goes on, after a restart or a reload.

use super::shell::{Inner, State};
use super::sights::CLOCK_TOLERANCE;
use crate::base::poll_sights::PollSights;
use crate::gitlab::Project;
use crate::ingest::Resume;
use ci_history::Timestamp;

impl State {
    pub(super) fn resume_polling(&self, project: &Project) -> Resume {
        let now = self.clock.gitlab_now();
        let inner = self.lock();
        let watermark = inner.projects.watermark(project.id);
        // A watermark from the future would hide what comes until then.
        let watermark = watermark.map(|at| at.min(now));
        let scope = self.policy.scope_of(project);
        let sights = inner.sights.get(project.id, scope, now);
        let known = sights.and_then(|sights| {
            // Documents may be saved without a watermark, or have an earlier one.
            let watermark = watermark.max(Some(sights.watermark.min(now)));
            go_on_from(sights, &inner, project.id, watermark)
        });
        let resume = known.unwrap_or_else(|| inner.timelines.resume(project.id, watermark));
        let memory = inner.memories.get(project.id);
        Resume {
            schedules: memory.map_or_else(Default::default, |it| it.schedules.clone()),
            ..resume
        }
    }

    /// Notes what polling knows of a project at the end of a cycle, if a later process may rely on it: the project is as it was
    /// when the cycle began, and no clock is suspect.
    pub(super) fn note_sights(&self, project: &Project, sights: Option<PollSights>) {
        let proved = self.clock.proved_now();
        let is_proved = |it: &PollSights| {
            proved.is_some_and(|now| it.asked_at.unix() <= now.unix() + CLOCK_TOLERANCE)
        };
        let sights = sights.filter(is_proved);
        let scope = self.policy.scope_of(project);
        let mut inner = self.lock();
        let is_as_it_began = inner.projects.facts(project.id) == Some(project);
        let sights = sights.filter(|_| is_as_it_began);
        inner.sights.told(project.id, scope, sights);
    }
}

/// Lets polling rely on the sights; `None` if a history has a gap, or a pipeline that is to be read again is not known.
fn go_on_from(
    sights: &PollSights,
    inner: &Inner,
    project_id: u64,
    watermark: Option<Timestamp>,
) -> Option<Resume> {
    let timelines = &inner.timelines;
    if timelines.has_visible_gap(project_id) {
        return None;
    }
    let mut resume = timelines.resume(project_id, watermark);
    let is_open = |id: &&u64| resume.open.iter().any(|it| it.id == **id);
    let others = sights.open.iter().filter(|id| !is_open(id));
    let others = others.map(|id| timelines.known_pipeline(project_id, *id));
    let others: Vec<_> = others.collect::<Option<_>>()?;
    resume.open.extend(others);
    resume.sights = Some(sights.clone());
    Some(resume)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::test_state;
    use super::*;
    use crate::ingest::PollEvents as _;
    use crate::store::{Saved, SavedScope};
    use ci_history::{PipelineObservation, Rules, Status, Timeline, TimelineKey};

    fn project() -> Project {
        Project {
            id: 7,
            path: "acme/shop".into(),
            web_url: None,
            default_branch: Some("main".into()),
            hides_default_branch: false,
            archived: false,
        }
    }

    /// A history of one pipeline that has ended, without a watermark.
    fn saved(has_gap: bool, now: Timestamp) -> Saved {
        let mut timeline = Timeline::new(TimelineKey::new(7, "main"), "acme/shop".into(), None);
        let pipeline = PipelineObservation {
            id: 3,
            ref_name: "main".into(),
            tag: false,
            sha: "c3".into(),
            status: Status::Success,
            source: None,
            created_at: Some(now),
            updated_at: Some(now),
            duration: None,
            failure_reason: None,
            has_other_jobs: false,
            web_url: None,
            commit_info: None,
            is_partial: false,
        };
        timeline.observe(&pipeline, &[], &Rules::default(), now);
        Saved {
            timeline,
            watermark: None,
            has_gap,
            scope: SavedScope::default(),
        }
    }

    /// Where polling goes on from sights with this open pipeline.
    fn resumed(has_gap: bool, open: u64) -> Resume {
        let (state, _) = test_state();
        let now = state.clock.local_now();
        state.clock.note(now);
        state.restore(vec![saved(has_gap, now)]);
        state.watched(&project(), None);
        let sights = PollSights {
            asked_at: now,
            watermark: now,
            ended: BTreeMap::new(),
            open: BTreeSet::from([open]),
            has_no_schedules: false,
        };
        state.sights(&project(), Some(sights));
        state.resume(&project())
    }

    #[tokio::test]
    async fn sights_stand_in_for_a_watermark_that_is_not_saved_and_bring_open_pipelines() {
        let resume = resumed(false, 3);
        assert!(resume.sights.is_some() && resume.watermark.is_some());
        assert!(resume.known_refs.contains("main"));
        assert_eq!(resume.open[0].id, 3);
    }

    #[tokio::test]
    async fn a_gap_or_an_unknown_pipeline_makes_polling_begin_as_without_sights() {
        for (has_gap, open) in [(true, 3), (false, 4)] {
            let resume = resumed(has_gap, open);
            assert_eq!((resume.sights, resume.watermark), (None, None));
            assert!(resume.known_refs.is_empty());
        }
    }
}
