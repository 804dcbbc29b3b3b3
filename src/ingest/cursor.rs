//! What was read of a project so far, and what therefore is to be read next: pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::children::Family;
use crate::model::{PipelineObservation, Status, Timestamp};

/// By which a listing overlaps what was listed before: rows become visible after they are stamped
/// (commit, replica lag).
pub const LISTING_OVERLAP: Duration = Duration::from_secs(OVERLAP.unsigned_abs());

/// Seconds of [`LISTING_OVERLAP`].
const OVERLAP: i64 = 5 * 60;

/// Where polling of a project left off.
#[derive(Debug, Clone, Default)]
pub struct Resume {
    /// Up to when everything was observed; `None` for a project seen for the first time.
    pub watermark: Option<Timestamp>,
    /// Refs of which something is known: only others are backfilled.
    pub known_refs: BTreeSet<Arc<str>>,
    /// Pipelines that had not ended.
    pub open: Vec<PipelineObservation>,
}

/// In how many cycles a pipeline of which only children wait for somebody may come to its turn, which it
/// does ever more seldom; then it is read no more. Hours where much goes on, days where nothing does.
const LONGEST_REST: u32 = 2048;

/// How often, and for how many seconds, a pipeline is tried in vain before it is given up.
const TRIES: u32 = 8;
const TRIED_FOR: i64 = 6 * 60 * 60;

/// How a pipeline was seen: nothing has happened to it unless this changes.
pub(super) type Sight = (Option<Timestamp>, Status);

/// What was read of a project so far.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// The latest `updated_at` that was listed.
    listed: Option<Timestamp>,
    /// Whether refs of which nothing is known are still to be backfilled.
    backfill: bool,
    /// See [`Resume::known_refs`].
    known_refs: BTreeSet<Arc<str>>,
    /// The last sight of pipelines whose jobs were read: nothing to do unless these move.
    read: HashMap<u64, Sight>,
    /// Pipelines whose jobs may move without the pipeline moving.
    open: BTreeMap<u64, Open>,
    /// Pipelines whose jobs could not be read yet.
    owed: BTreeMap<u64, Owed>,
    /// Whether the last listing brought anything to read.
    moved: bool,
}

/// A pipeline that had not ended when it was last seen, or a child of which had not.
#[derive(Debug)]
struct Open {
    pipeline: PipelineObservation,
    /// How often in a row its jobs were found with nothing left to happen.
    settled: u32,
    family: Family,
    /// For how many cycles nothing has moved but by somebody's doing.
    rested: u32,
}

/// A pipeline whose jobs could not be read yet.
#[derive(Debug)]
struct Owed {
    pipeline: PipelineObservation,
    /// How often it was tried in vain.
    tries: u32,
    /// When it was tried in vain for the first time.
    since: Option<Timestamp>,
}

/// The pipelines whose jobs are to be read.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Those that moved or may have, oldest first.
    pub(super) fresh: Vec<PipelineObservation>,
    /// Those that could not be read the last time, oldest first.
    pub(super) again: Vec<PipelineObservation>,
}

impl Cursor {
    pub(super) fn new(resume: Resume) -> Self {
        Self {
            listed: resume.watermark,
            // Also after a restart: another ref may be watched now than before.
            backfill: true,
            known_refs: resume.known_refs,
            open: resume
                .open
                .into_iter()
                .map(|pipeline| (pipeline.id, Open::new(pipeline)))
                .collect(),
            ..Self::default()
        }
    }

    /// Something else is watched of the project from now on.
    pub(super) fn rescope(&mut self, is_watched: impl Fn(&str) -> bool) {
        // What was not watched for a while was not listed either.
        self.known_refs.clear();
        self.backfill = true;
        self.open
            .retain(|_, open| is_watched(&open.pipeline.ref_name));
        self.owed
            .retain(|_, owed| is_watched(&owed.pipeline.ref_name));
    }

