//! Where polling of a project goes on, after a restart or a reload.

use super::shell::{Inner, State};
use super::sights::CLOCK_TOLERANCE;
use crate::base::poll_sights::PollSights;
use crate::gitlab::Project;
use crate::ingest::Resume;

impl State {
    pub(super) fn resume_polling(&self, project: &Project) -> Resume {
        let now = self.clock.gitlab_now();
        let inner = self.lock();
        let watermark = inner.projects.watermark(project.id);
        // A watermark from the future would hide what comes until then.
        let watermark = watermark.map(|at| at.min(now));
        let memory = inner.memories.get(project.id);
        let mut resume = Resume {
            schedules: memory.map_or_else(Default::default, |it| it.schedules.clone()),
            ..inner.timelines.resume(project.id, watermark)
        };
        let scope = self.policy.scope_of(project);
        if let Some(sights) = inner.sights.get(project.id, scope, now) {
            go_on_from(&mut resume, sights, &inner, project.id);
        }
        resume
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

/// Lets polling rely on the sights, unless a history has a gap or a pipeline that is still to be read is not known.
fn go_on_from(resume: &mut Resume, sights: &PollSights, inner: &Inner, project_id: u64) {
    if inner.timelines.has_visible_gap(project_id) {
        return;
    }
    let is_open = |id: &&u64| resume.open.iter().any(|it| it.id == **id);
    let others = sights.open.iter().filter(|id| !is_open(id));
    let others = others.map(|id| inner.timelines.known_pipeline(project_id, *id));
    let Some(others) = others.collect::<Option<Vec<_>>>() else {
        return;
    };
    resume.open.extend(others);
    resume.watermark = resume.watermark.max(Some(sights.watermark));
    resume.sights = Some(sights.clone());
}
