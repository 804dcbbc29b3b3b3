//! Runs pipeline schedules, and writes them as the API does.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::accounts::Accounts;
use super::entity::{RunBehavior, Schedule};
use super::ledger::{Action, ActionKind};
use super::moment::Moment;
use super::plan::PipelinePlan;
use super::world::World;

/// The times that every schedule shows.
pub(super) const CRON: &str = "0 3 * * *";
/// The time zone that every schedule shows.
pub(super) const CRON_TIMEZONE: &str = "UTC";

impl World {
    /// Creates a schedule on the project's default branch. It first runs after `every`. Returns its id.
    pub fn create_schedule(
        &mut self,
        project: u64,
        description: &str,
        every: Duration,
        plan: PipelinePlan,
    ) -> u64 {
        let id = self.schedules.last_key_value().map_or(1, |(id, _)| id + 1);
        let default_branch = self.project(project).map(|p| p.default_branch.clone());
        let schedule = Schedule {
            id,
            project_id: project,
            description: description.to_owned(),
            ref_name: plan.ref_name.clone().or(default_branch).unwrap_or_default(),
            every,
            next_run_at: Some(self.now + every),
            active: true,
            behavior: RunBehavior::Runs,
            plan: plan.from_source("schedule"),
            last_pipeline: None,
            created_at: self.now,
            updated_at: self.now,
        };
        self.schedules.insert(id, schedule);
        self.after(every, move |world| world.run_schedule(id));
        id
    }

    /// A schedule, for changes.
    pub fn schedule_mut(&mut self, id: u64) -> Option<&mut Schedule> {
        self.schedules.get_mut(&id)
    }

    /// Changes a schedule now, as a person does.
    pub fn edit_schedule(&mut self, id: u64, change: impl FnOnce(&mut Schedule)) {
        let now = self.now;
        if let Some(schedule) = self.schedules.get_mut(&id) {
            change(schedule);
            schedule.updated_at = now;
        }
    }

    /// A schedule by its id.
    pub fn schedule(&self, id: u64) -> Option<&Schedule> {
        self.schedules.get(&id)
    }

    /// Deletes a schedule and keeps its pipelines.
    pub fn delete_schedule(&mut self, id: u64) {
        self.schedules.remove(&id);
    }

    /// Starts a schedule by hand: the pipeline follows later, as this user's. False while the start before
    /// has not happened. In an archived project nothing happens.
    pub(super) fn play_schedule(&mut self, id: u64, user: u64) -> bool {
        let Some(schedule) = self.schedules.get(&id) else {
            return true;
        };
        let Some(project) = self.projects.get(&schedule.project_id) else {
            return true;
        };
        if project.archived {
            return true;
        }
        let action = Action {
            kind: ActionKind::PlaySchedule,
            project: project.id,
            ref_name: schedule.ref_name.clone(),
            pipeline: None,
            job: None,
            job_name: None,
            new_job: None,
            user,
            at: self.now.unix(),
        };
        if !self.queued_schedules.insert(id) {
            return false;
        }
        self.ledger.record(action);
        let takes = self.settings.schedule_takes;
        self.after(takes, move |world| world.run_played_schedule(id, user));
        true
    }

    fn run_played_schedule(&mut self, id: u64, user: u64) {
        self.queued_schedules.remove(&id);
        let Some(schedule) = self.schedules.get(&id).cloned() else {
            return;
        };
        if schedule.behavior != RunBehavior::Runs {
            return;
        }
        let pipeline = self.push_pipeline_as(user, schedule.project_id, schedule.plan);
        if let Some(schedule) = self.schedules.get_mut(&id) {
            schedule.last_pipeline = Some(pipeline);
        }
    }

    fn run_schedule(&mut self, id: u64) {
        let Some(schedule) = self.schedules.get(&id).cloned() else {
            return;
        };
        self.after(schedule.every, move |world| world.run_schedule(id));
        if !schedule.active || schedule.behavior == RunBehavior::IsForgotten {
            return;
        }
        if schedule.behavior == RunBehavior::SwitchesOff {
            self.edit_schedule(id, |schedule| schedule.active = false);
            return;
        }
        let runs = schedule.behavior == RunBehavior::Runs;
        let pipeline = runs.then(|| self.push_pipeline(schedule.project_id, schedule.plan));
        let now = self.now;
        if let Some(schedule) = self.schedules.get_mut(&id) {
            schedule.next_run_at = Some(now + schedule.every);
            schedule.updated_at = now;
            schedule.last_pipeline = pipeline.or(schedule.last_pipeline);
        }
    }

    /// A row of `GET /projects/:id/pipeline_schedules`.
    pub(super) fn schedule_row(&self, schedule: &Schedule) -> Value {
        json!({
            "id": schedule.id,
            "description": schedule.description,
            "ref": format!("refs/heads/{}", schedule.ref_name),
            "cron": CRON,
            "cron_timezone": CRON_TIMEZONE,
            "next_run_at": schedule.next_run_at.map(Moment::iso),
            "active": schedule.active,
            "created_at": schedule.created_at.iso(),
            "updated_at": schedule.updated_at.iso(),
            "owner": self.user_payload(Accounts::OWNER),
            "inputs": [],
        })
    }

    /// The answer of `GET /projects/:id/pipeline_schedules/:sid`.
    pub(super) fn schedule_detail(&self, schedule: &Schedule) -> Value {
        let last = schedule.last_pipeline.and_then(|id| self.pipeline(id));
        let own = json!({
            "last_pipeline": last.map(|pipeline| self.pipeline_row(pipeline)),
            "variables": [],
        });
        let mut fields = Map::new();
        for part in [self.schedule_row(schedule), own] {
            if let Value::Object(part) = part {
                fields.extend(part);
            }
        }
        Value::Object(fields)
    }
}
