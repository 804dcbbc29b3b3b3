//! Properties of counting, over random attempts: no order, repetition or merge changes the figures.

use std::collections::BTreeMap;
use std::sync::Arc;

use Status::{Blocked, Canceled, Created, Failed, Pending, Running, Skipped, Success};
use ci_history::{FailureClass, Figures, JobNames, Outcome, Rules, Status, Timeline};
use job_failure_exporter::store::{Saved, decode, encode};
use proptest::prelude::*;

use super::random::{
    Attempt, JOBS, attempts, attempts_in, look_at_log, observed, replicas, sights,
};
use super::{at, ignoring, job, pipeline, timeline};

fn merged(one: &Timeline, other: &Timeline) -> Timeline {
    let mut merged = one.clone();
    merged.merge(other);
    merged
}

/// Figures without the counters of outcomes, which tell what was seen on the way.
fn settled(timeline: &Timeline, rules: &Rules) -> BTreeMap<Arc<str>, Figures> {
    let rows = timeline.rows(rules).jobs.into_iter();
    rows.map(|row| {
        let figures = Figures {
            executions: Figures::default().executions,
            failures: Figures::default().failures,
            flaky_executions: 0,
            ..row.figures
        };
        (row.name, figures)
    })
    .collect()
}

/// Retries are a counter too.
fn without_retries(mut rows: BTreeMap<Arc<str>, Figures>) -> BTreeMap<Arc<str>, Figures> {
    for figures in rows.values_mut() {
        figures.retries = 0;
    }
    rows
}

/// The streak and the window counted naively over all attempts.
fn naive(attempts: &[Attempt], job: u64) -> (u64, usize, usize) {
    let mut last: BTreeMap<u64, &Attempt> = BTreeMap::new();
    for attempt in attempts.iter().filter(|attempt| attempt.job == job) {
        last.insert(attempt.pipeline, attempt);
    }
    let outcomes: Vec<bool> = last
        .values()
        .filter(|attempt| matches!(attempt.last, Status::Failed | Status::Success))
        .map(|attempt| attempt.last == Status::Failed && !attempt.allow_failure)
        .collect();
    let streak = outcomes.iter().rev().take_while(|failed| **failed).count();
    let window = &outcomes[outcomes.len().saturating_sub(10)..];
    let failures = window.iter().filter(|failed| **failed).count();
    (streak as u64, window.len(), failures)
}

/// Anything that may be heard of a job, in any order.
#[derive(Debug, Clone)]
enum Heard {
    Sight {
        pipeline: u64,
        attempt: u64,
        status: Status,
        bad_runner: bool,
    },
    Log {
        pipeline: u64,
        attempt: u64,
        class: FailureClass,
    },
}

fn heard() -> impl Strategy<Value = Heard> {
    let status = prop::sample::select(vec![
        Failed, Failed, Failed, Success, Canceled, Skipped, Created, Blocked, Pending, Running,
    ]);
    let class = prop::sample::select(vec![FailureClass::Script, FailureClass::Infrastructure]);
    let id = || (1_u64..=40, 1_u64..=2);
    prop_oneof![
        3 => (id(), status, any::<bool>()).prop_map(|((pipeline, attempt), status, bad_runner)| {
            Heard::Sight { pipeline, attempt, status, bad_runner }
        }),
        1 => (id(), class).prop_map(|((pipeline, attempt), class)| {
            Heard::Log { pipeline, attempt, class }
        }),
    ]
}

fn hear(timeline: &mut Timeline, heard: &Heard, rules: &Rules) {
    match heard {
        Heard::Sight {
            pipeline: id,
            attempt,
            status,
            bad_runner,
        } => {
            let mut seen = job(id * 10 + attempt, JOBS[0], *status);
            if *bad_runner && *status == Failed {
                seen.failure_reason = Some("runner_system_failure".into());
            }
            timeline.observe(&pipeline(*id, *status), &[seen], rules, at(0));
        }
        Heard::Log {
            pipeline,
            attempt,
            class,
        } => look_at_log(
            timeline,
            *pipeline,
            pipeline * 10 + attempt,
            0,
            *class,
            rules,
        ),
    }
}

/// Every counter of the job and of the pipelines.
fn counters(timeline: &Timeline, rules: &Rules) -> Vec<u64> {
    let rows = timeline.rows(rules);
    let jobs = rows.jobs.iter().map(|row| &row.figures);
    std::iter::once(&rows.pipelines)
        .chain(jobs)
        .flat_map(|figures| {
            let executions = Outcome::ALL.map(|outcome| figures.executions.get(outcome));
            let failures = FailureClass::ALL.map(|class| figures.failures.get(class));
            let others = [figures.flaky_executions, figures.retries];
            executions.into_iter().chain(failures).chain(others)
        })
        .collect()
}

