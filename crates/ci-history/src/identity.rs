//! Whether GitLab still has the pipelines that a timeline knows: ids are reused after GitLab was restored from a backup.

use super::timeline::Timeline;
use super::{PipelineObservation, Timestamp};

/// Two nodes of GitLab may differ so far in their clocks, in seconds.
const MARGIN: i64 = 10 * 60;

impl Timeline {
    /// The known pipeline that a listed one contradicts: another pipeline has its id, or ids start lower again. Whether
    /// GitLab still has the known one is for GitLab to say.
    pub fn contradicted_by(&self, listed: &PipelineObservation) -> Option<PipelineObservation> {
        if let Some(known) = self.known_pipeline(listed.id) {
            return is_another(&known, listed).then_some(known);
        }
        let newest = self.newest_pipeline()?;
        let starts_lower = listed.id < newest.id && is_later(listed.created_at, &newest);
        starts_lower.then_some(newest)
    }

    /// The newest known pipeline.
    pub fn newest_pipeline(&self) -> Option<PipelineObservation> {
        self.known_pipeline(self.pipelines.kept.last()?.pipeline_id)
    }

    /// Forgets everything, because GitLab has other pipelines now. Merging it with what another replica still has
    /// brings nothing of that back.
    pub fn begin_again(&mut self) {
        let fresh = Self::new(
            self.key.clone(),
            self.project.clone(),
            self.project_url.clone(),
        );
        let generation = self.generation.saturating_add(1);
        *self = Self {
            generation,
            ..fresh
        };
    }
}

/// Whether two observations of one id are of different pipelines: their commits differ, or one was created after the
/// other had moved for the last time.
pub fn is_another(known: &PipelineObservation, seen: &PipelineObservation) -> bool {
    let has_commits = !known.sha.is_empty() && !seen.sha.is_empty();
    (has_commits && known.sha != seen.sha) || is_later(seen.created_at, known)
}

fn is_later(created: Option<Timestamp>, known: &PipelineObservation) -> bool {
    let last_moved = known.updated_at.or(known.created_at);
    match (created, last_moved) {
        (Some(created), Some(moved)) => created.unix() > moved.unix().saturating_add(MARGIN),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Rules, Status, TimelineKey};
    use super::*;

    fn pipeline(id: u64, minute: i64, sha: &str) -> PipelineObservation {
        let at = |minute: i64| Timestamp::from_unix(1_700_000_000 + minute * 60);
        PipelineObservation {
            id,
            ref_name: "main".into(),
            tag: false,
            sha: sha.into(),
            status: Status::Success,
            source: None,
            created_at: at(minute),
            updated_at: at(minute + 5),
            duration: None,
            failure_reason: None,
            has_other_jobs: false,
            web_url: None,
            commit_info: None,
            is_partial: false,
        }
    }

    fn timeline() -> Timeline {
        let mut timeline = Timeline::new(TimelineKey::new(7, "main"), "acme/shop".into(), None);
        for id in 100..130 {
            let minute = i64::try_from(id).unwrap() * 10;
            let seen = pipeline(id, minute, &format!("c{id}"));
            let now = Timestamp::of_clock(1_800_000_000);
            timeline.observe(&seen, &[], &Rules::default(), now);
        }
        timeline
    }

    fn contradicted(listed: &PipelineObservation) -> Option<u64> {
        timeline().contradicted_by(listed).map(|known| known.id)
    }

    #[test]
    fn a_reused_id_contradicts_the_pipeline_that_had_it() {
        assert_eq!(contradicted(&pipeline(125, 1250, "c125")), None, "the same");
        assert_eq!(contradicted(&pipeline(125, 1250, "other")), Some(125));
        // The same commit ran once more, under an id that was given before.
        assert_eq!(contradicted(&pipeline(125, 2000, "c125")), Some(125));
    }

    #[test]
    fn a_retried_pipeline_contradicts_nothing() {
        let mut retried = pipeline(125, 1250, "c125");
        retried.updated_at = Timestamp::from_unix(1_900_000_000);
        assert_eq!(contradicted(&retried), None);
    }

    #[test]
    fn ids_that_start_lower_contradict_the_newest_pipeline() {
        assert_eq!(contradicted(&pipeline(3, 2000, "x")), Some(129));
        assert_eq!(contradicted(&pipeline(130, 2000, "x")), None, "a new one");
        // A late one, created before the newest.
        assert_eq!(contradicted(&pipeline(3, 1290, "x")), None);
    }

    #[test]
    fn what_another_replica_still_has_does_not_come_back_into_a_timeline_that_began_again() {
        let (old, mut new) = (timeline(), timeline());
        new.begin_again();
        new.observe(
            &pipeline(5, 3000, "y"),
            &[],
            &Rules::default(),
            Timestamp::of_clock(1_800_000_000),
        );
        let (mut ours, mut theirs) = (new.clone(), old.clone());
        ours.merge(&old);
        theirs.merge(&new);
        assert_eq!(ours, new);
        assert_eq!(theirs, new);
    }
}
