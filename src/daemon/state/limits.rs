//! Which jobs of a pipeline are let into a timeline that is full, or of a project that is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::base::label::Label as _;
use crate::config::Limits;
use crate::metrics::Limit;
use ci_history::{JobObservation, Rules, Timeline};

/// Something was left out because of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LimitHit {
    pub(super) limit: Limit,
    /// Jobs or refs that were left out.
    pub(super) count: usize,
}

impl LimitHit {
    pub(super) fn warn(self, project: &str, ref_name: Option<&str>) {
        let (count, limit) = (self.count, self.limit.as_str());
        tracing::warn!(
            project,
            "ref" = ref_name,
            "left out {count} because of the limit `{limit}`; raise it under `limits`, or watch less"
        );
    }
}

/// Schedules of a project that are exposed. GitLab allows ten by default.
const MOST_SCHEDULES: usize = 1000;

/// The schedules that are let in: those with the lowest ids, which come first.
pub(super) fn admitted_schedules<T>(schedules: &[T]) -> (&[T], Option<LimitHit>) {
    let (admitted, others) = schedules.split_at(schedules.len().min(MOST_SCHEDULES));
    let hit = (!others.is_empty()).then_some(LimitHit {
        limit: Limit::SchedulesPerProject,
        count: others.len(),
    });
    (admitted, hit)
}

/// The jobs that are let in: all with a history, and new ones while there is room, in the order of their names,
/// so that the choice does not depend on the order of the listing.
pub(super) fn admit<'a>(
    timeline: &Timeline,
    project_jobs: impl FnOnce() -> usize,
    jobs: &'a [JobObservation],
    rules: &Rules,
    limits: &Limits,
) -> (Cow<'a, [JobObservation]>, Option<LimitHit>) {
    let history_name = |job: &'a JobObservation| rules.job_names.history_name(&job.name);
    let is_new = |name: &str| !timeline.jobs.contains_key(name);
    let names = jobs.iter().map(history_name);
    let new: BTreeSet<_> = names.filter(|name| is_new(name)).collect();
    if new.is_empty() {
        return (Cow::Borrowed(jobs), None);
    }
    let of_ref = limits.jobs_per_ref.saturating_sub(timeline.jobs.len());
    let of_project = limits.jobs_per_project.saturating_sub(project_jobs());
    let room = of_ref.min(of_project);
    let Some(first_out) = new.iter().nth(room) else {
        return (Cow::Borrowed(jobs), None);
    };
    let admitted = jobs.iter().filter(|job| {
        let name = history_name(job);
        name < *first_out || !is_new(&name)
    });
    let hit = LimitHit {
        limit: if of_ref <= of_project {
            Limit::JobsPerRef
        } else {
            Limit::JobsPerProject
        },
        count: new.len() - room,
    };
    (admitted.cloned().collect(), Some(hit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::samples::job;
    use ci_history::{PipelineObservation, Status, TimelineKey, Timestamp};

    fn known(names: &[&str]) -> Timeline {
        let mut timeline = Timeline::new(TimelineKey::new(7, "main"), "a/b".into(), None);
        let pipeline = PipelineObservation {
            id: 1,
            ref_name: "main".into(),
            tag: false,
            sha: "c1".into(),
            status: Status::Success,
            source: None,
            created_at: None,
            updated_at: None,
            duration: None,
            failure_reason: None,
            has_other_jobs: false,
            web_url: None,
            commit_info: None,
            is_partial: false,
        };
        let jobs: Vec<_> = (1..)
            .zip(names)
            .map(|(id, name)| job(id, name, Status::Success))
            .collect();
        timeline.observe(&pipeline, &jobs, &Rules::default(), Timestamp::of_clock(1));
        timeline
    }

    const LIMITS: Limits = Limits {
        jobs_per_ref: 4,
        jobs_per_project: 10,
        refs_per_project: 1,
        listing_bytes: 1,
    };

    fn admitted(order: [&str; 4], in_project: usize) -> (BTreeSet<String>, Option<LimitHit>) {
        let jobs: Vec<_> = (10..)
            .zip(order)
            .map(|(id, name)| job(id, name, Status::Success))
            .collect();
        let timeline = known(&["x", "y"]);
        let rules = Rules::default();
        let (jobs, hit) = admit(&timeline, || in_project, &jobs, &rules, &LIMITS);
        (jobs.iter().map(|job| job.name.to_string()).collect(), hit)
    }

    #[test]
    fn known_jobs_stay_and_of_new_ones_the_first_by_name_come_in() {
        for order in [["c", "a", "x", "b"], ["x", "b", "c", "a"]] {
            let (names, hit) = admitted(order, 2);
            assert_eq!(names, ["a", "b", "x"].map(str::to_owned).into());
            let (limit, count) = (Limit::JobsPerRef, 1);
            assert_eq!(hit, Some(LimitHit { limit, count }));
        }
    }

    #[test]
    fn a_full_project_takes_no_new_job_in_any_ref() {
        let (names, hit) = admitted(["a", "x", "y", "b"], 10);
        assert_eq!(names, ["x", "y"].map(str::to_owned).into());
        let (limit, count) = (Limit::JobsPerProject, 2);
        assert_eq!(hit, Some(LimitHit { limit, count }));
    }

    #[test]
    fn of_countless_schedules_the_oldest_come_in() {
        let ids: Vec<usize> = (1..=1003).collect();
        let (admitted, hit) = admitted_schedules(&ids);
        assert_eq!((admitted.len(), admitted.last()), (1000, Some(&1000)));
        let (limit, count) = (Limit::SchedulesPerProject, 3);
        assert_eq!(hit, Some(LimitHit { limit, count }));
        assert_eq!(admitted_schedules(&ids[..1000]).1, None);
    }

    #[test]
    fn what_fits_comes_in_whole() {
        let (names, hit) = admitted(["a", "x", "y", "b"], 2);
        assert_eq!((names.len(), hit), (4, None));
    }
}