proptest! {
    #[test]
    fn no_counter_ever_goes_back(
        heard in prop::collection::vec(heard(), 1..200),
        ignore in any::<bool>(),
    ) {
        let rules = Rules {
            window: 3,
            ..if ignore { ignoring() } else { Rules::default() }
        };
        let mut timeline = timeline();
        let mut before = Vec::new();
        for heard in &heard {
            hear(&mut timeline, heard, &rules);
            let now = counters(&timeline, &rules);
            for (before, now) in before.iter().zip(&now) {
                prop_assert!(before <= now, "after {:?}", heard);
            }
            before = now;
        }
    }

    #[test]
    fn what_is_counted_equals_a_naive_count_over_all_attempts(attempts in attempts()) {
        let rules = Rules::default();
        let sights: Vec<_> = attempts.iter().flat_map(sights).collect();
        let settled = settled(&observed(&sights, &rules), &rules);
        for (index, name) in (0..).zip(JOBS) {
            let Some(figures) = settled.get(name) else {
                prop_assert!(!attempts.iter().any(|attempt| attempt.job == index));
                continue;
            };
            let found = (
                figures.consecutive_failures,
                figures.window_executions,
                figures.window_failures,
            );
            prop_assert_eq!(found, naive(&attempts, index), "{}", name);
        }
    }

    /// In few enough pipelines that those without an outcome are all kept, too: a canceled one that is no longer kept cannot be
    /// told from one that was started late.
    #[test]
    fn neither_the_order_of_arrival_nor_duplicates_matter(
        attempts in attempts_in(8, 60),
        order in any::<prop::sample::Index>(),
        seed in any::<u64>(),
        grouped in any::<bool>(),
    ) {
        let rules = Rules {
            job_names: if grouped {
                JobNames::Grouped
            } else {
                JobNames::Full
            },
            ..Rules::default()
        };
        let sights: Vec<_> = attempts.iter().flat_map(sights).collect();
        let mut shuffled = sights.clone();
        shuffled.push(sights[order.index(sights.len())].clone());
        shuffled.extend(sights.iter().step_by(3).cloned());
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let (ordered, shuffled) = (observed(&sights, &rules), observed(&shuffled, &rules));
        prop_assert_eq!(settled(&ordered, &rules), settled(&shuffled, &rules));
    }

    #[test]
    fn seeing_everything_again_changes_nothing_at_all(attempts in attempts()) {
        let rules = Rules::default();
        let sights: Vec<_> = attempts.iter().flat_map(sights).collect();
        let once = observed(&sights, &rules);
        let mut twice = once.clone();
        for (id, seen) in &sights {
            let changes = twice.observe(
                &pipeline(*id, Status::Running),
                std::slice::from_ref(seen),
                &rules,
                at(0),
            );
            prop_assert!(changes.is_empty());
        }
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        attempts in attempts_in(8, 60),
        seeds in prop::array::uniform3(any::<u64>()),
        ignore in any::<bool>(),
    ) {
        let rules = if ignore { ignoring() } else { Rules::default() };
        let [a, b, c] = &replicas(&attempts, seeds, &rules);
        prop_assert!(merged(a, b) == merged(b, a));
        prop_assert!(merged(&merged(a, b), c) == merged(a, &merged(b, c)));
        prop_assert!(&merged(a, a) == a);
    }

    /// Where executions lie beyond reach, who saw which of them in between is not kept: figures are the
    /// same, counters need not be.
    #[test]
    fn far_apart_replicas_merge_into_the_same_figures(
        attempts in attempts_in(60, 200),
        seeds in prop::array::uniform3(any::<u64>()),
    ) {
        let rules = Rules::default();
        let [a, b, c] = &replicas(&attempts, seeds, &rules);
        prop_assert!(merged(a, b) == merged(b, a));
        prop_assert!(&merged(a, a) == a);
        let one_way = without_retries(settled(&merged(&merged(a, b), c), &rules));
        let other_way = without_retries(settled(&merged(a, &merged(b, c)), &rules));
        prop_assert_eq!(one_way, other_way);
    }

    #[test]
    fn two_replicas_that_merge_count_what_one_would(attempts in attempts(), seed in any::<u64>()) {
        let rules = Rules::default();
        let sights: Vec<_> = attempts.iter().flat_map(sights).collect();
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut one, mut other) = (timeline(), timeline());
        for (id, seen) in &sights {
            let running = pipeline(*id, Status::Running);
            let replica = if random.bool() { &mut one } else { &mut other };
            replica.observe(&running, std::slice::from_ref(seen), &rules, at(0));
            if random.u8(..) < 30 {
                one.merge(&other);
                one.trim(&rules);
                other = one.clone();
            }
        }
        one.merge(&other);
        one.trim(&rules);
        prop_assert_eq!(settled(&one, &rules), settled(&observed(&sights, &rules), &rules));
    }

    #[test]
    fn a_document_gives_back_the_timeline_it_was_made_of(attempts in attempts(), seed in any::<u64>()) {
        let rules = Rules::default();
        let mut sights: Vec<_> = attempts.iter().flat_map(sights).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut sights);
        let saved = Saved { timeline: observed(&sights, &rules), watermark: Some(at(7)), has_gap: false, scope: job_failure_exporter::store::SavedScope::default() };
        prop_assert_eq!(&decode(&encode(&saved, &rules)).unwrap(), &saved);
    }
}
