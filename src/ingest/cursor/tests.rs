//! Tests of what is read when.

use super::super::pending::TRIES;
use super::super::samples::pipeline;
use super::super::sight::Doubt;
use super::*;
use ci_history::Status;

fn listed(pipelines: Vec<PipelineObservation>, latest: Option<Timestamp>) -> Listed {
    Listed {
        pipelines,
        latest,
        since: None,
    }
}

fn ids(wanted: &ReadPlan) -> Vec<u64> {
    let all = wanted.fresh.iter().chain(&wanted.again);
    all.map(|pipeline| pipeline.id).collect()
}

const NONE: [u64; 0] = [];

/// A time shortly after that of the pipelines.
const SOON: i64 = 4500;

const DAY: i64 = 24 * 60 * 60;

fn at(second: i64) -> Timestamp {
    Timestamp::of_clock(second)
}

fn settled(settled: bool) -> ReadJobs {
    ReadJobs {
        settled,
        ..ReadJobs::default()
    }
}

/// One cycle in which all wanted pipelines are read.
fn cycle(cursor: &mut PollCursor, listing: &[PipelineObservation]) -> Vec<u64> {
    cycle_at(cursor, listing, SOON, None)
}

fn cycle_at(
    cursor: &mut PollCursor,
    listing: &[PipelineObservation],
    second: i64,
    doubt: Option<Doubt>,
) -> Vec<u64> {
    let latest = listing.iter().filter_map(|p| p.updated_at).max();
    let wanted = cursor.take_listing(listed(listing.to_vec(), latest), at(second));
    let jobs = ReadJobs {
        doubt,
        ..ReadJobs::default()
    };
    for pipeline in wanted.fresh.iter().chain(&wanted.again) {
        cursor.read(pipeline, jobs, at(second));
    }
    ids(&wanted)
}

