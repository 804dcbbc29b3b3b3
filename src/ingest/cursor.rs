//! What was read of a project, and what is to be read next. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::children::Family;
use super::events::Resume;
use super::pending::{PendingReads, ReadPlan};
use super::sight::{Sight, may_move_on, sight_of};
use ci_history::{PipelineObservation, Timestamp};

/// How far a listing reaches back into the one before: rows become visible some time after they are stamped
/// (commit, replica lag).
pub const LISTING_OVERLAP: Duration = Duration::from_secs(OVERLAP.unsigned_abs());

/// Seconds of [`LISTING_OVERLAP`].
const OVERLAP: i64 = 5 * 60;

/// Poll cycles after which a finished pipeline with only manual children is dropped. It is read after 1, 2, 4, 8, ..
/// of them: hours in a busy project, days in a quiet one.
const LONGEST_WAIT: u32 = 2048;

/// What was read of a project.
#[derive(Debug, Default)]
pub(super) struct PollCursor {
    /// The latest `updated_at` that was listed.
    listed: Option<Timestamp>,
    /// Whether refs without a history are still to be backfilled.
    backfill: bool,
    /// See [`Resume::known_refs`].
    known_refs: BTreeSet<Arc<str>>,
    /// Sights of the listed pipelines whose jobs were read. They are read again when they move.
    read: HashMap<u64, Sight>,
    /// Pipelines whose jobs may move without the pipeline moving.
    open: BTreeMap<u64, OpenPipeline>,
    pending: PendingReads,
    /// Whether the last listing brought anything to read.
    moved: bool,
}

/// A pipeline that was not seen to end, or a child of which was not.
#[derive(Debug)]
struct OpenPipeline {
    pipeline: PipelineObservation,
    family: Family,
    /// Readings in a row in which all jobs were settled.
    settled_readings: u32,
    /// Cycles in a row in which only a user could have moved anything.
    waiting_cycles: u32,
}

impl PollCursor {
    pub(super) fn new(resume: Resume) -> Self {
        let open = resume.open.into_iter();
        Self {
            listed: resume.watermark,
            // After a restart, too: the configuration may watch other refs than before.
            backfill: true,
            known_refs: resume.known_refs,
            open: open
                .map(|pipeline| (pipeline.id, OpenPipeline::new(pipeline)))
                .collect(),
            ..Self::default()
        }
    }

    /// From now on other refs of the project are watched.
    pub(super) fn rescope(&mut self, is_watched: impl Fn(&str) -> bool) {
        // A ref that was not watched for a while was not listed either.
        self.known_refs.clear();
        self.backfill = true;
        self.open
            .retain(|_, open| is_watched(&open.pipeline.ref_name));
        self.pending.retain_refs(is_watched);
    }

    /// The histories of these refs were lost: they are read like new ones.
    pub(super) fn read_back(&mut self, refs: &BTreeSet<Arc<str>>) {
        let stays = |ref_name: &str| !refs.contains(ref_name);
        self.known_refs.retain(|name| stays(name));
        self.backfill = true;
        self.read.clear();
        self.open.retain(|_, open| stays(&open.pipeline.ref_name));
        self.pending.retain_refs(stays);
    }

    /// Whether to list the newest pipelines, whenever they moved: of new refs, or because nothing was ever
    /// listed.
    pub(super) fn wants_backfill(&self) -> bool {
        self.backfill || self.listed.is_none()
    }

    /// Whether a ref has no history.
    pub(super) fn is_new(&self, ref_name: &str) -> bool {
        !self.known_refs.contains(ref_name)
    }

    /// From when on to list pipelines; `None` if nothing was listed yet.
    pub(super) fn updated_after(&self) -> Option<Timestamp> {
        Timestamp::from_unix(self.listed?.unix() - OVERLAP)
    }

    /// Whether a pipeline was not seen to end.
    pub(super) fn is_open(&self, id: u64) -> bool {
        self.open.contains_key(&id)
    }

    /// Whether polling has read a pipeline, or is to read it.
    pub(super) fn knows(&self, id: u64) -> bool {
        self.is_open(id) || self.read.contains_key(&id) || self.pending.include(id)
    }

    /// A pipeline that was not seen to end, by its own id or the id of a child that was not.
    pub(super) fn open(&self, id: u64) -> Option<PipelineObservation> {
        let parent = || self.open.values().find(|open| open.family.includes(id));
        let open = self.open.get(&id).or_else(parent);
        open.map(|open| open.pipeline.clone())
    }

