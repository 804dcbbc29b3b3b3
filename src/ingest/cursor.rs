//! What was read of a project, and what is to be read next. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::events::Resume;
use super::family::{Family, ReadChildren};
use super::open::{OpenPipelines, Unfinished};
use super::pending::{PendingReads, ReadPlan};
use super::sight::{ReadJobs, Sight, may_move_on, sight_of};
use crate::base::poll_sights::PollSights;
use crate::gitlab::MovedChild;
use ci_history::{PipelineObservation, Timestamp};

/// How far a listing reaches back into the one before: rows become visible some time after they are stamped
/// (commit, replica lag).
pub const LISTING_OVERLAP: Duration = Duration::from_secs(OVERLAP.unsigned_abs());

/// Seconds of [`LISTING_OVERLAP`].
const OVERLAP: i64 = 5 * 60;

/// Pipelines of each default branch that the first look at a project reads: a window of the usual size.
pub(super) const NEWEST: usize = 10;

/// Ended pipelines that a later process is told of. Those that it is not told of it reads once more.
const MOST_ENDED: usize = 200;

/// With more pipelines that are read again, a later process begins with a listing of its own.
const MOST_OPEN: usize = 100;

/// Pipelines as they were listed.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// The watched ones.
    pub(super) pipelines: Vec<PipelineObservation>,
    /// The latest `updated_at` of all.
    pub(super) latest: Option<Timestamp>,
    /// From when on all that moved are listed, where that is later than [`PollCursor::updated_after`].
    pub(super) since: Option<Timestamp>,
}

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
    open: OpenPipelines,
    pending: PendingReads,
    /// Pipelines to be read once the newest ones of every project were. Boxed as the open ones.
    past: BTreeMap<u64, Box<PipelineObservation>>,
    /// Sights of the pipelines of the first look, which are to be read again with the past.
    looked_at: HashMap<u64, Sight>,
    /// Whether the last listing brought anything to read.
    moved: bool,
    /// Whether new refs were not looked for since the start, because an earlier process had done so.
    resumed: bool,
    /// Sights of the child pipelines that the last sweep told of.
    children: HashMap<u64, Sight>,
    read_children: ReadChildren,
}

impl PollCursor {
    pub(super) fn new(resume: Resume, now: Timestamp) -> Self {
        let resumed = resume.sights.is_some();
        let ended = resume.sights.map(|it| it.ended).unwrap_or_default();
        let ended = ended.into_iter();
        Self {
            listed: resume.watermark,
            // After a restart, too: the configuration may watch other refs than before.
            backfill: !resumed,
            resumed,
            read: ended
                .map(|(id, (moved, status))| (id, (Some(moved), status)))
                .collect(),
            known_refs: resume.known_refs,
            open: OpenPipelines::resumed(resume.open, now),
            ..Self::default()
        }
    }

    /// The default branch has another name. Its open pipelines count there from now on.
    pub(super) fn rename_ref(&mut self, from: &str, to: &Arc<str>) {
        self.open.rename_ref(from, to);
    }

    /// From now on other refs of the project are watched.
    pub(super) fn rescope(&mut self, is_watched: impl Fn(&str) -> bool) {
        // A ref that was not watched for a while was not listed either.
        self.known_refs.clear();
        self.resumed = false;
        self.backfill = true;
        self.open.retain_refs(&is_watched);
        self.past.retain(|_, it| is_watched(&it.ref_name));
        self.pending.retain_refs(is_watched);
    }

    /// The histories of these refs were lost: they are read like new ones.
    pub(super) fn read_back(&mut self, refs: &BTreeSet<Arc<str>>) {
        let stays = |ref_name: &str| !refs.contains(ref_name);
        self.known_refs.retain(|name| stays(name));
        self.resumed = false;
        self.backfill = true;
        self.read.clear();
        self.open.retain_refs(stays);
        self.past.retain(|_, it| stays(&it.ref_name));
        self.pending.retain_refs(stays);
    }

    /// Whether to list the newest pipelines, whenever they moved: of new refs, or because nothing was ever
    /// listed.
    pub(super) fn wants_backfill(&self) -> bool {
        self.backfill || self.listed.is_none()
    }