#[test]
fn a_finished_pipeline_is_read_once_although_listings_overlap() {
    let mut cursor = PollCursor::default();
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
fn a_project_without_pipelines_is_listed_whole_until_it_has_one() {
    let mut cursor = PollCursor::new(Resume::default(), at(SOON));
    assert_eq!(cycle(&mut cursor, &[]), NONE);
    assert!(cursor.wants_backfill());
    let first = [pipeline(1, Status::Success, 1000)];
    assert_eq!(cycle(&mut cursor, &first), [1]);
    assert!(!cursor.wants_backfill());
    assert!(cursor.updated_after().is_some());
}

#[test]
fn a_running_pipeline_is_read_every_cycle_and_once_more_when_it_has_ended() {
    let mut cursor = PollCursor::default();
    assert_eq!(
        cycle(&mut cursor, &[pipeline(1, Status::Running, 1000)]),
        [1]
    );
    assert!(cursor.is_active(at(SOON)));
    assert_eq!(cycle(&mut cursor, &[]), [1]);
    assert_eq!(
        cycle(&mut cursor, &[pipeline(1, Status::Success, 3000)]),
        [1]
    );
    assert_eq!(
        cycle(&mut cursor, &[pipeline(1, Status::Success, 3000)]),
        NONE
    );
    assert!(!cursor.is_active(at(SOON)));
    assert_eq!(
        cycle(&mut cursor, &[pipeline(1, Status::Running, 4000)]),
        [1]
    );
}

#[test]
fn a_blocked_pipeline_is_read_when_it_moves() {
    let mut cursor = PollCursor::default();
    let blocked = [pipeline(1, Status::Blocked, 1000)];
    assert_eq!(cycle(&mut cursor, &blocked), [1]);
    assert_eq!(cycle(&mut cursor, &blocked), NONE);
}

#[test]
fn what_could_not_be_read_is_owed_and_holds_the_watermark_back() {
    let mut cursor = PollCursor::default();
    let listing = vec![
        pipeline(1, Status::Failed, 1000),
        pipeline(2, Status::Failed, 1001),
    ];
    let wanted = cursor.take_listing(listed(listing, Timestamp::from_unix(1001)), at(SOON));
    cursor.read(&wanted.fresh[1], settled(false), at(SOON));
    assert_eq!(cursor.watermark(), None);
    assert_eq!(cycle(&mut cursor, &[]), [1]);
    assert_eq!(cursor.watermark(), Timestamp::from_unix(1001));
}

#[test]
fn what_cannot_be_read_is_tried_ever_more_seldom_and_holds_the_watermark_back_for_hours() {
    let mut cursor = PollCursor::default();
    let listing = [pipeline(1, Status::Failed, 1000)];
    let mut tried = Vec::new();
    let mut given_up = Vec::new();
    for second in 0..2 * DAY {
        let now = at(2000 + second);
        let plan = cursor.take_listing(listed(listing.to_vec(), Timestamp::from_unix(1000)), now);
        if !ids(&plan).is_empty() {
            tried.push(second);
            if cursor.failed(1, now) {
                given_up.push(second);
            }
        }
        assert_eq!(cursor.watermark().is_none(), given_up.is_empty());
    }
    assert_eq!(tried[..5], [0, 1, 2, 3, 5]);
    assert!(tried.len() > usize::try_from(TRIES).unwrap() && tried.len() < 25);
    assert_eq!(given_up.len(), 1);
    assert!((6 * 60 * 60..DAY).contains(&given_up[0]));
    let moved = [pipeline(1, Status::Failed, 3000)];
    assert_eq!(cycle_at(&mut cursor, &moved, 2 * DAY + 2001, None), [1]);
}

#[test]
fn a_pipeline_whose_child_waits_for_somebody_is_read_ever_more_seldom_and_then_no_more() {
    let mut cursor = PollCursor::default();
    let parent = pipeline(1, Status::Success, 1000);
    let mut listing = vec![parent.clone()];
    let mut read = Vec::new();
    for second in (0..20 * DAY).step_by(30) {
        let now = at(1000 + second);
        let wanted = cursor.take_listing(listed(std::mem::take(&mut listing), None), now);
        if !ids(&wanted).is_empty() {
            read.push(second);
            cursor.read(&parent, settled(true), now);
            cursor.keep_family(&parent, Family::waiting(2), now);
        }
        assert_eq!(cursor.is_active(now), second == 0, "{second}");
    }
    assert_eq!(read[..5], [0, 30, 60, 90, 120], "{read:?}");
    assert!(read.len() < 25, "{read:?}");
    assert!(!cursor.is_open(1));
}

#[test]
fn jobs_that_contradict_their_pipeline_are_read_again_until_they_do_not() {
    let mut cursor = PollCursor::default();
    let ended = [pipeline(1, Status::Failed, 1000)];
    let doubt = Some(Doubt::Unsettled);
    assert_eq!(cycle_at(&mut cursor, &ended, 1000, doubt), [1]);
    assert_eq!(cursor.doubtful_in(at(1000)), Some(1));
    assert!(cursor.take_doubtful(at(1000)).is_empty());
    assert_eq!(cycle_at(&mut cursor, &ended, 1001, doubt), [1]);
    assert_eq!(cycle_at(&mut cursor, &ended, 1002, doubt), NONE);
    assert_eq!(cursor.take_doubtful(at(1003)).len(), 1);
    cursor.read(&ended[0], settled(true), at(1003));
    assert_eq!(cursor.doubtful_in(at(1004)), None);
    assert!(!cursor.is_open(1) && !cursor.is_active(at(1004)));
}

/// The seconds after a movement at which a pipeline is read whose jobs last moved so many seconds before it.
fn read_after_movement(jobs_moved_before: i64) -> Vec<i64> {
    let mut cursor = PollCursor::default();
    let jobs = ReadJobs {
        settled: true,
        moved: Timestamp::from_unix(5000 - jobs_moved_before),
        ..ReadJobs::default()
    };
    let moved = pipeline(1, Status::Failed, 5000);
    let mut found = vec![20];
    cursor.read(&moved, jobs, at(5020));
    for second in 21..1000 {
        for due in cursor.take_doubtful(at(5000 + second)) {
            found.push(second);
            cursor.read(&due, jobs, at(5000 + second));
        }
    }
    assert!(!cursor.is_open(1));
    found
}

#[test]
fn a_movement_that_no_job_explains_is_read_again_until_a_replica_has_caught_up() {
    assert_eq!(read_after_movement(900), [20, 28, 120]);
    assert_eq!(read_after_movement(2), [20]);
    assert_eq!(read_after_movement(-30), [20]);
}

#[test]
fn an_old_movement_that_no_job_explains_is_believed() {
    let mut cursor = PollCursor::default();
    let jobs = ReadJobs {
        moved: Timestamp::from_unix(1000),
        ..settled(true)
    };
    cursor.read(&pipeline(1, Status::Failed, 5000), jobs, at(5200));
    assert!(!cursor.is_open(1));
}

#[test]
fn a_pipeline_that_never_ends_is_read_ever_more_seldom_and_keeps_no_project_active() {
    let mut cursor = PollCursor::default();
    let stuck = [pipeline(1, Status::Created, 1000)];
    let long_ago = 1000 + 90 * DAY;
    assert_eq!(cycle_at(&mut cursor, &stuck, long_ago, None), [1]);
    assert!(cursor.is_active(at(long_ago)), "it was new");
    for second in 1..100 {
        assert_eq!(cycle_at(&mut cursor, &[], long_ago + second, None), NONE);
        assert!(!cursor.is_active(at(long_ago + second)));
    }
    assert_eq!(cycle_at(&mut cursor, &[], long_ago + DAY, None), [1]);
    let moved = [pipeline(1, Status::Failed, long_ago + DAY)];
    assert_eq!(cycle_at(&mut cursor, &moved, long_ago + DAY, None), [1]);
    assert!(!cursor.is_open(1));
}

#[test]
fn a_pipeline_is_found_by_a_child_that_waits_and_let_go_when_that_has_ended() {
    let mut cursor = PollCursor::default();
    let parent = pipeline(1, Status::Success, 1000);
    cursor.keep_family(&parent, Family::waiting(2), at(SOON));
    assert_eq!(cursor.open(2), Some(parent.clone()));
    cursor.read(&parent, settled(true), at(SOON));
    cursor.keep_family(&parent, Family::default(), at(SOON));
    assert_eq!((cursor.open(1), cursor.open(2)), (None, None));
}

#[test]
fn a_pipeline_that_is_gone_is_not_asked_for_again() {
    let mut cursor = PollCursor::new(
        Resume {
            watermark: Timestamp::from_unix(1000),
            known_refs: BTreeSet::new(),
            open: vec![pipeline(1, Status::Running, 900)],
            ..Resume::default()
        },
        at(SOON),
    );
    assert_eq!(
        ids(&cursor.take_listing(listed(vec![], None), at(SOON))),
        [1]
    );
    cursor.removed(1);
    assert_eq!(cycle(&mut cursor, &[]), NONE);
    assert!(!cursor.is_active(at(SOON)));
}

#[test]
fn what_failed_the_last_time_comes_after_what_is_new() {
    let mut cursor = PollCursor::default();
    let wanted = cursor.take_listing(
        listed(vec![pipeline(1, Status::Failed, 1000)], None),
        at(SOON),
    );
    assert_eq!(ids(&wanted), [1]);
    let wanted = cursor.take_listing(
        listed(vec![pipeline(2, Status::Failed, 1001)], None),
        at(SOON),
    );
    assert_eq!(ids(&wanted), [2, 1]);
    assert_eq!(wanted.again.len(), 1);
}

#[test]
fn a_pipeline_whose_jobs_have_ended_is_asked_for_itself_ever_more_seldom() {
    let mut cursor = PollCursor::default();
    let running = pipeline(1, Status::Running, 1000);
    let asked: Vec<bool> = (0..8)
        .map(|_| cursor.read(&running, settled(true), at(SOON)))
        .collect();
    assert_eq!(asked, [false, true, false, true, false, false, false, true]);
    let passed = pipeline(1, Status::Success, 1000);
    assert!(!cursor.read(&passed, settled(true), at(SOON)));
    assert!(!cursor.is_open(1));
}

#[test]
fn another_scope_is_backfilled_and_what_it_leaves_out_is_not_asked_for() {
    let mut cursor = PollCursor::new(
        Resume {
            watermark: Timestamp::from_unix(1000),
            known_refs: BTreeSet::from(["main".into()]),
            ..Resume::default()
        },
        at(SOON),
    );
    assert!(cursor.wants_backfill() && cursor.is_new("next") && !cursor.is_new("main"));
    assert_eq!(
        cycle(&mut cursor, &[pipeline(1, Status::Running, 1000)]),
        [1]
    );
    assert!(!cursor.wants_backfill());
    cursor.rescope(|ref_name| ref_name != "main");
    assert!(cursor.wants_backfill() && cursor.is_new("main"));
    assert_eq!(cycle(&mut cursor, &[]), NONE);
}
