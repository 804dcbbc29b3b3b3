//! Pipelines that are read again although they did not move. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::family::Family;
use super::recheck::{Readings, Reason, is_unexplained};
use super::sight::{Doubt, ReadJobs, last_movement, may_move_on, sight_of};
use ci_history::{PipelineObservation, Status, Timestamp};

/// The open pipelines of a project, by id. Boxed: a map that was emptied keeps a node with room for eleven.
#[derive(Debug, Default)]
pub(super) struct OpenPipelines(BTreeMap<u64, Box<OpenPipeline>>);

/// A pipeline that was not seen to end with all its jobs and children.
#[derive(Debug)]
struct OpenPipeline {
    pipeline: PipelineObservation,
    family: Family,
    /// Readings in a row in which all jobs were settled.
    settled_readings: u32,
    doubt: Option<Doubt>,
    /// It or a child should have ended, and GitLab's API has not shown it since.
    is_end_expected: bool,
    readings: Readings,
}

/// An unfinished pipeline that is followed up.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) pipeline: PipelineObservation,
    /// Whether it has ended, or ends soon.
    pub(super) is_overdue: bool,
    /// Whether only its own status is awaited: all its jobs have ended.
    pub(super) awaits_status: bool,
}

impl OpenPipelines {
    /// Pipelines that had not ended when the state was saved.
    pub(super) fn resumed(pipelines: Vec<PipelineObservation>, now: Timestamp) -> Self {
        let open = pipelines.into_iter().map(|pipeline| {
            let readings = Readings::resumed(last_movement(&pipeline), now);
            (pipeline.id, Box::new(OpenPipeline::new(pipeline, readings)))
        });
        Self(open.collect())
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u64> {
        self.0.keys().copied()
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.0.contains_key(&id)
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.0.remove(&id);
    }

    pub(super) fn retain_refs(&mut self, is_watched: impl Fn(&str) -> bool) {
        self.0.retain(|_, open| is_watched(&open.pipeline.ref_name));
    }

    /// A ref has another name.
    pub(super) fn rename_ref(&mut self, from: &str, to: &Arc<str>) {
        for open in self.0.values_mut() {
            if *open.pipeline.ref_name == *from {
                open.pipeline.ref_name = Arc::clone(to);
            }
        }
    }

    /// A pipeline by its own id or the id of a child that has not ended.
    pub(super) fn find(&self, id: u64) -> Option<PipelineObservation> {
        let parent = || self.0.values().find(|open| open.family.includes(id));
        let open = self.0.get(&id).or_else(parent);
        open.map(|open| open.pipeline.clone())
    }

    pub(super) fn family(&self, id: u64) -> Family {
        let open = self.0.get(&id);
        open.map(|open| open.family.clone()).unwrap_or_default()
    }

    /// Begins the readings that are due.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<PipelineObservation> {
        self.0
            .retain(|_, open| !open.readings.is_over(open.reason(), now));
        let due = self.0.values_mut();
        due.filter(|open| open.readings.due_in(open.reason(), now) == 0)
            .map(|open| {
                open.readings.begin(now);
                open.pipeline.clone()
            })
            .collect()
    }

    /// Begins the readings that are due of pipelines whose jobs contradict their status.
    pub(super) fn take_doubtful(&mut self, now: Timestamp) -> Vec<PipelineObservation> {
        let doubtful = self.0.values_mut().filter(|open| open.is_doubtful());
        doubtful
            .filter(|open| open.readings.due_in(open.reason(), now) == 0)
            .map(|open| {
                open.readings.begin(now);
                open.pipeline.clone()
            })
            .collect()
    }

    /// Seconds until the next reading of a pipeline whose jobs contradict its status.
    pub(super) fn doubtful_in(&self, now: Timestamp) -> Option<i64> {
        let doubtful = self.0.values().filter(|open| open.is_doubtful());
        let due = doubtful.map(|open| open.readings.due_in(open.reason(), now));
        due.min()
    }

    /// Begins the follow-ups that are due of unfinished pipelines.
    pub(super) fn take_unfinished(&mut self, now: Timestamp) -> Vec<Unfinished> {
        let unfinished = self.0.values_mut().filter(|open| open.is_unfinished());
        unfinished
            .filter(|open| open.follow_up_in(now) == 0)
            .map(|open| {
                // One that fails counts, too.
                open.readings.note(now);
                Unfinished {
                    pipeline: open.pipeline.clone(),
                    is_overdue: open.is_overdue(),
                    awaits_status: open.awaits_status(),
                }
            })
            .collect()
    }

    /// Seconds until the next follow-up of an unfinished pipeline.
    pub(super) fn unfinished_in(&self, now: Timestamp) -> Option<i64> {
        let unfinished = self.0.values().filter(|open| open.is_unfinished());
        unfinished.map(|open| open.follow_up_in(now)).min()
    }