    /// Takes a listing; returns the pipelines whose jobs are to be read.
    pub(super) fn take_listing(
        &mut self,
        listing: Vec<PipelineObservation>,
        latest: Option<Timestamp>,
    ) -> ReadPlan {
        let pending = self.pending.pipelines();
        let mut wanted: BTreeMap<u64, _> = pending.map(|it| (it.id, it.clone())).collect();
        self.open
            .retain(|_, open| open.waiting_cycles < LONGEST_WAIT);
        let due = self.open.iter_mut().filter_map(|(id, open)| {
            let is_due = open.begin_cycle();
            is_due.then(|| (*id, open.pipeline.clone()))
        });
        wanted.extend(due);
        let mut still_listed = HashMap::with_capacity(listing.len());
        for pipeline in listing {
            let sight = sight_of(&pipeline);
            if self.read.get(&pipeline.id) == Some(&sight) {
                still_listed.insert(pipeline.id, sight);
            } else {
                wanted.insert(pipeline.id, pipeline);
            }
        }
        // A pipeline that is no longer listed has to move before it is listed again.
        self.read = still_listed;
        self.listed = self.listed.max(latest);
        // While nothing was ever listed there is no time to list from: the newest are listed again.
        self.backfill = self.listed.is_none();
        let waits = |id| self.open.get(id).is_some_and(OpenPipeline::waits_for_user);
        self.moved = wanted.keys().any(|id| !waits(id));
        self.pending.replace(wanted)
    }

    /// The jobs of a pipeline were read. `settled`: they stay as they are until a user acts.
    ///
    /// Returns whether to ask GitLab for the pipeline itself: no listing may have shown its end.
    pub(super) fn read(&mut self, pipeline: &PipelineObservation, settled: bool) -> bool {
        self.pending.remove(pipeline.id);
        self.read.insert(pipeline.id, sight_of(pipeline));
        let ended = !may_move_on(pipeline.status);
        let open = self.open.get(&pipeline.id);
        if ended && !open.is_some_and(|open| open.family.has_unended()) {
            self.open.remove(&pipeline.id);
            return false;
        }
        let open = self.open_mut(pipeline);
        open.pipeline = pipeline.clone();
        if ended {
            return false;
        }
        open.settled_readings = if settled {
            open.settled_readings + 1
        } else {
            0
        };
        // Its status lags behind its jobs a little; it is asked for ever more seldom.
        open.settled_readings > 1 && open.settled_readings.is_power_of_two()
    }

    /// What is known of a pipeline's children.
    pub(super) fn family(&self, id: u64) -> Family {
        let open = self.open.get(&id);
        open.map(|open| open.family.clone()).unwrap_or_default()
    }

    /// The children of a pipeline were read. While one has not ended the pipeline is read again, even if it
    /// has ended itself.
    pub(super) fn keep_family(&mut self, pipeline: &PipelineObservation, family: Family) {
        if may_move_on(pipeline.status) || family.has_unended() {
            let open = self.open_mut(pipeline);
            if open.family != family {
                open.waiting_cycles = 0;
            }
            open.family = family;
        } else {
            self.open.remove(&pipeline.id);
        }
    }

    /// The jobs of a pipeline could not be read, for a reason of its own. Returns whether it is given up; it
    /// is read again when it moves.
    pub(super) fn failed(&mut self, id: u64, now: Timestamp) -> bool {
        let Some(sight) = self.pending.fail(id, now) else {
            return false;
        };
        self.removed(id);
        self.read.insert(id, sight);
        true
    }

    /// GitLab no longer knows a pipeline.
    pub(super) fn removed(&mut self, id: u64) {
        self.pending.remove(id);
        self.open.remove(&id);
        self.read.remove(&id);
    }

    /// Whether something is going on in the project.
    pub(super) fn is_active(&self) -> bool {
        let mut open = self.open.values();
        self.moved || open.any(|open| !open.waits_for_user()) || !self.pending.is_empty()
    }

    /// Up to when everything was read; `None` while a pipeline is pending.
    pub(super) fn watermark(&self) -> Option<Timestamp> {
        self.listed.filter(|_| self.pending.is_empty())
    }

    fn open_mut(&mut self, pipeline: &PipelineObservation) -> &mut OpenPipeline {
        let open = self.open.entry(pipeline.id);
        open.or_insert_with(|| OpenPipeline::new(pipeline.clone()))
    }
}

impl OpenPipeline {
    fn new(pipeline: PipelineObservation) -> Self {
        Self {
            pipeline,
            family: Family::default(),
            settled_readings: 0,
            waiting_cycles: 0,
        }
    }

    /// Whether the pipeline has ended and all its unended children wait for a user.
    fn waits_for_user(&self) -> bool {
        !may_move_on(self.pipeline.status) && !self.family.is_open() && self.family.has_unended()
    }

    /// Counts a cycle; returns whether the pipeline is read in it.
    fn begin_cycle(&mut self) -> bool {
        if !self.waits_for_user() {
            return true;
        }
        self.waiting_cycles += 1;
        self.waiting_cycles.is_power_of_two()
    }
}

#[cfg(test)]
mod tests;
