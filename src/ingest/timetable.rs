//! What is known of a project's pipeline schedules, and when they are read again.
//!
//! This costs one request, and one more for each schedule that ran, changed or missed a run: only the schedule itself
//! tells its last pipeline. Sweeps tell whether a project without schedules still has none. All schedules of a project are read, also those of refs that are not watched: a schedule
//! whose branch is gone is the one that starts nothing.
//!
//! One answer proves nothing: a refused list, or one that lacks a schedule, changes what is known only after several
//! readings in a row, or once GitLab does not have the schedule itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::events::ScheduleSight;
use super::intervals::{INTERVALS, INTERVALS_WITHOUT, SCHEDULES_ANYWAY};
use super::poller::Poller;
use super::reader::Reader;
use super::schedule_track::ScheduleTrack;
use crate::base::project_memory::SchedulesMemory;
use crate::gitlab::{Error, Project, Schedule};
use ci_history::Timestamp;

/// Readings in a row that have to refuse the list, or to lack a schedule, before it is believed.
const READINGS_TO_FORGET: u8 = 3;

/// Schedules of one project whose last pipeline is asked for in one reading; the others wait for the next.
const MOST_DETAILS: usize = 20;

/// The schedules of one project.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    known: BTreeMap<u64, ScheduleTrack>,
    next_reading: Option<Instant>,
    /// Until when sweeps may put off the next reading: the list was empty, and not refused.
    put_off_until: Option<Instant>,
    /// How many readings in a row were refused.
    refusals: u8,
    /// The project's path when they were last reported.
    path: Option<Arc<str>>,
    /// Up to when the project was archived: GitLab ran none of its schedules.
    archived_until: Option<Timestamp>,
}

impl Poller {
    /// Tells of the schedules as an earlier process knew them, and puts the next reading off.
    pub(super) fn resume_schedules(
        &self,
        project: &Project,
        timetable: &mut Timetable,
        has_none: bool,
    ) {
        let watch = &self.reader.watch;
        if !watch.schedules || project.archived {
            return;
        }
        timetable.resume(project, has_none, watch.idle_interval);
        if !timetable.known.is_empty() {
            self.events
                .schedules(project, &timetable.sights(), timetable.memory());
        }
    }

    /// Reads the schedules of a project if it is time to. A failure does not fail the cycle.
    pub(super) async fn read_schedules(&self, project: &Project, timetable: &mut Timetable) {
        let now = Instant::now();
        if !self.reader.watch.schedules || !timetable.is_due(project, now) {
            return;
        }
        if project.archived {
            timetable.archive(self.reader.observations.gitlab_now());
            self.events.schedules(project, &[], timetable.memory());
            return;
        }
        let read = self.reader.read_schedules(project, timetable).await;
        if let Err(error) = &read {
            self.events.schedules_not_read(project, error);
            if error.is_refusal() {
                timetable.note_refusal();
            }
        }
        let sights = timetable.sights();
        self.events.schedules(project, &sights, timetable.memory());
        let is_read = read.is_ok();
        if is_read {
            self.events.schedules_read(project);
        }
        let is_seldom = sights.is_empty() && !read.is_err_and(|error| error.is_retryable());
        let intervals = if is_seldom {
            INTERVALS_WITHOUT
        } else {
            INTERVALS
        };
        timetable.next_reading = Some(now + self.reader.watch.idle_interval * intervals);
        // Not all projects at once.
        let anyway = SCHEDULES_ANYWAY.mul_f64(fastrand::f64().midpoint(1.0));
        timetable.put_off_until = (is_read && timetable.known.is_empty()).then(|| now + anyway);
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
        let now = self.observations.gitlab_now();
        timetable.take(listing.items, now);
        let asked = self.ask_for_last_runs(project, timetable, now).await;
        timetable.forget_absent();
        asked
    }

