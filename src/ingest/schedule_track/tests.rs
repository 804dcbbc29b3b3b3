use super::*;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// The time at which the schedule of these tests is to run.
const DUE: i64 = 1_000_000;

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn schedule(next_run_at: i64, updated_at: i64) -> Schedule {
    Schedule {
        id: 1,
        description: "nightly".into(),
        ref_name: "main".into(),
        next_run_at: Timestamp::from_unix(next_run_at),
        active: true,
        updated_at: Timestamp::from_unix(updated_at),
    }
}

fn off(next_run_at: i64, updated_at: i64) -> Schedule {
    Schedule {
        active: false,
        ..schedule(next_run_at, updated_at)
    }
}

/// Readings at some times: the schedule and when its last pipeline was created. Returns the missed time and the time
/// at which GitLab switched it off.
fn after(readings: &[(i64, Schedule, i64)]) -> [Option<i64>; 2] {
    told(readings, false)
}

/// The same; `restarts` after each reading.
fn told(readings: &[(i64, Schedule, i64)], restarts: bool) -> [Option<i64>; 2] {
    let mut track: Option<ScheduleTrack> = None;
    for (now, schedule, last_run) in readings {
        let now = time(*now);
        let track = match &mut track {
            None => track.insert(ScheduleTrack::new(schedule.clone(), now, None)),
            Some(track) => {
                track.update(schedule.clone(), now, None);
                track
            }
        };
        if track.is_questionable() {
            track.note_last_run(Timestamp::from_unix(*last_run), now);
        }
        if restarts {
            *track = ScheduleTrack::restored(track.memory());
        }
    }
    let sight = track.unwrap().sight();
    [sight.missed, sight.switched_off].map(|at| at.map(Timestamp::unix))
}

fn missed(readings: &[(i64, Schedule, i64)]) -> Option<i64> {
    after(readings)[0]
}

#[test]
fn a_time_that_passes_without_a_pipeline_is_missed_whether_or_not_gitlab_sets_the_next() {
    let before = (DUE - 60, schedule(DUE, DUE - DAY), DUE - DAY);
    let stays = (DUE + 60, schedule(DUE, DUE - DAY), DUE - DAY);
    let moves = (DUE + 60, schedule(DUE + DAY, DUE + 5), DUE - DAY);
    let never_ran = |(at, schedule, _): &(i64, Schedule, i64)| (*at, schedule.clone(), 0);
    assert_eq!(missed(std::slice::from_ref(&before)), None);
    assert_eq!(missed(&[before.clone(), stays.clone()]), Some(DUE));
    assert_eq!(missed(&[before.clone(), moves.clone()]), Some(DUE));
    assert_eq!(missed(&[never_ran(&before), never_ran(&moves)]), Some(DUE));
    assert_eq!(
        missed(std::slice::from_ref(&stays)),
        Some(DUE),
        "at first sight"
    );
    let later = (DUE + HOUR, schedule(DUE + DAY, DUE + 5), DUE - DAY);
    assert_eq!(
        missed(&[before, moves, later]),
        Some(DUE),
        "it stays missed"
    );
}

#[test]
fn a_run_ends_it_whether_it_came_in_time_late_or_by_hand() {
    let before = (DUE - 60, schedule(DUE, DUE - DAY), DUE - DAY);
    let moved = schedule(DUE + DAY, DUE + 5);
    assert_eq!(
        missed(&[before.clone(), (DUE + 60, moved.clone(), DUE)]),
        None
    );
    let not_yet = (DUE + 60, moved.clone(), DUE - DAY);
    let by_hand = (DUE + 3 * HOUR, moved, DUE + 3 * HOUR - 5);
    assert_eq!(missed(&[before, not_yet, by_hand]), None);
}

#[test]
fn a_schedule_that_is_put_off_or_paused_before_its_time_misses_nothing() {
    let before = (DUE - 300, schedule(DUE, DUE - DAY), DUE - DAY);
    let put_off = (DUE + 180, schedule(DUE + 20 * HOUR, DUE - 60), DUE - DAY);
    assert_eq!(missed(&[before.clone(), put_off]), None);
    let paused = (DUE + 180, off(DUE, DUE - 60), DUE - DAY);
    let resumed = (DUE + 1500, schedule(DUE + DAY, DUE + 1320), DUE - DAY);
    assert_eq!(after(&[before.clone(), paused.clone()]), [None, None]);
    assert_eq!(after(&[before, paused, resumed]), [None, None]);
}

#[test]
fn a_schedule_that_was_off_gets_an_hour_from_when_it_is_switched_on() {
    let long_ago = DUE - 30 * DAY;
    let was_off = (DUE, off(long_ago, long_ago - HOUR), long_ago - DAY);
    let on = |now: i64| (now, schedule(long_ago, DUE + 60), long_ago - DAY);
    assert_eq!(missed(&[was_off.clone(), on(DUE + 120)]), None);
    assert_eq!(missed(&[on(DUE + 120)]), None, "at first sight");
    let ran = (DUE + 700, schedule(DUE + DAY, DUE + 600), DUE + 601);
    assert_eq!(missed(&[was_off.clone(), on(DUE + 120), ran]), None);
    let never = on(DUE + 2 * HOUR);
    assert_eq!(
        missed(&[was_off, on(DUE + 120), never]),
        Some(DUE + 60 + HOUR)
    );
}

