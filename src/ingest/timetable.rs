//! What is known of a project's pipeline schedules, and when they are read again.
//!
//! This costs one request, and one more for each schedule that ran or changed: only the schedule itself tells its
//! last pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::events::ScheduleSight;
use super::poller::Poller;
use super::reader::Reader;
use crate::gitlab::{Error, Project, Schedule};

/// Idle intervals between two readings of a project with schedules.
const INTERVALS: u32 = 2;

/// The same for a project without schedules, or that does not show them.
const INTERVALS_WITHOUT: u32 = 12;

/// Schedules of one project whose last pipeline is asked for in one reading; the others wait for the next.
const MOST_DETAILS: usize = 20;

/// The schedules of one project.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    known: BTreeMap<u64, KnownSchedule>,
    next_reading: Option<Instant>,
    /// The project's path when they were last reported.
    path: Option<Arc<str>>,
}

#[derive(Debug)]
struct KnownSchedule {
    sight: ScheduleSight,
    /// How often its last run is still to be asked for.
    questions: u8,
}

impl Poller {
    /// Reads the schedules of a project if it is time to. A failure does not fail the cycle.
    pub(super) async fn read_schedules(&self, project: &Project, timetable: &mut Timetable) {
        let now = Instant::now();
        if !self.reader.watch.schedules || !timetable.is_due(project, now) {
            return;
        }
        let read = self.reader.read_schedules(project, timetable).await;
        if let Err(error) = &read {
            self.events.schedules_not_read(project, error);
            if error.is_refusal() {
                // A schedule that cannot be seen any more must not look as if it had not run.
                timetable.known.clear();
            }
        }
        let sights: Vec<_> = timetable.known.values().map(|k| k.sight.clone()).collect();
        self.events.schedules(project, &sights);
        let is_seldom = sights.is_empty() && !read.is_err_and(|error| error.is_retryable());
        let intervals = if is_seldom {
            INTERVALS_WITHOUT
        } else {
            INTERVALS
        };
        timetable.next_reading = Some(now + self.reader.watch.idle_interval * intervals);
        timetable.path = Some(project.path.clone());
    }
}

impl Reader {
    async fn read_schedules(
        &self,
        project: &Project,
        timetable: &mut Timetable,
    ) -> Result<(), Error> {
        let listing = self.client.schedules(project.id).await?;
        self.report_rejected(&listing.rejected);
        let default_branch = project.default_branch.as_deref();
        let mut schedules = listing.items;
        schedules.retain(|s| self.watch.refs.matches(&s.ref_name, default_branch));
        timetable.take(schedules);
        let asked = timetable.known.iter_mut().filter(|(_, k)| k.questions > 0);
        for (id, known) in asked.take(MOST_DETAILS) {
            match self.client.schedule_last_run(project.id, *id).await {
                Ok(last_run) => {
                    // A pipeline that was deleted has run nevertheless.
                    known.sight.last_run = known.sight.last_run.max(last_run);
                    known.questions -= 1;
                }
                Err(error) if error.is_not_found() => known.questions = 0,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Timetable {
    fn is_due(&self, project: &Project, now: Instant) -> bool {
        self.path.as_ref() != Some(&project.path) || self.next_reading.is_none_or(|at| at <= now)
    }

    /// Takes a listing of all schedules.
    fn take(&mut self, schedules: Vec<Schedule>) {
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
    use ci_history::Timestamp;

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
