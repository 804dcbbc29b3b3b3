//! The document of one project, `<project id>/.project`: what is remembered of it besides its timelines.
//!
//! Its name keeps programs that do not know it from loading it as a timeline.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::document::EnvelopeFacts;
use super::json::{DocumentError, parse, to_json};
use super::times::{seconds, time};
use crate::base::project_memory::{ProjectMemory, ScheduleMemory, SchedulesMemory, SwitchedOff};

/// Version this program writes; the highest it reads.
const VERSION: u32 = 1;

/// What is saved of a project besides its timelines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedMemory {
    /// GitLab's id of the project.
    pub project_id: u64,
    /// What is remembered.
    pub memory: ProjectMemory,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemoryDocument {
    version: u32,
    id: u64,
    path: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    web_url: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_branch: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    archived_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    schedules: Vec<ScheduleDocument>,
    /// The envelope writes this field and the next.
    #[serde(default, skip_serializing)]
    gitlab: Option<Arc<str>>,
    #[serde(default, skip_serializing)]
    checksum: Option<Arc<str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleDocument {
    id: u64,
    description: Arc<str>,
    #[serde(rename = "ref")]
    ref_name: Arc<str>,
    active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_run_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_run: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked_at: Option<i64>,
    questions: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<i64>,
    /// When it was switched off, and the time of which no pipeline came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    switched_off: Option<(i64, Option<i64>)>,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u64,
}

pub(super) fn encode(saved: &SavedMemory) -> Vec<u8> {
    let SavedMemory { project_id, memory } = saved;
    let schedules = memory.schedules.schedules.iter();
    to_json(&MemoryDocument {
        version: VERSION,
        id: *project_id,
        path: memory.path.clone(),
        web_url: memory.web_url.clone(),
        default_branch: memory.default_branch.clone(),
        group: memory.group.clone(),
        archived_until: seconds(memory.schedules.archived_until),
        schedules: schedules.map(ScheduleDocument::of).collect(),
        gitlab: None,
        checksum: None,
    })
}

pub(super) fn decode(text: &[u8]) -> Result<(SavedMemory, EnvelopeFacts), DocumentError> {
    let found = parse::<VersionOnly>(text)?.version;
    if found > u64::from(VERSION) {
        return Err(DocumentError::Newer {
            found,
            highest: VERSION,
        });
    }
    let document: MemoryDocument = parse(text)?;
    let facts = EnvelopeFacts {
        instance: document.gitlab,
        has_checksum: document.checksum.is_some(),
    };
    let schedules = document.schedules.into_iter();
    let memory = ProjectMemory {
        path: document.path,
        web_url: document.web_url,
        default_branch: document.default_branch,
        group: document.group,
        schedules: SchedulesMemory {
            schedules: schedules.map(ScheduleDocument::into_memory).collect(),
            archived_until: time(document.archived_until),
        },
    };
    let saved = SavedMemory {
        project_id: document.id,
        memory,
    };
    Ok((saved, facts))
}

impl ScheduleDocument {
    fn of(schedule: &ScheduleMemory) -> Self {
        Self {
            id: schedule.id,
            description: schedule.description.clone(),
            ref_name: schedule.ref_name.clone(),
            active: schedule.active,
            next_run_at: seconds(schedule.next_run_at),
            updated_at: seconds(schedule.updated_at),
            last_run: seconds(schedule.last_run),
            asked_at: seconds(schedule.asked_at),
            questions: schedule.questions,
            due: seconds(schedule.due),
            switched_off: schedule
                .switched_off
                .map(|off| (off.at.unix(), seconds(off.unless_run_at))),
        }
    }

    fn into_memory(self) -> ScheduleMemory {
        ScheduleMemory {
            id: self.id,
            description: self.description,
            ref_name: self.ref_name,
            active: self.active,
            next_run_at: time(self.next_run_at),
            updated_at: time(self.updated_at),
            last_run: time(self.last_run),
            asked_at: time(self.asked_at),
            questions: self.questions,
            due: time(self.due),
            switched_off: self.switched_off.and_then(|(at, unless_run_at)| {
                Some(SwitchedOff {
                    at: time(Some(at))?,
                    unless_run_at: time(unless_run_at),
                })
            }),
        }
    }
}