#[test]
fn an_edit_after_the_time_takes_nothing_back() {
    let before = (DUE - 60, schedule(DUE, DUE - DAY), DUE - DAY);
    let renamed = (DUE + 300, schedule(DUE, DUE + 120), DUE - DAY);
    assert_eq!(missed(&[before.clone(), renamed]), Some(DUE));
    let moved = (DUE + 7200, schedule(DUE + DAY, DUE + 3000), DUE - DAY);
    let seen = (DUE + 600, schedule(DUE, DUE - DAY), DUE - DAY);
    assert_eq!(missed(&[before, seen, moved]), Some(DUE));
}

#[test]
fn a_schedule_that_is_paused_and_switched_on_again_between_two_readings_misses_nothing() {
    let before = (DUE - 300, schedule(DUE, DUE - DAY), DUE - DAY);
    for resumed in [DUE + 1320, DUE + 5 * HOUR, DUE + 3 * DAY + HOUR] {
        let next = DUE + (resumed - DUE) / DAY * DAY + DAY;
        let on = (resumed + 60, schedule(next, resumed), DUE - DAY);
        assert_eq!(missed(&[before.clone(), on]), None, "{resumed}");
    }
}

#[test]
fn of_several_times_that_passed_between_two_readings_the_last_one_is_known() {
    let before = (DUE - 300, schedule(DUE, DUE - DAY), DUE - DAY);
    let third = DUE + 3 * DAY;
    let after = |last_run| (third + HOUR, schedule(third + DAY, third + 9), last_run);
    assert_eq!(missed(&[before.clone(), after(DUE - DAY)]), Some(third));
    assert_eq!(missed(&[before.clone(), after(third - DAY)]), Some(third));
    assert_eq!(missed(&[before, after(third + 9)]), None);
}

#[test]
fn a_restart_between_two_readings_changes_nothing() {
    let before = (DUE - 300, schedule(DUE, DUE - DAY), DUE - DAY);
    let stories = [
        (DUE + 180, schedule(DUE + DAY, DUE + 5), DUE - DAY),
        (DUE + 180, schedule(DUE + DAY, DUE + 5), DUE + 5),
        (DUE + 180, schedule(DUE, DUE - DAY), DUE - DAY),
        (DUE + 180, schedule(DUE + 20 * HOUR, DUE - 60), DUE - DAY),
        (DUE + 120, off(DUE, DUE + 90), DUE - DAY),
        (DUE + 180, off(DUE, DUE - 60), DUE - DAY),
    ];
    for later in stories {
        let end = (DUE + 4 * HOUR, later.1.clone(), later.2);
        let readings = [before.clone(), later, end];
        assert_eq!(
            told(&readings, true),
            told(&readings, false),
            "{readings:?}"
        );
    }
}

#[test]
fn nothing_is_missed_before_the_last_run_was_asked_for() {
    let mut track = ScheduleTrack::new(schedule(DUE, DUE - DAY), time(DUE - 60), None);
    track.note_last_run(Timestamp::from_unix(DUE - DAY), time(DUE - 60));
    track.update(schedule(DUE + DAY, DUE + 5), time(DUE + 60), None);
    assert_eq!(track.sight().missed, None);
    track.note_last_run(Timestamp::from_unix(DUE - DAY), time(DUE + 60));
    assert_eq!(track.sight().missed, Some(time(DUE)));
}

#[test]
fn gitlab_switches_off_at_the_time_or_without_an_edit_and_a_person_does_neither() {
    let before = (DUE - 60, schedule(DUE, DUE - DAY), DUE - DAY);
    let at_its_time = (DUE + 120, off(DUE, DUE + 90), DUE - DAY);
    let next_was_set = (DUE + 120, off(DUE + DAY, DUE + 90), DUE - DAY);
    let found = Some(DUE + 90);
    assert_eq!(after(&[before.clone(), at_its_time.clone()]), [None, found]);
    assert_eq!(after(&[before.clone(), next_was_set]), [None, found]);
    assert_eq!(
        after(std::slice::from_ref(&at_its_time)),
        [None, found],
        "at first sight"
    );
    let without_an_edit = (DUE - 30, off(DUE, DUE - DAY), DUE - DAY);
    assert_eq!(
        after(&[before.clone(), without_an_edit]),
        [None, Some(DUE - 30)]
    );

    let by_a_person = (DUE - 10, off(DUE, DUE - 30), DUE - DAY);
    assert_eq!(after(&[before.clone(), by_a_person]), [None, None]);
    let after_the_run = (DUE + 300, off(DUE + DAY, DUE + 200), DUE + 5);
    assert_eq!(after(&[before.clone(), after_the_run]), [None, None]);
    let long_after = (DUE + 2 * HOUR, off(DUE, DUE + 2 * HOUR - 5), DUE - DAY);
    assert_eq!(after(&[before, long_after.clone()]), [None, None]);
    assert_eq!(after(&[long_after]), [None, None]);
}

#[test]
fn a_schedule_that_gitlab_switched_off_is_told_until_it_is_edited_or_switched_on() {
    let before = (DUE - 60, schedule(DUE, DUE - DAY), DUE - DAY);
    let off_at_its_time = (DUE + 120, off(DUE, DUE + 90), DUE - DAY);
    let still = (DUE + DAY, off(DUE, DUE + 90), DUE - DAY);
    let edited = (DUE + DAY, off(DUE, DUE + DAY - 60), DUE - DAY);
    let on = (
        DUE + DAY,
        schedule(DUE + 2 * DAY, DUE + DAY - 60),
        DUE - DAY,
    );
    let said = |last| after(&[before.clone(), off_at_its_time.clone(), last])[1];
    assert_eq!(said(still), Some(DUE + 90));
    assert_eq!(said(edited), None);
    assert_eq!(said(on), None);
}