    async fn ask_for_last_runs(
        &self,
        project: &Project,
        timetable: &mut Timetable,
        now: Timestamp,
    ) -> Result<(), Error> {
        for (id, track) in timetable.questionable() {
            match self.client.schedule_last_run(project.id, id).await {
                Ok(last_run) => track.note_last_run(last_run, now),
                Err(error) if error.is_not_found() => track.note_deleted(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Timetable {
    /// The schedules as an earlier process knew them.
    pub(super) fn restored(memory: SchedulesMemory) -> Self {
        let tracks = memory.schedules.into_iter();
        Self {
            known: tracks
                .map(|schedule| (schedule.id, ScheduleTrack::restored(schedule)))
                .collect(),
            archived_until: memory.archived_until,
            ..Self::default()
        }
    }

    /// Goes on where an earlier process left off, some time within the usual one: a restart does not read all at once.
    pub(super) fn resume(&mut self, project: &Project, has_none: bool, idle_interval: Duration) {
        let intervals = if has_none {
            INTERVALS_WITHOUT
        } else {
            INTERVALS
        };
        let wait = (idle_interval * intervals).mul_f64(fastrand::f64());
        self.next_reading = Some(Instant::now() + wait);
        self.path = Some(project.path.clone());
    }

    /// A sweep told whether the project has schedules. `wait`: the usual time between two readings of an empty list.
    pub(super) fn told(&mut self, has_schedules: bool, wait: Duration) {
        let Some(put_off_until) = self.put_off_until else {
            return;
        };
        let now = Instant::now();
        self.next_reading = if has_schedules {
            Some(now)
        } else {
            self.next_reading.max(Some((now + wait).min(put_off_until)))
        };
    }

    /// Whether the schedules were read, and there are none.
    pub(super) fn is_known_empty(&self) -> bool {
        self.next_reading.is_some() && self.known.is_empty()
    }

    fn memory(&self) -> SchedulesMemory {
        SchedulesMemory {
            schedules: self.known.values().map(ScheduleTrack::memory).collect(),
            archived_until: self.archived_until,
        }
    }

    fn sights(&self) -> Vec<ScheduleSight> {
        self.known.values().map(ScheduleTrack::sight).collect()
    }

    fn is_due(&self, project: &Project, now: Instant) -> bool {
        self.path.as_ref() != Some(&project.path) || self.next_reading.is_none_or(|at| at <= now)
    }

    /// The project is archived: its schedules are forgotten until it no longer is.
    fn archive(&mut self, now: Timestamp) {
        *self = Self {
            archived_until: Some(now),
            ..Self::default()
        };
    }

    /// The list was refused. A schedule that can no longer be seen must not look as if it had not run.
    fn note_refusal(&mut self) {
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals >= READINGS_TO_FORGET {
            self.known.clear();
        }
    }

    /// Forgets the schedules that GitLab no longer has.
    fn forget_absent(&mut self) {
        self.known
            .retain(|_, track| !track.is_gone(READINGS_TO_FORGET));
    }

    /// Takes a listing of all schedules. Those that it lacks stay until they are known to be gone.
    fn take(&mut self, schedules: Vec<Schedule>, now: Timestamp) {
        self.refusals = 0;
        let mut before = std::mem::take(&mut self.known);
        let floor = self.archived_until;
        for schedule in schedules {
            let id = schedule.id;
            let track = match before.remove(&id) {
                Some(mut track) => {
                    track.update(schedule, now, floor);
                    track
                }
                None => ScheduleTrack::new(schedule, now, floor),
            };
            self.known.insert(id, track);
        }
        for (id, mut track) in before {
            track.note_absent();
            self.known.insert(id, track);
        }
    }

    /// The schedules whose last run is to be asked for in this reading.
    fn questionable(&mut self) -> impl Iterator<Item = (u64, &mut ScheduleTrack)> {
        let tracks = self.known.iter_mut().map(|(id, track)| (*id, track));
        let mut tracks: Vec<_> = tracks.filter(|(_, it)| it.is_questionable()).collect();
        tracks.sort_by_key(|(_, track)| track.order_of_questions());
        tracks.into_iter().take(MOST_DETAILS)
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

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    fn asked(timetable: &mut Timetable) -> Vec<u64> {
        timetable.questionable().map(|(id, _)| id).collect()
    }

    #[test]
    fn the_last_pipeline_is_asked_for_at_first_and_twice_after_a_change() {
        let mut timetable = Timetable::default();
        timetable.take(vec![schedule(1, 1000), schedule(2, 1000)], at(10));
        assert_eq!(asked(&mut timetable), [1, 2]);
        for track in timetable.known.values_mut() {
            track.note_last_run(None, at(10));
        }
        let listing = || vec![schedule(1, 1000), schedule(2, 2000), schedule(3, 1000)];
        timetable.take(listing(), at(20));
        assert_eq!(asked(&mut timetable), [3, 2]);
        for track in timetable.known.values_mut() {
            track.note_last_run(None, at(20));
        }
        timetable.take(listing(), at(30));
        assert_eq!(asked(&mut timetable), [2]);
    }

    #[test]
    fn of_many_schedules_those_are_asked_for_that_were_not_for_the_longest() {
        let mut timetable = Timetable::default();
        let listing = || (1..=30).map(|id| schedule(id, 1000)).collect();
        timetable.take(listing(), at(2000));
        for (_, track) in timetable.questionable() {
            track.note_last_run(None, at(2000));
        }
        timetable.take(listing(), at(2600));
        let asked = asked(&mut timetable);
        assert_eq!(asked.len(), MOST_DETAILS);
        assert_eq!(asked[..11], [21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 1]);
    }

    #[test]
    fn a_schedule_that_one_list_lacks_stays_and_is_asked_for() {
        let mut timetable = Timetable::default();
        let listing = || vec![schedule(1, 1000)];
        timetable.take(listing(), at(2000));
        for (_, track) in timetable.questionable() {
            track.note_last_run(None, at(2000));
        }
        assert_eq!(timetable.known[&1].sight().missed, Some(at(1000)));
        for reading in 1..10 {
            timetable.take(vec![], at(2000 + reading));
            assert_eq!(asked(&mut timetable), [1]);
            for (_, track) in timetable.questionable() {
                track.note_last_run(None, at(2000 + reading));
            }
            timetable.forget_absent();
        }
        timetable.take(listing(), at(3000));
        timetable.forget_absent();
        assert_eq!(timetable.known[&1].sight().missed, Some(at(1000)));
    }

    #[test]
    fn an_absent_schedule_goes_once_gitlab_does_not_have_it_or_at_the_third_list_without_it() {
        let mut timetable = Timetable::default();
        let both = || vec![schedule(1, 1000), schedule(2, 1000)];
        timetable.take(both(), at(10));
        timetable.known.get_mut(&1).unwrap().note_deleted();
        timetable.forget_absent();
        assert_eq!(timetable.known.len(), 2, "it is listed");
        timetable.take(vec![], at(20));
        timetable.known.get_mut(&1).unwrap().note_deleted();
        timetable.forget_absent();
        assert!(timetable.known.keys().eq([&2]));
        timetable.take(vec![], at(30));
        timetable.forget_absent();
        assert!(timetable.known.keys().eq([&2]), "no answer about it");
        timetable.take(vec![], at(40));
        timetable.forget_absent();
        assert!(timetable.known.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_sweep_puts_off_the_reading_of_an_empty_list_for_some_hours() {
        let hour = Duration::from_hours(1);
        let now = Instant::now();
        let mut timetable = Timetable {
            next_reading: Some(now),
            ..Timetable::default()
        };
        timetable.told(false, hour);
        assert_eq!(timetable.next_reading, Some(now), "the list was refused");
        timetable.put_off_until = Some(now + hour + hour / 2);
        timetable.told(false, hour);
        assert_eq!(timetable.next_reading, Some(now + hour));
        tokio::time::advance(hour).await;
        timetable.told(false, hour);
        assert_eq!(timetable.next_reading, timetable.put_off_until);
        timetable.told(true, hour);
        assert_eq!(timetable.next_reading, Some(now + hour));
    }

    #[test]
    fn only_refusals_in_a_row_forget_the_schedules() {
        let mut timetable = Timetable::default();
        for reading in 0..5 {
            timetable.take(vec![schedule(1, 1000)], at(10 + reading));
            timetable.note_refusal();
            timetable.note_refusal();
        }
        assert_eq!(timetable.known.len(), 1);
        timetable.note_refusal();
        assert!(timetable.known.is_empty());
    }

    #[test]
    fn the_times_that_passed_while_the_project_was_archived_are_not_missed() {
        let mut timetable = Timetable::default();
        timetable.archive(at(90_000));
        timetable.take(vec![schedule(1, 1000)], at(90_100));
        for (_, track) in timetable.questionable() {
            track.note_last_run(None, at(90_100));
        }
        assert_eq!(timetable.known[&1].sight().missed, None);
        timetable.take(vec![schedule(1, 1000)], at(94_000));
        assert_eq!(
            timetable.known[&1].sight().missed,
            None,
            "to be asked first"
        );
        for (_, track) in timetable.questionable() {
            track.note_last_run(None, at(94_000));
        }
        assert_eq!(timetable.known[&1].sight().missed, Some(at(93_600)));
    }
}
