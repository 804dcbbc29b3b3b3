//! What is known of a project's pipeline schedules, and which of their last runs to ask for. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::gitlab::{Project, Schedule};
use crate::model::Timestamp;

/// A schedule, and when it last ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSight {
    /// As GitLab lists it.
    pub schedule: Schedule,
    /// When its last pipeline was created, if it ever was.
    pub last_run: Option<Timestamp>,
}

/// The schedules of one project.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    known: BTreeMap<u64, KnownSchedule>,
    next_read: Option<Instant>,
    /// The project's path when they were last reported.
    path: Option<Arc<str>>,
}

#[derive(Debug)]
struct KnownSchedule {
    sight: ScheduleSight,
    /// How often its last run is still to be asked for.
    questions: u8,
}

impl Timetable {
    pub(super) fn is_due(&self, project: &Project, now: Instant) -> bool {
        self.path.as_ref() != Some(&project.path) || self.next_read.is_none_or(|at| at <= now)
    }

    pub(super) fn reported(&mut self, project: &Project, next_read: Instant) {
        self.next_read = Some(next_read);
        self.path = Some(project.path.clone());
    }

    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// In the order of their ids.
    pub(super) fn sights(&self) -> Vec<ScheduleSight> {
        self.known.values().map(|it| it.sight.clone()).collect()
    }

    /// The schedules whose last run is to be asked for, at most so many.
    pub(super) fn open_questions(&self, limit: usize) -> Vec<u64> {
        let open = self.known.iter().filter(|(_, it)| it.questions > 0);
        open.map(|(id, _)| *id).take(limit).collect()
    }

    /// A question was answered: when the schedule last ran, if it ever did.
    pub(super) fn answered(&mut self, id: u64, last_run: Option<Timestamp>) {
        if let Some(known) = self.known.get_mut(&id) {
            // A pipeline that was deleted has run nevertheless.
            known.sight.last_run = known.sight.last_run.max(last_run);
            known.questions -= 1;
        }
    }

    /// GitLab no longer knows a schedule: nothing more is asked.
    pub(super) fn not_found(&mut self, id: u64) {
        if let Some(known) = self.known.get_mut(&id) {
            known.questions = 0;
        }
    }

    /// Takes a listing of all schedules.
    pub(super) fn take(&mut self, schedules: Vec<Schedule>) {
        let mut before = std::mem::take(&mut self.known);
        for schedule in schedules {
            let known = before.remove(&schedule.id);
            let questions = match &known {
                None => 1,
                // A run moves the next one first and creates its pipeline after that.
                Some(known) if known.sight.schedule.has_run(&schedule) => 2,
                Some(known) => known.questions,
            };
            let last_run = known.and_then(|known| known.sight.last_run);
            let id = schedule.id;
            let sight = ScheduleSight { schedule, last_run };
            self.known.insert(id, KnownSchedule { sight, questions });
        }
    }
}

impl Schedule {
    /// Whether it may have run between this sight and a later one.
    fn has_run(&self, later: &Self) -> bool {
        (self.next_run_at, self.updated_at) != (later.next_run_at, later.updated_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(id: u64, next_run_at: i64) -> Schedule {
        Schedule {
            id,
            description: "nightly".into(),
            ref_name: "main".into(),
            next_run_at: Timestamp::from_unix(next_run_at),
            active: true,
            updated_at: None,
        }
    }

    fn questions(timetable: &Timetable) -> Vec<(u64, u8)> {
        let known = timetable.known.iter();
        known.map(|(id, known)| (*id, known.questions)).collect()
    }

    #[test]
    fn the_last_pipeline_is_asked_for_at_first_sight_and_twice_after_a_run() {
        let mut timetable = Timetable::default();
        timetable.take(vec![schedule(1, 100), schedule(2, 100)]);
        assert_eq!(questions(&timetable), [(1, 1), (2, 1)]);
        for known in timetable.known.values_mut() {
            known.questions = 0;
        }
        timetable.take(vec![schedule(1, 100), schedule(2, 200), schedule(3, 100)]);
        assert_eq!(questions(&timetable), [(1, 0), (2, 2), (3, 1)]);
        timetable.take(vec![schedule(2, 200)]);
        assert_eq!(questions(&timetable), [(2, 2)]);
    }
}