    /// Whether the last pipelines are to be listed, whenever they moved: of new refs, or because nothing
    /// was ever listed.
    pub(super) fn wants_backfill(&self) -> bool {
        self.backfill || self.listed.is_none()
    }

    /// Whether nothing is known of a ref.
    pub(super) fn is_new(&self, ref_name: &str) -> bool {
        !self.known_refs.contains(ref_name)
    }

    /// From when on pipelines are to be listed; `None` where nothing was listed yet.
    pub(super) fn updated_after(&self) -> Option<Timestamp> {
        Timestamp::from_unix(self.listed?.unix() - OVERLAP)
    }

    /// Whether a pipeline was not seen to end.
    pub(super) fn is_open(&self, id: u64) -> bool {
        self.open.contains_key(&id)
    }

    /// A pipeline that was not seen to end, by its own id or that of a child that was not.
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
    ) -> Wanted {
        let failed_before = std::mem::take(&mut self.owed);
        let failed = failed_before.iter();
        let mut wanted: BTreeMap<u64, _> = failed
            .map(|(id, owed)| (*id, owed.pipeline.clone()))
            .collect();
        self.open.retain(|_, open| open.rested < LONGEST_REST);
        let due = self.open.iter_mut().filter_map(|(id, open)| {
            let is_due = open.is_due();
            is_due.then(|| (*id, open.pipeline.clone()))
        });
        wanted.extend(due);
        let mut still_listed = HashMap::with_capacity(listing.len());
        for pipeline in listing {
            let sight = (pipeline.updated_at, pipeline.status);
            if self.read.get(&pipeline.id) == Some(&sight) {
                still_listed.insert(pipeline.id, sight);
            } else {
                wanted.insert(pipeline.id, pipeline);
            }
        }
        // What is not listed any more will only be listed again after it has moved.
        self.read = still_listed;
        self.listed = self.listed.max(latest);
        // Without anything listed yet there is no time to ask from: the last ones are listed again.
        self.backfill = self.listed.is_none();
        self.moved = wanted.keys().any(|id| !self.rests(*id));
        let mut sorted = Wanted::default();
        for (id, pipeline) in wanted {
            let failed = failed_before.get(&id);
            let owed = Owed {
                pipeline: pipeline.clone(),
                tries: failed.map_or(0, |failed| failed.tries),
                since: failed.and_then(|failed| failed.since),
            };
            self.owed.insert(id, owed);
            if failed.is_some() {
                sorted.again.push(pipeline);
            } else {
                sorted.fresh.push(pipeline);
            }
        }
        sorted
    }

    /// The jobs of a pipeline were read; `settled` if nothing is left to happen to any of them.
    ///
    /// Returns whether GitLab is to be asked for the pipeline itself: an end that no listing shows.
    pub(super) fn done(&mut self, pipeline: &PipelineObservation, settled: bool) -> bool {
        self.owed.remove(&pipeline.id);
        let sight = (pipeline.updated_at, pipeline.status);
        self.read.insert(pipeline.id, sight);
        let ended = !may_move_on(pipeline.status);
        if ended && !self.family(pipeline.id).has_unended() {
            self.open.remove(&pipeline.id);
            return false;
        }
        let open = self
            .open
            .entry(pipeline.id)
            .or_insert_with(|| Open::new(pipeline.clone()));
        open.pipeline = pipeline.clone();
        if ended {
            return false;
        }
        open.settled = if settled { open.settled + 1 } else { 0 };
        // A pipeline's status lags its jobs' a little; it is asked for ever more seldom.
        open.settled > 1 && open.settled.is_power_of_two()
    }

    /// What is known of a pipeline's children.
    pub(super) fn family(&self, id: u64) -> Family {
        let open = self.open.get(&id);
        open.map(|open| open.family.clone()).unwrap_or_default()
    }

    /// The children of a pipeline were read: while one has not ended, the pipeline is read again,
    /// whatever became of itself.
    pub(super) fn keep_family(&mut self, pipeline: &PipelineObservation, family: Family) {
        if may_move_on(pipeline.status) || family.has_unended() {
            let open = self.open.entry(pipeline.id);
            let open = open.or_insert_with(|| Open::new(pipeline.clone()));
            if open.family != family {
                open.rested = 0;
            }
            open.family = family;
        } else {
            self.open.remove(&pipeline.id);
        }
    }

    /// The jobs of a pipeline could not be read, for a reason of its own. Returns whether it is given up.
    pub(super) fn failed(&mut self, id: u64, now: Timestamp) -> bool {
        let Some(owed) = self.owed.get_mut(&id) else {
            return false;
        };
        owed.tries += 1;
        let since = *owed.since.get_or_insert(now);
        if owed.tries < TRIES || now.unix() - since.unix() < TRIED_FOR {
            return false;
        }
        let sight = (owed.pipeline.updated_at, owed.pipeline.status);
        self.gone(id);
        // It is tried again when it moves.
        self.read.insert(id, sight);
        true
    }

    /// GitLab does not know a pipeline any more.
    pub(super) fn gone(&mut self, id: u64) {
        self.owed.remove(&id);
        self.open.remove(&id);
        self.read.remove(&id);
    }

    /// Whether something is going on in the project.
    pub(super) fn is_active(&self) -> bool {
        let mut open = self.open.values();
        self.moved || open.any(|open| !open.rests()) || !self.owed.is_empty()
    }

    fn rests(&self, id: u64) -> bool {
        self.open.get(&id).is_some_and(Open::rests)
    }

    /// Up to when everything was read; `None` while something is owed.
    pub(super) fn watermark(&self) -> Option<Timestamp> {
        self.listed.filter(|_| self.owed.is_empty())
    }
}

