//! Pipeline schedules: when they run, and what becomes of it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::moment::Moment;
use super::plan::PipelinePlan;
use super::world::World;

/// What becomes of a schedule's runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Each creates a pipeline.
    Runs,
    /// Its time passes and the next one is set, but no pipeline comes of it.
    CreatesNothing,
    /// Its time passes and nothing happens at all.
    IsForgotten,
}

/// A pipeline schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Global id.
    pub id: u64,
    /// The project it belongs to.
    pub project_id: u64,
    /// What it is for.
    pub description: String,
    /// Branch.
    pub ref_name: String,
    /// Time between two runs.
    pub every: Duration,
    /// When it is to run next.
    pub next_run_at: Moment,
    /// Whether it is switched on.
    pub active: bool,
    /// What becomes of its runs.
    pub fate: Fate,
    /// What a run starts.
    pub plan: PipelinePlan,
    /// The last pipeline it started.
    pub last_pipeline: Option<u64>,
    /// When it was created.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
}

impl World {
    /// Creates a schedule on the project's default branch that first runs after `every`; gives its id.
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
            next_run_at: self.now + every,
            active: true,
            fate: Fate::Runs,
            plan: plan.from_source("schedule"),
            last_pipeline: None,
            created_at: self.now,
            updated_at: self.now,
        };
        self.schedules.insert(id, schedule);
        self.after(every, move |world| world.run_schedule(id));
        id
    }

    /// A schedule, to be changed.
    pub fn schedule_mut(&mut self, id: u64) -> Option<&mut Schedule> {
        self.schedules.get_mut(&id)
    }

    /// A schedule.
    pub fn schedule(&self, id: u64) -> Option<&Schedule> {
        self.schedules.get(&id)
    }

    /// Deletes a schedule; its pipelines stay.
    pub fn delete_schedule(&mut self, id: u64) {
        self.schedules.remove(&id);
    }

    fn run_schedule(&mut self, id: u64) {
        let Some(schedule) = self.schedules.get(&id).cloned() else {
            return;
        };
        self.after(schedule.every, move |world| world.run_schedule(id));
        if !schedule.active || schedule.fate == Fate::IsForgotten {
            return;
        }
        let runs = schedule.fate == Fate::Runs;
        let pipeline = runs.then(|| self.push_pipeline(schedule.project_id, schedule.plan));
        let now = self.now;
        if let Some(schedule) = self.schedules.get_mut(&id) {
            schedule.next_run_at = now + schedule.every;
            schedule.updated_at = now;
            schedule.last_pipeline = pipeline.or(schedule.last_pipeline);
        }
    }

    /// A schedule, as the list has it.
    pub(super) fn schedule_row(&self, schedule: &Schedule) -> Value {
        json!({
            "id": schedule.id,
            "description": schedule.description,
            "ref": format!("refs/heads/{}", schedule.ref_name),
            "cron": "0 3 * * *",
            "cron_timezone": "UTC",
            "next_run_at": schedule.next_run_at.iso(),
            "active": schedule.active,
            "created_at": schedule.created_at.iso(),
            "updated_at": schedule.updated_at.iso(),
            "owner": self.user(),
            "inputs": [],
        })
    }

    /// A schedule asked for by its id.
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
