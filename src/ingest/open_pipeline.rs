//! A pipeline that was not seen to end, or a child of which was not, and when it is read again.

use super::family::Family;
use super::sight::may_move_on;
use crate::model::PipelineObservation;

/// Poll cycles after which a finished pipeline with only manual children is dropped. It is read after 1, 2,
/// 4, 8, .. of them: hours in a busy project, days in a quiet one.
pub(super) const LONGEST_WAIT: u32 = 2048;

/// See the module.
#[derive(Debug)]
pub(super) struct OpenPipeline {
    pipeline: PipelineObservation,
    family: Family,
    /// Readings in a row in which all jobs were settled.
    settled_readings: u32,
    /// Cycles in a row in which only a user could have moved anything.
    waiting_cycles: u32,
}

impl OpenPipeline {
    pub(super) fn new(pipeline: PipelineObservation) -> Self {
        Self {
            pipeline,
            family: Family::default(),
            settled_readings: 0,
            waiting_cycles: 0,
        }
    }

    pub(super) fn pipeline(&self) -> &PipelineObservation {
        &self.pipeline
    }

    pub(super) fn family(&self) -> &Family {
        &self.family
    }

    pub(super) fn set_pipeline(&mut self, pipeline: &PipelineObservation) {
        self.pipeline = pipeline.clone();
    }

    pub(super) fn set_family(&mut self, family: Family) {
        if self.family != family {
            self.waiting_cycles = 0;
        }
        self.family = family;
    }

    /// Whether the pipeline has ended and all its unended children wait for a user.
    pub(super) fn waits_for_user(&self) -> bool {
        !may_move_on(self.pipeline.status) && !self.family.is_open() && self.family.has_unended()
    }

    /// Whether it has waited for a user for so long that it is dropped.
    pub(super) fn is_expired(&self) -> bool {
        self.waiting_cycles >= LONGEST_WAIT
    }

    /// Counts a cycle; returns whether the pipeline is read in it.
    pub(super) fn begin_cycle(&mut self) -> bool {
        if !self.waits_for_user() {
            return true;
        }
        self.waiting_cycles += 1;
        self.waiting_cycles.is_power_of_two()
    }

    /// Counts a reading of the jobs; returns whether to ask for the pipeline itself: no listing may have
    /// shown its end. Its status lags behind its jobs a little, so it is asked for ever more seldom.
    pub(super) fn count_reading(&mut self, settled: bool) -> bool {
        self.settled_readings = if settled {
            self.settled_readings + 1
        } else {
            0
        };
        self.settled_readings > 1 && self.settled_readings.is_power_of_two()
    }
}
