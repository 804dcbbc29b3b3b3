//! Tests of the pauses between readings.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::of_clock(10_000_000 + second)
}

/// The seconds after its last movement at which a pipeline is read.
fn readings(reason: Reason, until: i64) -> Vec<i64> {
    let mut readings = Readings::default();
    readings.moved_at(Some(at(0)));
    let mut now = 1;
    let mut found = Vec::new();
    while now < until && !readings.is_over(reason, at(now)) {
        found.push(now);
        readings.note(at(now));
        now += readings.due_in(reason, at(now)).max(1);
    }
    found
}

#[test]
fn doubt_is_settled_within_seconds_and_later_asked_for_ever_more_seldom() {
    let found = readings(Reason::Unsettled, 90 * DAY);
    assert_eq!(found[..6], [1, 2, 4, 8, 16, 32]);
    let in_first_day = found.iter().filter(|at| **at < DAY).count();
    assert!(in_first_day < 22, "{in_first_day}");
    let pauses = found.windows(2).map(|two| two[1] - two[0]);
    assert!(pauses.clone().is_sorted());
    assert_eq!(pauses.max(), Some(LONGEST_PAUSE));
}

#[test]
fn jobs_that_are_missing_are_asked_for_during_hours_and_not_for_ever() {
    let found = readings(Reason::Missing, 90 * DAY);
    assert!(found.len() < 18, "{found:?}");
    assert!(found.last().is_some_and(|last| *last > HOUR));
}

#[test]
fn an_old_pipeline_is_doubted_as_long_as_a_young_one() {
    let mut readings = Readings::default();
    readings.moved_at(Some(at(0)));
    let mut pauses = Vec::new();
    let mut now = 9 * DAY;
    for _ in 0..5 {
        readings.doubt(true, at(now));
        readings.note(at(now));
        pauses.push(readings.due_in(Reason::Missing, at(now)));
        now += 1;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16]);
    assert!(!readings.is_over(Reason::Missing, at(now)));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_does_not_end_a_doubt_before_a_replica_has_caught_up() {
    let mut readings = Readings::default();
    readings.moved_at(Some(at(0)));
    readings.doubt(true, at(1));
    readings.note(at(1));
    let jumped = at(45 * DAY);
    assert!(!readings.is_over(Reason::Missing, jumped));
    assert_eq!(readings.due_in(Reason::Missing, jumped), 0);
    readings.doubt(true, jumped);
    readings.note(jumped);
    assert_eq!(readings.due_in(Reason::Missing, jumped), 2);
    tokio::time::advance(std::time::Duration::from_secs(REPLICA_LAG.unsigned_abs())).await;
    assert!(readings.is_over(Reason::Missing, jumped));
    readings.doubt(false, jumped);
    readings.doubt(true, jumped);
    assert!(!readings.is_over(Reason::Missing, jumped));
}

#[test]
fn a_pipeline_of_trigger_jobs_is_read_a_few_times_more() {
    assert_eq!(
        readings(Reason::Hidden, DAY),
        [1, 21, 84, 336, 1344, 5376, 21504]
    );
}

#[test]
fn a_moving_pipeline_is_read_every_cycle_for_an_hour_and_then_by_its_age() {
    let mut readings = Readings::default();
    readings.moved_at(Some(at(0)));
    readings.note(at(LIVELY - 1));
    assert_eq!(readings.due_in(Reason::Moving, at(LIVELY - 1)), 0);
    readings.note(at(16 * HOUR));
    assert_eq!(readings.due_in(Reason::Moving, at(16 * HOUR)), HOUR);
    readings.note(at(90 * DAY));
    let due = readings.due_in(Reason::Moving, at(90 * DAY));
    assert_eq!(due, LONGEST_PAUSE);
    readings.moved_at(Some(at(90 * DAY)));
    assert_eq!(readings.due_in(Reason::Moving, at(90 * DAY)), 0);
}

/// The seconds after its last movement at which an unfinished pipeline is followed up.
fn follow_ups(is_overdue: bool, until: i64) -> Vec<i64> {
    let mut readings = Readings::default();
    readings.moved_at(Some(at(0)));
    let mut now = 0;
    let mut found = Vec::new();
    while now < until {
        readings.note(at(now));
        now += readings.follow_up_in(Reason::Running, is_overdue, at(now));
        found.push(now);
    }
    found
}

#[test]
fn an_unfinished_pipeline_is_followed_up_ever_more_seldom_and_never_later_than_cycles_would() {
    let found = follow_ups(false, 30 * DAY);
    assert_eq!(found[..6], [60, 120, 180, 240, 300, 375]);
    let in_first_hour = found.iter().filter(|at| **at < HOUR).count();
    assert!(in_first_hour < 18, "{in_first_hour}");
    let pauses = found.windows(2).map(|two| two[1] - two[0]);
    assert!(pauses.clone().is_sorted());
    let before = found.iter().zip(pauses).filter(|(at, _)| **at < RUNNING);
    assert_eq!(before.map(|(_, pause)| pause).max(), Some(FOLLOWED_LAST));
}

#[test]
fn a_pipeline_whose_end_is_overdue_is_followed_up_within_seconds() {
    let found = follow_ups(true, 10 * 60);
    assert_eq!(found[..7], [1, 3, 7, 15, 31, 63, 123]);
}

#[test]
fn a_clock_that_was_ahead_delays_no_reading() {
    let mut readings = Readings::default();
    readings.moved_at(Some(at(0)));
    readings.note(at(45 * DAY));
    assert_eq!(readings.due_in(Reason::Moving, at(60)), 0);
    assert_eq!(readings.due_in(Reason::Unsettled, at(60)), 0);
}

#[test]
fn a_restart_reads_young_pipelines_at_once_and_old_ones_in_their_turn() {
    let resumed = |age: i64| Readings::resumed(Some(at(0)), at(age));
    assert_eq!(resumed(HOUR).due_in(Reason::Moving, at(HOUR)), 0);
    let old: Vec<i64> = (0..40)
        .map(|number| 90 * DAY + number * 601)
        .map(|age| resumed(age).due_in(Reason::Moving, at(age)))
        .collect();
    assert!(old.iter().all(|due| (1..=LONGEST_PAUSE).contains(due)));
    assert!(old.iter().collect::<std::collections::BTreeSet<_>>().len() > 30);
}
