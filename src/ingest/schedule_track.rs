//! One pipeline schedule over several readings: which of its times passed without a pipeline, and whether GitLab
//! itself switched it off.

use super::events::ScheduleSight;
use crate::base::DAY;
use crate::base::project_memory::{ScheduleMemory, SwitchedOff};
use crate::gitlab::Schedule;
use ci_history::Timestamp;

/// Seconds within which GitLab runs a schedule that was switched on after its time: its worker comes by at least
/// this often.
const WORKER_INTERVAL: i64 = 3600;

/// Seconds after a schedule's time within which GitLab runs it, or switches it off instead. A later change is a person's.
const ACTS_WITHIN: i64 = 1200;

/// Seconds by which the creation of a pipeline may lie before the time it was scheduled for.
const TOLERANCE: i64 = 60;

/// A schedule and what earlier readings tell about it.
#[derive(Debug)]
pub(super) struct ScheduleTrack {
    schedule: Schedule,
    /// When its newest known pipeline was created.
    last_run: Option<Timestamp>,
    /// When the last run was asked for.
    asked_at: Option<Timestamp>,
    /// How often the last run is still to be asked for.
    questions: u8,
    /// The newest time that came while the schedule was active.
    due: Option<Timestamp>,
    /// When it was switched off, if GitLab itself may have done it.
    switched_off: Option<SwitchedOff>,
    /// Lists in a row that lack it, since GitLab last answered for the schedule itself.
    absent: u8,
    /// GitLab says that it does not have the schedule.
    is_denied: bool,
}

impl ScheduleTrack {
    /// A schedule at its first reading. Times before `floor` passed while GitLab ran no schedules of the project.
    pub(super) fn new(schedule: Schedule, now: Timestamp, floor: Option<Timestamp>) -> Self {
        let switched_off = schedule.switched_off_at_its_time();
        let mut track = Self {
            schedule,
            last_run: None,
            asked_at: None,
            questions: 1,
            due: None,
            switched_off,
            absent: 0,
            is_denied: false,
        };
        track.note_due(track.schedule.promised(floor), now);
        track
    }

    /// A schedule as an earlier process knew it.
    pub(super) fn restored(memory: ScheduleMemory) -> Self {
        Self {
            schedule: Schedule {
                id: memory.id,
                description: memory.description,
                ref_name: memory.ref_name,
                next_run_at: memory.next_run_at,
                active: memory.active,
                updated_at: memory.updated_at,
            },
            last_run: memory.last_run,
            asked_at: memory.asked_at,
            questions: memory.questions,
            due: memory.due,
            switched_off: memory.switched_off,
            absent: 0,
            is_denied: false,
        }
    }

    /// What a later process needs to know.
    pub(super) fn memory(&self) -> ScheduleMemory {
        ScheduleMemory {
            id: self.schedule.id,
            description: self.schedule.description.clone(),
            ref_name: self.schedule.ref_name.clone(),
            next_run_at: self.schedule.next_run_at,
            active: self.schedule.active,
            updated_at: self.schedule.updated_at,
            last_run: self.last_run,
            asked_at: self.asked_at,
            questions: self.questions,
            due: self.due,
            switched_off: self.switched_off,
        }
    }

    /// Takes a later reading.
    pub(super) fn update(&mut self, schedule: Schedule, now: Timestamp, floor: Option<Timestamp>) {
        self.absent = 0;
        self.is_denied = false;
        if self.schedule != schedule {
            // A run moves the next one first and creates its pipeline after that.
            self.questions = 2;
            self.note_due(self.schedule.came_before(&schedule, floor), now);
        }
        self.note_switch(&schedule, now);
        self.schedule = schedule;
        self.note_due(self.schedule.promised(floor), now);
    }

    /// Takes the time of the newest pipeline, asked for at `now`. A pipeline that was deleted has run nevertheless.
    pub(super) fn note_last_run(&mut self, last_run: Option<Timestamp>, now: Timestamp) {
        self.last_run = self.last_run.max(last_run);
        self.asked_at = Some(now);
        self.questions = self.questions.saturating_sub(1);
        self.is_denied = false;
        // It is there, whatever the list says.
        self.absent = 0;
    }

    /// The list lacks the schedule.
    pub(super) fn note_absent(&mut self) {
        self.absent = self.absent.saturating_add(1);
    }

    /// Whether GitLab has it no longer: so many lists in a row lack it, or one does and GitLab says so itself.
    pub(super) fn is_gone(&self, lists: u8) -> bool {
        self.absent > 0 && (self.is_denied || self.absent >= lists)
    }

