//! What was read of a project so far, and what therefore is to be read next: pure.

use std::collections::{BTreeMap, HashMap};

use crate::model::{PipelineObservation, Status, Timestamp};

/// Seconds by which a listing overlaps what was listed before: rows become visible after they are
/// stamped (commit, replica lag).
const OVERLAP: i64 = 5 * 60;

/// Where polling of a project left off.
#[derive(Debug, Clone, Default)]
pub struct Resume {
    /// Up to when everything was observed; `None` for a project seen for the first time.
    pub watermark: Option<Timestamp>,
    /// Pipelines that had not ended.
    pub open: Vec<PipelineObservation>,
}

/// What was read of a project so far.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// The latest `updated_at` that was listed.
    listed: Option<Timestamp>,
    /// The last sight of pipelines whose jobs were read: nothing to do unless these move.
    read: HashMap<u64, (Option<Timestamp>, Status)>,
    /// Pipelines whose jobs may move without the pipeline moving.
    open: BTreeMap<u64, PipelineObservation>,
    /// Pipelines whose jobs could not be read yet.
    owed: BTreeMap<u64, PipelineObservation>,
    /// Whether the last listing brought anything to read.
    moved: bool,
}

impl Cursor {
    pub(super) fn new(resume: Resume) -> Self {
        Self {
            listed: resume.watermark,
            open: resume.open.into_iter().map(|p| (p.id, p)).collect(),
            ..Self::default()
        }
    }

    /// From when on pipelines are to be listed; `None` for the first time.
    pub(super) fn updated_after(&self) -> Option<Timestamp> {
        Timestamp::from_unix(self.listed?.unix() - OVERLAP)
    }

    /// Takes a listing; returns the pipelines whose jobs are to be read, oldest first.
    pub(super) fn take_listing(
        &mut self,
        listing: Vec<PipelineObservation>,
        latest: Option<Timestamp>,
    ) -> Vec<PipelineObservation> {
        let mut wanted = std::mem::take(&mut self.owed);
        wanted.extend(self.open.iter().map(|(id, p)| (*id, p.clone())));
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
        self.moved = !wanted.is_empty();
        self.owed = wanted;
        self.owed.values().cloned().collect()
    }

    /// The jobs of a pipeline were read.
    pub(super) fn done(&mut self, pipeline: &PipelineObservation) {
        self.owed.remove(&pipeline.id);
        let sight = (pipeline.updated_at, pipeline.status);
        self.read.insert(pipeline.id, sight);
        if may_move_on(pipeline.status) {
            self.open.insert(pipeline.id, pipeline.clone());
        } else {
            self.open.remove(&pipeline.id);
        }
    }

    /// GitLab does not know a pipeline any more.
    pub(super) fn gone(&mut self, id: u64) {
        self.owed.remove(&id);
        self.open.remove(&id);
    }

    /// Whether something is going on in the project.
    pub(super) fn is_active(&self) -> bool {
        self.moved || !self.open.is_empty() || !self.owed.is_empty()
    }

    /// Up to when everything was read; `None` while something is owed.
    pub(super) fn watermark(&self) -> Option<Timestamp> {
        self.listed.filter(|_| self.owed.is_empty())
    }
}

/// Whether jobs of such a pipeline run, end or start without the pipeline's own status moving.
/// A blocked one waits for somebody, whose doing moves it.
fn may_move_on(status: Status) -> bool {
    !status.is_terminal() && status != Status::Blocked
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

    fn ids(wanted: &[PipelineObservation]) -> Vec<u64> {
        wanted.iter().map(|pipeline| pipeline.id).collect()
    }

    const NONE: [u64; 0] = [];

    /// One cycle in which all wanted pipelines are read.
    fn cycle(cursor: &mut Cursor, listing: &[PipelineObservation]) -> Vec<u64> {
        let latest = listing.iter().filter_map(|p| p.updated_at).max();
        let wanted = cursor.take_listing(listing.to_vec(), latest);
        for pipeline in &wanted {
            cursor.done(pipeline);
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
        cursor.done(&wanted[1]);
        assert_eq!(cursor.watermark(), None);
        assert_eq!(cycle(&mut cursor, &[]), [1]);
        assert_eq!(cursor.watermark(), Timestamp::from_unix(1001));
    }

    #[test]
    fn a_pipeline_that_is_gone_is_not_asked_for_again() {
        let mut cursor = Cursor::new(Resume {
            watermark: Timestamp::from_unix(1000),
            open: vec![pipeline(1, Status::Running, 900)],
        });
        assert_eq!(ids(&cursor.take_listing(vec![], None)), [1]);
        cursor.gone(1);
        assert_eq!(cycle(&mut cursor, &[]), NONE);
        assert!(!cursor.is_active());
    }
}