    /// A pipeline or child should have ended. It is followed up soon if it is unfinished as far as known.
    pub(super) fn expect_end(&mut self, id: u64) {
        for (own_id, open) in &mut self.0 {
            let is_it = *own_id == id && may_move_on(open.pipeline.status);
            if is_it || open.family.goes_on(id) {
                open.is_end_expected = true;
                open.readings.begin_anew();
            }
        }
    }

    /// Whether a pipeline is read every cycle.
    pub(super) fn any_lively(&self, now: Timestamp) -> bool {
        let mut open = self.0.values();
        open.any(|open| open.readings.is_lively(open.reason(), now))
    }

    /// The jobs of a pipeline were read. Returns whether to ask GitLab for the pipeline itself: no listing may
    /// have shown its end.
    pub(super) fn read(
        &mut self,
        pipeline: &PipelineObservation,
        jobs: ReadJobs,
        now: Timestamp,
    ) -> bool {
        let ended = !may_move_on(pipeline.status);
        let open = self.entry(pipeline);
        open.is_end_expected &= sight_of(&open.pipeline) == sight_of(pipeline);
        open.pipeline = pipeline.clone();
        let is_unexplained = ended && is_unexplained(pipeline, jobs.moved, now);
        open.doubt = jobs
            .doubt
            .or_else(|| is_unexplained.then_some(Doubt::Unexplained));
        open.readings
            .moved_at(last_movement(pipeline).max(jobs.moved));
        open.readings.doubt(open.doubt.is_some(), now);
        open.readings.note(now);
        if ended {
            self.close_if_over(pipeline.id, now);
            return false;
        }
        open.settled_readings = if jobs.settled {
            open.settled_readings + 1
        } else {
            0
        };
        // Its status lags behind its jobs a little; it is asked for ever more seldom.
        open.settled_readings > 1 && open.settled_readings.is_power_of_two()
    }

    /// The children of a pipeline were read.
    pub(super) fn keep_family(
        &mut self,
        pipeline: &PipelineObservation,
        family: Family,
        now: Timestamp,
    ) {
        if may_move_on(pipeline.status) || family.has_unended() || self.contains(pipeline.id) {
            let open = self.entry(pipeline);
            if open.family != family {
                open.readings.moved_at(family.moved());
                open.is_end_expected = false;
            }
            open.family = family;
            open.readings.begin(now);
            self.close_if_over(pipeline.id, now);
        }
    }

    fn entry(&mut self, pipeline: &PipelineObservation) -> &mut OpenPipeline {
        let open = self.0.entry(pipeline.id);
        open.or_insert_with(|| {
            let mut readings = Readings::default();
            readings.moved_at(last_movement(pipeline));
            Box::new(OpenPipeline::new(pipeline.clone(), readings))
        })
    }

    /// Forgets a pipeline that has ended with all its jobs and children, or for too long already.
    fn close_if_over(&mut self, id: u64, now: Timestamp) {
        let is_over = self
            .0
            .get(&id)
            .is_some_and(|open| open.has_ended() || open.readings.is_over(open.reason(), now));
        if is_over {
            self.0.remove(&id);
        }
    }
}

impl OpenPipeline {
    fn new(pipeline: PipelineObservation, readings: Readings) -> Self {
        Self {
            pipeline,
            family: Family::default(),
            settled_readings: 0,
            doubt: None,
            is_end_expected: false,
            readings,
        }
    }

    /// Whether it or a child goes on, or waits for a user.
    fn is_unfinished(&self) -> bool {
        may_move_on(self.pipeline.status) || self.family.has_unended()
    }

    fn awaits_status(&self) -> bool {
        may_move_on(self.pipeline.status) && self.settled_readings > 0
    }

    fn is_overdue(&self) -> bool {
        self.is_end_expected || self.awaits_status()
    }

    fn follow_up_in(&self, now: Timestamp) -> i64 {
        let is_overdue = self.is_overdue();
        self.readings.follow_up_in(self.reason(), is_overdue, now)
    }

    fn has_ended(&self) -> bool {
        !may_move_on(self.pipeline.status) && !self.family.has_unended() && self.doubt.is_none()
    }

    fn is_doubtful(&self) -> bool {
        self.doubt.is_some() && !may_move_on(self.pipeline.status)
    }

    fn reason(&self) -> Reason {
        match self.pipeline.status {
            Status::Pending | Status::Running | Status::Canceling => return Reason::Running,
            status if may_move_on(status) => return Reason::Moving,
            _ if self.family.is_open() => return Reason::Running,
            _ => {}
        }
        match self.doubt {
            Some(Doubt::Missing) => Reason::Missing,
            Some(Doubt::Unexplained) => Reason::Unexplained,
            Some(Doubt::Unlisted) => Reason::Unlisted,
            Some(Doubt::Withdrawn) => Reason::Withdrawn,
            Some(Doubt::Hidden) if !self.family.has_unended() => Reason::Hidden,
            Some(Doubt::Hidden) => Reason::Waiting,
            None if self.family.has_unended() => Reason::Waiting,
            // In doubt, or saved with jobs that have not ended.
            Some(Doubt::Unsettled) | None => Reason::Unsettled,
        }
    }
}
