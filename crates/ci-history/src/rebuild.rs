//! Histories that were read anew from further back, in place of those that were saved.

use super::history::History;
use super::timeline::Timeline;
use super::{Outcome, Rules};

impl Timeline {
    /// Takes over what was read anew, without a gap from some time on, wherever its own histories do not
    /// reach further back. Returns whether any of its own was preferred.
    pub fn adopt(&mut self, read: Self, rules: &Rules) -> bool {
        self.newest_finished = self.newest_finished.max(read.newest_finished);
        let mut own_stays = false;
        if self.pipelines.reaches_further(&read.pipelines, rules) {
            own_stays = true;
        } else {
            self.pipelines = read.pipelines;
        }
        for (name, job) in read.jobs {
            match self.jobs.get(&name) {
                Some(own) if own.history.reaches_further(&job.history, rules) => own_stays = true,
                _ => {
                    self.jobs.insert(name, job);
                }
            }
        }
        own_stays
    }

    /// Whether no pipeline was observed in it: it is nothing but an import, or empty.
    pub fn is_bare(&self) -> bool {
        self.pipelines.kept.is_empty() && self.pipelines.carried.floor == 0
    }
}

impl History {
    /// Whether it tells of a time before the first execution of `read`.
    fn reaches_further(&self, read: &Self, rules: &Rules) -> bool {
        if !self.imported.is_empty() {
            return true;
        }
        let (own, theirs) = (self.figures(rules, None), read.figures(rules, None));
        let count = |outcome| theirs.executions.get(outcome);
        let never_passed = count(Outcome::Passed) + count(Outcome::AllowedFailure) == 0;
        // The beginning of a streak that was broken off must not come later than it was known to be.
        if never_passed && own.consecutive_failures > theirs.consecutive_failures {
            return true;
        }
        match (self.first_seen, read.first_seen) {
            // Of the same beginning: whoever has a gap has counted less. What has seen executions change
            // has counted more, and its counters must not go back.
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
            sha: format!("c{id}").into(),
            status,
            source: None,
            created_at: at,
            updated_at: at,
            duration: None,
            web_url: None,
        };
        let job = JobObservation {
            id: id * 10,
            name: "build".into(),
            stage: "test".into(),
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
        let key = TimelineKey {
            project_id: 7,
            ref_name: "main".into(),
        };
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
    fn what_begins_later_or_has_a_gap_gives_way_to_what_was_read_anew() {
        let whole = counted(1..=100);
        for mut own in [counted(60..=100), counted((1..=20).chain(60..=100))] {
            assert!(!own.adopt(whole.clone(), &Rules::default()));
            assert_eq!(own, whole);
        }
    }

    #[test]
    fn what_reaches_further_back_stays() {
        let whole = counted(1..=100);
        let mut own = whole.clone();
        assert!(own.adopt(counted(60..=100), &Rules::default()));
        assert_eq!(own, whole);
    }

    #[test]
    fn an_import_stays_and_so_does_the_streak_it_brought() {
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
        assert!(own.adopt(read, &rules));
        assert_eq!(
            own.row("build", &rules)
                .unwrap()
                .figures
                .consecutive_failures,
            90
        );
    }
}
