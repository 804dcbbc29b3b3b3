//! What is remembered of a project over a restart, besides its timelines: how it came to be watched, and its schedules.

use std::sync::Arc;

use ci_history::Timestamp;

/// What is remembered of a project.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectMemory {
    /// Its path with namespace.
    pub path: Arc<str>,
    /// Its page in GitLab.
    pub web_url: Option<Arc<str>>,
    /// Its default branch.
    pub default_branch: Option<Arc<str>>,
    /// The group of the configuration that it was found in; `None` if the configuration names the project, or if the
    /// project is known to be lost.
    pub group: Option<Arc<str>>,
    /// Its schedules.
    pub schedules: SchedulesMemory,
}

/// What is remembered of a project's schedules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SchedulesMemory {
    /// In the order of their ids.
    pub schedules: Vec<ScheduleMemory>,
    /// Up to when the project was archived: GitLab ran none of its schedules.
    pub archived_until: Option<Timestamp>,
}

/// A schedule as it was read last, and what earlier readings tell about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleMemory {
    /// GitLab's id.
    pub id: u64,
    /// May be empty.
    pub description: Arc<str>,
    /// Branch or tag that it runs on.
    pub ref_name: Arc<str>,
    /// When GitLab was going to run it.
    pub next_run_at: Option<Timestamp>,
    /// Whether GitLab ran it.
    pub active: bool,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
    /// When its newest known pipeline was created.
    pub last_run: Option<Timestamp>,
    /// When the last run was asked for.
    pub asked_at: Option<Timestamp>,
    /// How often the last run is still to be asked for.
    pub questions: u8,
    /// The newest time that came while the schedule was active.
    pub due: Option<Timestamp>,
    /// When it was switched off, if GitLab itself may have done it.
    pub switched_off: Option<SwitchedOff>,
}

/// A schedule that GitLab itself may have switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwitchedOff {
    /// When it was switched off.
    pub at: Timestamp,
    /// Nobody but GitLab did it if no pipeline came of this time.
    pub unless_run_at: Option<Timestamp>,
}
