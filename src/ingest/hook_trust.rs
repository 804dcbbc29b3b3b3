//! Whether the webhooks of a project tell of everything that moves, so that polling is a safety net only.
//!
//! Somebody who knows the secret can send any webhook. So none of them is a sign by itself, but only one whose pipeline
//! GitLab's API shows to have moved since it was read last. And a poll that finds a pipeline of which no webhook told ends
//! the trust.

use std::collections::BTreeMap;
use std::time::Duration;

use ci_history::{PipelineObservation, Timestamp};
use tokio::time::Instant;

/// How long a sign holds. A project without pipelines gets no webhooks either.
const TRUSTED_FOR: Duration = Duration::from_hours(24);

/// How long webhooks are not trusted after one was missing.
const NOT_TRUSTED_FOR: Duration = Duration::from_hours(6);

/// Seconds that a webhook may be late.
const LATE: i64 = 60;

/// Seconds by which a pipeline may seem to move after its webhook: GitLab has several clocks.
const CLOCKS_DIFFER: i64 = 5;

/// Pipelines of which webhooks told that are remembered, those with the highest ids.
const REMEMBERED: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct HookTrust {
    /// When a webhook last told of a pipeline, by GitLab's clock.
    told: BTreeMap<u64, Timestamp>,
    /// When pipelines moved of which no webhook told, by GitLab's clock. Theirs may still come.
    awaited: BTreeMap<u64, Timestamp>,
    last_sign: Option<Instant>,
    not_before: Option<Instant>,
}

impl HookTrust {
    /// A webhook told of a pipeline.
    pub(super) fn told(&mut self, pipeline: u64, now: Timestamp) {
        self.told.insert(pipeline, now);
        if self.told.len() > REMEMBERED {
            self.told.pop_first();
        }
    }

    /// GitLab says that the pipeline of a webhook has moved since it was read last.
    pub(super) fn confirmed(&mut self) {
        let now = Instant::now();
        if self.not_before.is_none_or(|at| at <= now) {
            self.last_sign = Some(now);
        }
    }

    pub(super) fn is_given(&self) -> bool {
        let last = self.last_sign;
        last.is_some_and(|last| last.elapsed() < TRUSTED_FOR)
    }

    /// Of pipelines that polling found to have moved, one of which a webhook should have told and none did, now or at an
    /// earlier look. Ends the trust if there is one.
    pub(super) fn missed<'a>(
        &mut self,
        found: impl Iterator<Item = &'a PipelineObservation>,
        now: Timestamp,
    ) -> Option<u64> {
        if !self.is_given() {
            self.awaited.clear();
            return None;
        }
        let moved = found.filter_map(|pipeline| Some((pipeline.id, pipeline.updated_at?)));
        self.awaited.extend(moved);
        while self.awaited.len() > REMEMBERED {
            self.awaited.pop_first();
        }
        let told = &self.told;
        self.awaited.retain(|id, moved| {
            let told = told.get(id).map(|at| at.unix() + CLOCKS_DIFFER);
            told.is_none_or(|at| at < moved.unix())
        });
        let is_late = |moved: Timestamp| now.unix() - moved.unix() >= LATE;
        let mut awaited = self.awaited.iter();
        let missed = *awaited.find(|(_, moved)| is_late(**moved))?.0;
        self.last_sign = None;
        self.not_before = Some(Instant::now() + NOT_TRUSTED_FOR);
        Some(missed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::pipeline;
    use super::*;
    use ci_history::Status;

    fn at(second: i64) -> Timestamp {
        Timestamp::of_clock(second)
    }

    fn missed(trust: &mut HookTrust, found: &[PipelineObservation], now: i64) -> Option<u64> {
        trust.missed(found.iter(), at(now))
    }

    #[tokio::test(start_paused = true)]
    async fn a_pipeline_of_which_no_webhook_told_ends_the_trust_for_hours() {
        let mut trust = HookTrust::default();
        trust.told(1, at(1000));
        assert!(!trust.is_given(), "anybody may have sent it");
        trust.confirmed();
        assert!(trust.is_given());
        let told = pipeline(1, Status::Success, 1003);
        let just_now = pipeline(2, Status::Success, 4990);
        assert_eq!(missed(&mut trust, &[told, just_now.clone()], 5000), None);
        assert!(trust.is_given());
        assert_eq!(
            missed(&mut trust, std::slice::from_ref(&just_now), 5060),
            Some(2)
        );
        assert!(!trust.is_given());
        assert_eq!(missed(&mut trust, &[just_now], 5060), None, "told once");
        trust.confirmed();
        assert!(!trust.is_given());
        tokio::time::advance(NOT_TRUSTED_FOR).await;
        trust.confirmed();
        assert!(trust.is_given());
        tokio::time::advance(TRUSTED_FOR).await;
        assert!(!trust.is_given());
    }

    #[tokio::test(start_paused = true)]
    async fn a_webhook_says_nothing_about_what_happened_after_it() {
        let mut trust = HookTrust::default();
        trust.confirmed();
        trust.told(1, at(1000));
        let later = pipeline(1, Status::Success, 1010);
        assert_eq!(missed(&mut trust, &[later], 2000), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_webhook_that_may_still_come_is_missed_once_it_is_late() {
        let mut trust = HookTrust::default();
        trust.confirmed();
        let just_now = [
            pipeline(1, Status::Success, 995),
            pipeline(2, Status::Success, 995),
        ];
        assert_eq!(missed(&mut trust, &just_now, 1000), None);
        trust.told(1, at(1001));
        assert_eq!(missed(&mut trust, &[], 1000 + LATE), Some(2));
        assert!(!trust.is_given());
    }

    #[tokio::test(start_paused = true)]
    async fn many_webhooks_take_no_memory_and_gain_no_trust() {
        let mut trust = HookTrust::default();
        trust.confirmed();
        trust.told(7, at(1000));
        for id in 1_000_000..1_100_000 {
            trust.told(id, at(1000));
        }
        assert_eq!(trust.told.len(), REMEMBERED);
        let forgotten = pipeline(7, Status::Success, 1000);
        assert_eq!(missed(&mut trust, &[forgotten], 2000), Some(7));
    }
}
