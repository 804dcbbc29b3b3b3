//! Finds the entities of a URL as a user sees them, or answers with GitLab's 404.

use super::entity::{Group, Job, Pipeline, Project, Schedule};
use super::reply::Reply;
use super::world::World;

/// The world as one user sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) world: &'a World,
    pub(super) user: u64,
}

impl<'a> View<'a> {
    pub(super) fn project(self, id: &str) -> Result<&'a Project, Reply> {
        let found = match id.parse() {
            Ok(number) => self.world.project(number),
            Err(_) => self.world.project_by_path(id),
        };
        found
            .filter(|project| self.world.may_see(self.user, project.id))
            .ok_or_else(|| Reply::not_found("Project"))
    }

    /// A project whose code the user may read.
    pub(super) fn code(self, id: &str) -> Result<&'a Project, Reply> {
        let project = self.project(id)?;
        if project.hides_default_branch {
            return Err(Reply::forbidden("403 Forbidden"));
        }
        Ok(project)
    }

    pub(super) fn group(self, id: &str) -> Result<&'a Group, Reply> {
        let found = match id.parse::<u64>() {
            Ok(number) => self.world.groups.get(&number),
            Err(_) => self.world.group_by_path(id),
        };
        found
            .filter(|_| self.world.may_see_groups(self.user))
            .ok_or_else(|| Reply::not_found("Group"))
    }

    pub(super) fn pipeline(self, project: &str, id: &str) -> Result<&'a Pipeline, Reply> {
        let project = self.project(project)?.id;
        id.parse()
            .ok()
            .and_then(|id| self.world.pipeline(id))
            .filter(|pipeline| {
                pipeline.project_id == project && pipeline.visible_from <= self.world.now
            })
            .ok_or_else(Reply::record_not_found)
    }

    pub(super) fn schedule(self, project: &str, id: &str) -> Result<&'a Schedule, Reply> {
        let project = self.project(project)?.id;
        id.parse()
            .ok()
            .and_then(|id| self.world.schedule(id))
            .filter(|schedule| schedule.project_id == project)
            .ok_or_else(|| Reply::not_found("Pipeline Schedule"))
    }

    /// A job or a trigger job.
    pub(super) fn job(self, project: &str, id: &str) -> Result<(&'a Job, &'a Pipeline), Reply> {
        let project = self.project(project)?.id;
        let id: u64 = id.parse().map_err(|_| Reply::record_not_found())?;
        let job = self.world.job(id).ok_or_else(Reply::record_not_found)?;
        let pipeline = self.world.pipeline(job.pipeline_id);
        pipeline
            .filter(|pipeline| {
                pipeline.project_id == project && pipeline.visible_from <= self.world.now
            })
            .map(|pipeline| (job, pipeline))
            .ok_or_else(Reply::record_not_found)
    }

    /// A job that is no trigger job.
    pub(super) fn build(self, project: &str, id: &str) -> Result<(&'a Job, &'a Pipeline), Reply> {
        let found = self.job(project, id)?;
        if found.0.is_bridge() {
            return Err(Reply::record_not_found());
        }
        Ok(found)
    }
}
