//! Jobs that the newest pipelines no longer have.

use std::sync::Arc;

use ci_history::{Figures, Rules, Status, Timeline};
use job_failure_exporter::store::{Saved, SavedScope, decode, encode};
use proptest::prelude::*;

use super::{at, figures, job, pipeline, timeline};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A failed pipeline of this source with these jobs, created at a time.
fn ran(timeline: &mut Timeline, id: u64, source: &str, time: i64, jobs: &[&str]) {
    let mut seen = pipeline(id, Status::Failed);
    seen.source = Some(source.into());
    seen.created_at = Some(at(time));
    let jobs: Vec<_> = (0..)
        .zip(jobs)
        .map(|(number, name)| {
            let mut job = job(id * 10 + number, name, Status::Failed);
            job.finished_at = Some(at(time + 60));
            job
        })
        .collect();
    timeline.observe(&seen, &jobs, &Rules::default(), at(0));
}

fn of(timeline: &Timeline, name: &str) -> Figures {
    figures(timeline, name, &Rules::default())
}

#[test]
fn a_removed_job_is_gone_after_ten_pipelines_without_it_and_comes_back_with_its_history() {
    let mut timeline = timeline();
    for id in 1..=6 {
        ran(
            &mut timeline,
            id,
            "push",
            id.cast_signed() * HOUR,
            &["old", "lint"],
        );
    }
    for id in 11..=19 {
        ran(
            &mut timeline,
            id,
            "push",
            id.cast_signed() * HOUR,
            &["lint"],
        );
    }
    let nearly = of(&timeline, "old");
    assert_eq!((nearly.absent_pipelines, nearly.gone_since), (9, None));
    ran(&mut timeline, 20, "push", 20 * HOUR, &["lint"]);
    let gone = of(&timeline, "old");
    assert_eq!(gone.absent_pipelines, 10);
    assert_eq!(gone.gone_since, Some(at(20 * HOUR)));
    assert_eq!(of(&timeline, "lint").absent_pipelines, 0);
    ran(&mut timeline, 21, "push", 21 * HOUR, &["old", "lint"]);
    let back = of(&timeline, "old");
    assert_eq!((back.absent_pipelines, back.gone_since), (0, None));
    assert_eq!(back.consecutive_failures, 7);
}

#[test]
fn a_weekly_job_is_not_gone_before_it_has_missed_its_week() {
    let mut timeline = timeline();
    let mut id = 0;
    let mut push = |timeline: &mut Timeline, time, jobs: &[&str]| {
        id += 1;
        ran(timeline, id, "push", time, jobs);
    };
    for week in 0..3 {
        push(&mut timeline, week * 7 * DAY, &["weekly", "lint"]);
    }
    for hour in 1..=40 {
        push(&mut timeline, 14 * DAY + hour * 4 * HOUR, &["lint"]);
    }
    assert_eq!(of(&timeline, "weekly").absent_pipelines, 0);
    for hour in 0..10 {
        push(&mut timeline, 25 * DAY + hour * HOUR, &["lint"]);
    }
    assert_eq!(
        of(&timeline, "weekly").gone_since,
        Some(at(25 * DAY + 9 * HOUR))
    );
}

#[test]
fn pushes_say_nothing_about_a_job_that_runs_on_schedules_alone() {
    let mut timeline = timeline();
    ran(&mut timeline, 1, "schedule", HOUR, &["nightly", "lint"]);
    for id in 2..40 {
        ran(
            &mut timeline,
            id,
            "push",
            id.cast_signed() * HOUR,
            &["lint"],
        );
    }
    assert_eq!(of(&timeline, "nightly").absent_pipelines, 0);
    for id in 40..50 {
        ran(
            &mut timeline,
            id,
            "schedule",
            id.cast_signed() * HOUR,
            &["lint"],
        );
    }
    assert!(of(&timeline, "nightly").gone_since.is_some());
}

#[test]
fn pipelines_without_jobs_or_still_running_do_not_count() {
    let mut timeline = timeline();
    ran(&mut timeline, 1, "push", HOUR, &["unit"]);
    for id in 2..20 {
        ran(&mut timeline, id, "push", id.cast_signed() * HOUR, &[]);
    }
    for id in 20..40 {
        let running = pipeline(id, Status::Running);
        let jobs = [job(id * 10, "lint", Status::Running)];
        timeline.observe(&running, &jobs, &Rules::default(), at(0));
    }
    assert_eq!(of(&timeline, "unit").absent_pipelines, 0);
}

#[test]
fn no_job_is_ever_gone_if_the_limit_is_zero() {
    let rules = Rules {
        absent_after: 0,
        ..Rules::default()
    };
    let mut timeline = timeline();
    ran(&mut timeline, 1, "push", HOUR, &["old"]);
    for id in 2..40 {
        ran(
            &mut timeline,
            id,
            "push",
            id.cast_signed() * HOUR,
            &["lint"],
        );
    }
    assert_eq!(figures(&timeline, "old", &rules).gone_since, None);
}

proptest! {
    #[test]
    fn absence_depends_neither_on_order_nor_repetition_nor_on_saving_or_merging(
        pipelines in prop::collection::vec((1_u64..60, any::<bool>(), any::<bool>()), 1..60),
        seed: u64,
    ) {
        let observe = |order: &[(u64, bool, bool)]| {
            let mut timeline = timeline();
            for (id, has_job, nightly) in order {
                let source = if *nightly { "schedule" } else { "push" };
                // The id decides alone, so that a repetition says the same.
                let id = id * 4 + u64::from(*has_job) * 2 + u64::from(*nightly);
                let jobs: &[&str] = if *has_job { &["lint", "unit"] } else { &["lint"] };
                ran(&mut timeline, id, source, id.cast_signed() * HOUR, jobs);
            }
            timeline
        };
        let absence = |timeline: &Timeline| {
            let rows = timeline.rows(&Rules::default()).jobs.into_iter();
            let absence = |it: ci_history::JobRow| {
                (it.name, it.figures.absent_pipelines, it.figures.gone_since)
            };
            rows.map(absence).collect::<Vec<(Arc<str>, _, _)>>()
        };
        let mut shuffled = [pipelines.clone(), pipelines.clone()].concat();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let (one, other) = (observe(&pipelines), observe(&shuffled));
        prop_assert_eq!(absence(&one), absence(&other));
        let (first, second) = pipelines.split_at(pipelines.len() / 2);
        let mut merged = observe(second);
        merged.merge(&observe(first));
        prop_assert_eq!(&merged.finished, &one.finished);
        let saved = Saved { timeline: one.clone(), watermark: None, has_gap: false, scope: SavedScope::default()  };
        let text = encode(&saved, &Rules::default());
        prop_assert_eq!(decode(&text).unwrap().timeline, one);
    }
}