impl Open {
    fn new(pipeline: PipelineObservation) -> Self {
        Self {
            pipeline,
            settled: 0,
            family: Family::default(),
            rested: 0,
        }
    }

    /// Whether only children are left, which wait for somebody.
    fn rests(&self) -> bool {
        !may_move_on(self.pipeline.status) && !self.family.is_open() && self.family.has_unended()
    }

    /// Whether it is to be read in this cycle.
    fn is_due(&mut self) -> bool {
        if !self.rests() {
            return true;
        }
        self.rested += 1;
        self.rested.is_power_of_two()
    }
}

/// Whether jobs of such a pipeline run, end or start without the pipeline's own status moving.
/// A blocked one waits for somebody, whose doing moves it, though not its parent.
pub(super) fn may_move_on(status: Status) -> bool {
    !is_settled(status)
}

/// Whether nothing happens to a job or pipeline of this status any more unless somebody starts it.
pub(super) fn is_settled(status: Status) -> bool {
    status.is_terminal() || status == Status::Blocked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(id: u64, status: Status, updated_at: i64) -> PipelineObservation {
        PipelineObservation {
            id,
            ref_name: "main".into(),
            sha: "abc".into(),
            status,
            source: None,
            created_at: None,
            updated_at: Timestamp::from_unix(updated_at),
            duration: None,
            web_url: None,
        }
    }

    fn ids(wanted: &Wanted) -> Vec<u64> {
        let all = wanted.fresh.iter().chain(&wanted.again);
        all.map(|pipeline| pipeline.id).collect()
    }

    const NONE: [u64; 0] = [];

    impl Family {
        /// A child waits for somebody.
        fn waiting(child: u64) -> Self {
            Self::with_unended(child, (None, Status::Blocked))
        }
    }

    /// One cycle in which all wanted pipelines are read.
    fn cycle(cursor: &mut Cursor, listing: &[PipelineObservation]) -> Vec<u64> {
        let latest = listing.iter().filter_map(|p| p.updated_at).max();
        let wanted = cursor.take_listing(listing.to_vec(), latest);
        for pipeline in wanted.fresh.iter().chain(&wanted.again) {
            cursor.done(pipeline, false);
        }
        ids(&wanted)
    }

    #[test]
    fn a_finished_pipeline_is_read_once_although_listings_overlap() {
        let mut cursor = Cursor::default();
        assert_eq!(cursor.updated_after(), None);
        let seen = [
            pipeline(2, Status::Success, 2000),
            pipeline(1, Status::Failed, 1000),
        ];
        assert_eq!(cycle(&mut cursor, &seen), [1, 2]);
        assert_eq!(cursor.updated_after(), Timestamp::from_unix(2000 - OVERLAP));
        assert_eq!(cycle(&mut cursor, &seen[..1]), NONE);
        assert_eq!(cycle(&mut cursor, &seen[..1]), NONE);
        assert_eq!(cursor.watermark(), Timestamp::from_unix(2000));
    }

    #[test]
    fn a_project_without_pipelines_is_listed_whole_until_it_has_one() {
        let mut cursor = Cursor::new(Resume::default());
        assert_eq!(cycle(&mut cursor, &[]), NONE);
        assert!(cursor.wants_backfill());
        let first = [pipeline(1, Status::Success, 1000)];
        assert_eq!(cycle(&mut cursor, &first), [1]);
        assert!(!cursor.wants_backfill());
        assert!(cursor.updated_after().is_some());
    }

    #[test]
    fn a_running_pipeline_is_read_every_cycle_and_once_more_when_it_has_ended() {
        let mut cursor = Cursor::default();
        assert_eq!(
            cycle(&mut cursor, &[pipeline(1, Status::Running, 1000)]),
            [1]
        );
        assert!(cursor.is_active());
        assert_eq!(cycle(&mut cursor, &[]), [1]);
        assert_eq!(
            cycle(&mut cursor, &[pipeline(1, Status::Success, 3000)]),
            [1]
        );
        assert_eq!(
            cycle(&mut cursor, &[pipeline(1, Status::Success, 3000)]),
            NONE
        );
        assert!(!cursor.is_active());
        assert_eq!(
            cycle(&mut cursor, &[pipeline(1, Status::Running, 4000)]),
            [1]
        );
    }

    #[test]
    fn a_blocked_pipeline_is_read_when_it_moves() {
        let mut cursor = Cursor::default();
        let blocked = [pipeline(1, Status::Blocked, 1000)];
        assert_eq!(cycle(&mut cursor, &blocked), [1]);
        assert_eq!(cycle(&mut cursor, &blocked), NONE);
    }

    #[test]
    fn what_could_not_be_read_is_owed_and_holds_the_watermark_back() {
        let mut cursor = Cursor::default();
        let listing = vec![
            pipeline(1, Status::Failed, 1000),
            pipeline(2, Status::Failed, 1001),
        ];
        let wanted = cursor.take_listing(listing, Timestamp::from_unix(1001));
        cursor.done(&wanted.fresh[1], false);
        assert_eq!(cursor.watermark(), None);
        assert_eq!(cycle(&mut cursor, &[]), [1]);
        assert_eq!(cursor.watermark(), Timestamp::from_unix(1001));
    }

    #[test]
    fn what_cannot_be_read_for_hours_is_given_up_until_it_moves() {
        let mut cursor = Cursor::default();
        let listing = [pipeline(1, Status::Failed, 1000)];
        let at = |hour: i64| Timestamp::from_unix(2000 + hour * 60 * 60).unwrap();
        let mut try_at = |hour| {
            let wanted = cursor.take_listing(listing.to_vec(), Timestamp::from_unix(1000));
            assert_eq!(ids(&wanted), [1]);
            cursor.failed(1, at(hour))
        };
        let many_at_once = (0..3 * TRIES).any(|_| try_at(0));
        assert!(!many_at_once);
        assert!(!try_at(5));
        assert!(try_at(6));
        assert_eq!(cursor.watermark(), Timestamp::from_unix(1000));
        assert_eq!(cycle(&mut cursor, &listing), NONE);
        assert_eq!(
            cycle(&mut cursor, &[pipeline(1, Status::Failed, 3000)]),
            [1]
        );
    }

    #[test]
    fn a_pipeline_whose_child_waits_for_somebody_is_read_ever_more_seldom_and_then_no_more() {
        let mut cursor = Cursor::default();
        let parent = pipeline(1, Status::Success, 1000);
        let mut listing = vec![parent.clone()];
        let mut read = Vec::new();
        for number in 0..2 * LONGEST_REST {
            let wanted = cursor.take_listing(std::mem::take(&mut listing), None);
            if !ids(&wanted).is_empty() {
                read.push(number);
                cursor.done(&parent, true);
                cursor.keep_family(&parent, Family::waiting(2));
            }
            assert!(cursor.is_active() || number > 0);
        }
        assert_eq!(read[..6], [0, 1, 2, 4, 8, 16]);
        assert_eq!(read.len(), 13, "{read:?}");
        assert!(!cursor.is_active() && !cursor.is_open(1));
    }

    #[test]
    fn a_pipeline_is_found_by_a_child_that_waits_and_let_go_when_that_has_ended() {
        let mut cursor = Cursor::default();
        let parent = pipeline(1, Status::Success, 1000);
        cursor.keep_family(&parent, Family::waiting(2));
        assert_eq!(cursor.open(2), Some(parent.clone()));
        cursor.done(&parent, true);
        cursor.keep_family(&parent, Family::default());
        assert_eq!((cursor.open(1), cursor.open(2)), (None, None));
    }

    #[test]
    fn a_pipeline_that_is_gone_is_not_asked_for_again() {
        let mut cursor = Cursor::new(Resume {
            watermark: Timestamp::from_unix(1000),
            known_refs: BTreeSet::new(),
            open: vec![pipeline(1, Status::Running, 900)],
        });
        assert_eq!(ids(&cursor.take_listing(vec![], None)), [1]);
        cursor.gone(1);
        assert_eq!(cycle(&mut cursor, &[]), NONE);
        assert!(!cursor.is_active());
    }

    #[test]
    fn what_failed_the_last_time_comes_after_what_is_new() {
        let mut cursor = Cursor::default();
        let wanted = cursor.take_listing(vec![pipeline(1, Status::Failed, 1000)], None);
        assert_eq!(ids(&wanted), [1]);
        let wanted = cursor.take_listing(vec![pipeline(2, Status::Failed, 1001)], None);
        assert_eq!(ids(&wanted), [2, 1]);
        assert_eq!(wanted.again.len(), 1);
    }

    #[test]
    fn a_pipeline_whose_jobs_have_ended_is_asked_for_itself_ever_more_seldom() {
        let mut cursor = Cursor::default();
        let running = pipeline(1, Status::Running, 1000);
        let asked: Vec<bool> = (0..8).map(|_| cursor.done(&running, true)).collect();
        assert_eq!(asked, [false, true, false, true, false, false, false, true]);
        assert!(!cursor.done(&pipeline(1, Status::Success, 1000), true));
        assert!(!cursor.is_open(1));
    }

    #[test]
    fn another_scope_is_backfilled_and_what_it_leaves_out_is_not_asked_for() {
        let mut cursor = Cursor::new(Resume {
            watermark: Timestamp::from_unix(1000),
            known_refs: BTreeSet::from(["main".into()]),
            open: vec![],
        });
        assert!(cursor.wants_backfill() && cursor.is_new("next") && !cursor.is_new("main"));
        assert_eq!(
            cycle(&mut cursor, &[pipeline(1, Status::Running, 1000)]),
            [1]
        );
        assert!(!cursor.wants_backfill());
        cursor.rescope(|ref_name| ref_name != "main");
        assert!(cursor.wants_backfill() && cursor.is_new("main"));
        assert_eq!(cycle(&mut cursor, &[]), NONE);
    }
}
