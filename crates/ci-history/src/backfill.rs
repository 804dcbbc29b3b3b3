//! Replaces saved histories by histories that a backfill read from further back.

use super::history::History;
use super::timeline::Timeline;
use super::{Outcome, Rules};

impl Timeline {
    /// Replaces each history by the backfilled one unless its own is more complete. The backfill has no gap
    /// between its beginning and now. Returns whether any own history stayed.
    pub fn merge_backfill(&mut self, backfill: Self, rules: &Rules) -> bool {
        self.newest_finished = self.newest_finished.max(backfill.newest_finished);
        self.finished.merge(&backfill.finished);
        let mut own_stays = false;
        if (self.pipelines).is_more_complete_than(&backfill.pipelines, rules) {
            own_stays = true;
        } else {
            self.pipelines = backfill.pipelines;
        }
        for (name, mut job) in backfill.jobs {
            match self.jobs.get_mut(&name) {
                Some(own) if own.history.is_more_complete_than(&job.history, rules) => {
                    own_stays = true;
                    own.merge_sources(&job);
                }
                own => {
                    if let Some(own) = own {
                        job.merge_sources(own);
                    }
                    self.jobs.insert(name, job);
                }
            }
        }
        own_stays
    }

    /// Whether the timeline has no pipelines: it is empty or only imported.
    pub fn is_bare(&self) -> bool {
        self.pipelines.kept.is_empty() && self.pipelines.baseline.settled_through == 0
    }
}

impl History {
    /// Whether the history covers a time before the first execution of the backfill.
    fn is_more_complete_than(&self, backfill: &Self, rules: &Rules) -> bool {
        if !self.imported().is_empty() {
            return true;
        }
        let (own, theirs) = (self.figures(rules, None), backfill.figures(rules, None));
        let count = |outcome| theirs.executions.get(outcome);
        let never_passed = count(Outcome::Passed) + count(Outcome::AllowedFailure) == 0;
        // A backfill that ends within a streak must not shorten it.
        if never_passed && own.consecutive_failures > theirs.consecutive_failures {
            return true;
        }
        match (self.first_seen, backfill.first_seen) {
            // With the same beginning, a history with a gap has counted less. A history that saw executions
            // change their outcome has counted more, and its counters must not go back.
            (Some(own_first), Some(first)) if own_first == first => {
                own.executions.total() >= theirs.executions.total()
            }
            (Some(own_first), Some(first)) => own_first < first,
            (own_first, _) => own_first.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{JobObservation, PipelineObservation, Status, TimelineKey, Timestamp};
    use super::*;

    fn observe(timeline: &mut Timeline, id: u64, status: Status) {
        let at = Timestamp::from_unix(1_000_000 + i64::try_from(id).unwrap() * 60);
        let pipeline = PipelineObservation {
            id,
            ref_name: "main".into(),
            tag: false,
            sha: format!("c{id}").into(),
            status,
            source: None,
            created_at: at,
            updated_at: at,
            duration: None,
            failure_reason: None,
            has_other_jobs: false,
            web_url: None,
            commit_info: None,
            is_partial: false,
        };
        let job = JobObservation {
            id: id * 10,
            name: "build".into(),
            stage: "test".into(),
            tags: "".into(),
            status,
            allow_failure: false,
            created_at: at,
            started_at: at,
            finished_at: at,
            duration: None,
            queued_duration: None,
            moved_at: None,
            failure_reason: None,
            web_url: None,
        };
        let now = at.unwrap();
        timeline.observe(&pipeline, &[job], &Rules::default(), now);
    }

    /// Every seventh pipeline passes.
    fn counted(ids: impl IntoIterator<Item = u64>) -> Timeline {
        let key = TimelineKey::new(7, "main");
        let mut timeline = Timeline::new(key, "a/b".into(), None);
        for id in ids {
            let status = if id % 7 == 0 {
                Status::Success
            } else {
                Status::Failed
            };
            observe(&mut timeline, id, status);
        }
        timeline
    }

    #[test]
    fn a_backfill_replaces_histories_that_begin_later_or_have_a_gap() {
        let whole = counted(1..=100);
        for mut own in [counted(60..=100), counted((1..=20).chain(60..=100))] {
            assert!(!own.merge_backfill(whole.clone(), &Rules::default()));
            assert_eq!(own, whole);
        }
    }

    #[test]
    fn a_history_that_reaches_further_back_stays() {
        let whole = counted(1..=100);
        let mut own = whole.clone();
        assert!(own.merge_backfill(counted(60..=100), &Rules::default()));
        assert_eq!(own, whole);
    }

    #[test]
    fn an_imported_history_and_its_streak_stay() {
        let rules = Rules::default();
        let mut own = counted([]);
        let entries = (0..10).map(|id| (Some(id), true, None)).collect();
        own.import_job("build".into(), 50, 40, entries, &rules);
        assert!(own.is_bare());
        let mut read = counted([]);
        for id in 45..=100 {
            observe(&mut read, id, Status::Failed);
        }
        for id in 51..=100 {
            observe(&mut own, id, Status::Failed);
        }
        assert!(own.merge_backfill(read, &rules));
        assert_eq!(
            own.row("build", &rules)
                .unwrap()
                .figures
                .consecutive_failures,
            90
        );
    }
}