    /// A listing brought a ref without a history, for the first time since an earlier process looked for such refs: it may
    /// have known and forgotten this one. Returns whether to list the newest pipelines of such refs.
    pub(super) fn meets_new_ref<'a>(&mut self, mut listed: impl Iterator<Item = &'a str>) -> bool {
        if !self.resumed || !listed.any(|ref_name| self.is_new(ref_name)) {
            return false;
        }
        self.resumed = false;
        self.backfill = true;
        true
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
        self.open.contains(id)
    }

    /// Whether polling has read a pipeline, or is to read it.
    pub(super) fn knows(&self, id: u64) -> bool {
        let is_to_be_read = self.pending.include(id) || self.past.contains_key(&id);
        self.is_open(id) || self.read.contains_key(&id) || is_to_be_read
    }

    /// Whether polling has met a pipeline as it is now.
    pub(super) fn has_seen(&self, pipeline: &PipelineObservation) -> bool {
        let (id, sight) = (pipeline.id, sight_of(pipeline));
        let is_it = |other: &PipelineObservation| other.id == id && sight_of(other) == sight;
        self.read.get(&id) == Some(&sight)
            || self.open.find(id).is_some_and(|open| is_it(&open))
            || self.past.get(&id).is_some_and(|it| is_it(it))
            || self.pending.has_seen(pipeline)
    }

    /// A pipeline that was not seen to end, by its own id or the id of a child.
    pub(super) fn open(&self, id: u64) -> Option<PipelineObservation> {
        let parent = || self.open.find(self.parent_of(id)?.0);
        self.open.find(id).or_else(parent)
    }

    /// Takes a listing; returns the pipelines whose jobs are to be read.
    pub(super) fn take_listing(&mut self, listing: Listed, now: Timestamp) -> ReadPlan {
        let Listed {
            pipelines,
            latest,
            since,
        } = listing;
        let pending = self.pending.pipelines();
        let mut wanted: BTreeMap<u64, _> = pending.map(|it| (it.id, it.clone())).collect();
        let due = self.open.take_due(now).into_iter();
        wanted.extend(due.map(|pipeline| (pipeline.id, pipeline)));
        let mut still_listed = HashMap::with_capacity(pipelines.len());
        self.moved = false;
        for pipeline in pipelines {
            let sight = sight_of(&pipeline);
            if self.read.get(&pipeline.id) == Some(&sight) {
                still_listed.insert(pipeline.id, sight);
            } else if (self.past.get(&pipeline.id)).is_none_or(|it| sight_of(it) != sight) {
                self.past.remove(&pipeline.id);
                self.moved |= !self.pending.has_seen(&pipeline);
                wanted.insert(pipeline.id, pipeline);
            }
        }
        self.listed = self.listed.max(latest);
        // A pipeline that is no longer listed has to move before it is listed again, unless this listing reached less far
        // back than the next one may.
        let reach = self.updated_after();
        self.read.retain(|_, (updated_at, _)| {
            since.is_some_and(|since| *updated_at < Some(since)) && *updated_at >= reach
        });
        self.read.extend(still_listed);
        // While nothing was ever listed there is no time to list from: the newest are listed again.
        self.backfill = self.listed.is_none();
        self.pending.replace(wanted, now)
    }

    /// Takes the child pipelines that a sweep told of. Returns the pipelines to read because of them: those that have ended, so
    /// that nobody looks at their children any more.
    pub(super) fn take_children(&mut self, children: &[MovedChild]) -> BTreeSet<u64> {
        let sight = |child: &MovedChild| (Some(child.updated_at), child.status);
        let news = children
            .iter()
            .filter(|child| self.children.get(&child.id) != Some(&sight(child)))
            .filter(|child| !self.open.contains(child.root) && !self.pending.include(child.root));
        let roots = news.map(|child| child.root).collect();
        let sights = children.iter().map(|child| (child.id, sight(child)));
        self.children = sights.collect();
        roots
    }

    /// A pipeline that [`Self::take_children`] returned could not be read. The next sweep tells of its children again.
    pub(super) fn children_not_read(&mut self) {
        self.children.clear();
    }

    /// A pipeline was seen by the first look.
    pub(super) fn looked_at(&mut self, pipeline: &PipelineObservation) {
        self.looked_at.insert(pipeline.id, sight_of(pipeline));
    }

    /// Puts off what a first listing brought, but for the newest pipelines of the first ref, which the first look may have
    /// shown already, and for all that go on.
    pub(super) fn put_off_past(&mut self, plan: ReadPlan, first_ref: Option<&str>) -> ReadPlan {
        let looked_at = std::mem::take(&mut self.looked_at);
        let mut fresh = Vec::new();
        let mut of_first_ref = 0;
        for pipeline in plan.fresh.into_iter().rev() {
            if first_ref.is_none_or(|name| *pipeline.ref_name == *name) {
                of_first_ref += 1;
            } else if !may_move_on(pipeline.status) {
                self.past.insert(pipeline.id, Box::new(pipeline));
                continue;
            }
            let is_shown = looked_at.get(&pipeline.id) == Some(&sight_of(&pipeline));
            if may_move_on(pipeline.status) || (of_first_ref <= NEWEST && !is_shown) {
                fresh.push(pipeline);
            } else {
                self.past.insert(pipeline.id, Box::new(pipeline));
            }
        }
        fresh.reverse();
        for id in self.past.keys() {
            self.pending.remove(*id);
        }
        ReadPlan { fresh, ..plan }
    }

    /// Whether pipelines were put off.
    pub(super) fn has_past(&self) -> bool {
        !self.past.is_empty()
    }

    /// The oldest pipelines that were put off, to be read now. Older ones must not come after newer ones.
    pub(super) fn take_past(&mut self, most: usize) -> Vec<PipelineObservation> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some((_, pipeline)) = self.past.pop_first() else {
                break;
            };
            self.pending.add(PipelineObservation::clone(&pipeline));
            taken.push(*pipeline);
        }
        taken
    }

    /// The pipelines to read again at once: their jobs contradicted their status.
    pub(super) fn take_doubtful(&mut self, now: Timestamp) -> Vec<PipelineObservation> {
        self.open.take_doubtful(now)
    }

    /// Seconds until [`Self::take_doubtful`] has any.
    pub(super) fn doubtful_in(&self, now: Timestamp) -> Option<i64> {
        self.open.doubtful_in(now)
    }

    /// The unfinished pipelines to follow up now, where cycles are rare.
    pub(super) fn take_unfinished(&mut self, now: Timestamp) -> Vec<Unfinished> {
        self.open.take_unfinished(now)
    }

    /// Seconds until [`Self::take_unfinished`] has any.
    pub(super) fn unfinished_in(&self, now: Timestamp) -> Option<i64> {
        self.open.unfinished_in(now)
    }

    /// A pipeline or child should have ended: a webhook told so, or its jobs do.
    pub(super) fn expect_end(&mut self, id: u64) {
        self.open.expect_end(id);
    }

    /// The jobs of a pipeline were read. Returns whether to ask GitLab for the pipeline itself: no listing may
    /// have shown its end.
    pub(super) fn read(
        &mut self,
        pipeline: &PipelineObservation,
        jobs: ReadJobs,
        now: Timestamp,
    ) -> bool {
        self.pending.remove(pipeline.id);
        self.past.remove(&pipeline.id);
        self.read.insert(pipeline.id, sight_of(pipeline));
        self.open.read(pipeline, jobs, now)
    }

    /// What is known of a pipeline's children.
    pub(super) fn family(&self, id: u64) -> Family {
        self.open.family(id)
    }

    /// The children of a pipeline were read. While one has not ended the pipeline is read again, even if it
    /// has ended itself.
    pub(super) fn keep_family(
        &mut self,
        pipeline: &PipelineObservation,
        family: Family,
        now: Timestamp,
    ) {
        self.read_children.note(pipeline.id, &family);
        self.open.keep_family(pipeline, family, now);
    }

    /// The pipeline that a child counts under, and how the child was read last.
    pub(super) fn parent_of(&self, child: u64) -> Option<(u64, Sight)> {
        self.read_children.parent_of(child)
    }

    /// The jobs of a pipeline could not be read, for a reason of its own. Returns whether it fails for so long
    /// that the watermark no longer waits for it.
    pub(super) fn failed(&mut self, id: u64, now: Timestamp) -> bool {
        self.pending.fail(id, now)
    }

    /// GitLab no longer knows a pipeline.
    pub(super) fn removed(&mut self, id: u64) {
        self.pending.remove(id);
        self.past.remove(&id);
        self.open.remove(id);
        self.read.remove(&id);
    }

    /// Whether something is going on in the project.
    pub(super) fn is_active(&self, now: Timestamp) -> bool {
        self.moved || self.open.any_lively(now) || self.pending.holds_watermark()
    }

    /// What a later process can go on from; `None` while something is to be read, or with too many open pipelines.
    /// `asked_at`: all that moved before was listed.
    pub(super) fn sights(&self, asked_at: Timestamp) -> Option<PollSights> {
        let watermark = self.watermark()?;
        let is_settled = self.pending.is_empty() && !self.wants_backfill();
        let open: BTreeSet<u64> = self.open.ids().take(MOST_OPEN + 1).collect();
        if !is_settled || open.len() > MOST_OPEN {
            return None;
        }
        let read = self.read.iter().filter(|(id, _)| !open.contains(id));
        let ended = read.filter_map(|(id, (moved, status))| Some(((*moved)?, *id, *status)));
        let mut ended: Vec<_> = ended.collect();
        ended.sort_unstable_by_key(|(moved, id, _)| (*moved, *id));
        let newest = ended.split_off(ended.len().saturating_sub(MOST_ENDED));
        Some(PollSights {
            asked_at,
            watermark,
            ended: newest
                .into_iter()
                .map(|(moved, id, status)| (id, (moved, status)))
                .collect(),
            open,
            has_no_schedules: false,
        })
    }

    /// Up to when everything was read; `None` while the watermark waits for a pipeline.
    pub(super) fn watermark(&self) -> Option<Timestamp> {
        let is_held = self.pending.holds_watermark() || self.has_past();
        self.listed.filter(|_| !is_held)
    }
}

#[cfg(test)]
mod resumed;
#[cfg(test)]
mod tests;