    /// GitLab no longer has the schedule: nothing is to be asked.
    pub(super) fn note_deleted(&mut self) {
        self.questions = 0;
        self.is_denied = true;
    }

    /// Whether the last run is to be asked for: it may have changed, or a run is missed and may be made up for.
    pub(super) fn is_questionable(&self) -> bool {
        let waits = |due| !self.has_run_since(due);
        let is_missed = self.schedule.active && self.due.is_some_and(waits);
        self.questions > 0 || is_missed || self.absent > 0
    }

    /// Orders schedules by the time of the last question, the longest ago first.
    pub(super) fn order_of_questions(&self) -> (Option<Timestamp>, u64) {
        (self.asked_at, self.schedule.id)
    }

    /// What is known of the schedule now.
    pub(super) fn sight(&self) -> ScheduleSight {
        ScheduleSight {
            schedule: self.schedule.clone(),
            last_run: self.last_run,
            missed: self
                .due
                .filter(|due| self.schedule.active && self.is_known_missed(*due)),
            switched_off: self
                .switched_off
                .filter(|off| {
                    let is_missed = |due| self.is_known_missed(due);
                    off.unless_run_at.is_none_or(is_missed)
                })
                .map(|off| off.at),
        }
    }

    fn note_due(&mut self, at: Option<Timestamp>, now: Timestamp) {
        self.due = self.due.max(at.filter(|at| *at <= now));
    }

    fn note_switch(&mut self, later: &Schedule, now: Timestamp) {
        if later.active {
            self.switched_off = None;
        } else if !self.schedule.active {
            // A person who edits it knows that it is off.
            if self.schedule.updated_at != later.updated_at {
                self.switched_off = None;
            }
        } else if later.updated_at.is_some() && later.updated_at == self.schedule.updated_at {
            // An edit would have moved the time of the last change.
            self.switched_off = Some(SwitchedOff {
                at: now,
                unless_run_at: None,
            });
        } else if let (Some(due), Some(at)) = (self.due, later.updated_at)
            && (0..=ACTS_WITHIN).contains(&(at.unix() - due.unix()))
        {
            self.switched_off = Some(SwitchedOff {
                at,
                unless_run_at: Some(due),
            });
        }
    }

    /// Whether no pipeline came of a time. Unknown, and false, until this was asked for after the time.
    fn is_known_missed(&self, due: Timestamp) -> bool {
        self.asked_at >= Some(due) && !self.has_run_since(due)
    }

    fn has_run_since(&self, due: Timestamp) -> bool {
        self.last_run
            .is_some_and(|run| run.unix() >= due.unix() - TOLERANCE)
    }
}

impl Schedule {
    /// The time at which GitLab is going to run it. A time that had passed when the schedule was last changed, or
    /// before `floor`, is no promise: it was off then, and GitLab runs it as soon as its worker comes by.
    fn promised(&self, floor: Option<Timestamp>) -> Option<Timestamp> {
        let next = self.next_run_at.filter(|_| self.active)?;
        match self.updated_at.max(floor) {
            Some(changed) if changed > next => {
                Timestamp::from_unix(changed.unix() + WORKER_INTERVAL)
            }
            _ => Some(next),
        }
    }

    /// The newest time known to have come between two readings. GitLab changes a schedule soon after its time: the next
    /// time moves. Any other change is a person's, who may have paused the schedule over its time.
    fn came_before(&self, later: &Self, floor: Option<Timestamp>) -> Option<Timestamp> {
        let promised = self.promised(floor)?;
        let Some(moved) = later.updated_at else {
            return Some(promised);
        };
        if moved < promised {
            return None;
        }
        if moved.unix() - promised.unix() <= ACTS_WITHIN {
            return Some(promised);
        }
        // Several times came. Most schedules run at one time of the day: GitLab made the change if it is soon after it.
        let next = later.next_run_at.filter(|_| later.active)?;
        let after = moved.unix().saturating_sub(next.unix()).rem_euclid(DAY);
        (after <= ACTS_WITHIN).then(|| Timestamp::of_clock(moved.unix() - after))
    }

    /// Whether it is off since its time came, judged by a single reading: whoever pauses a schedule does so before
    /// its time, and GitLab leaves the next time of a paused schedule as it is.
    fn switched_off_at_its_time(&self) -> Option<SwitchedOff> {
        let (due, at) = (self.next_run_at?, self.updated_at?);
        let after = at.unix() - due.unix();
        let is_off = !self.active && (0..=ACTS_WITHIN).contains(&after);
        is_off.then_some(SwitchedOff {
            at,
            unless_run_at: Some(due),
        })
    }
}

#[cfg(test)]
mod tests;
