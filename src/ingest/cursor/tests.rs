//! Tests of what is read when.

use super::super::pending::TRIES;
use super::*;
use ci_history::Status;

fn pipeline(id: u64, status: Status, updated_at: i64) -> PipelineObservation {
    PipelineObservation {
        id,
        ref_name: "main".into(),
        tag: false,
        sha: "abc".into(),
        status,
        source: None,
        created_at: None,
        updated_at: Timestamp::from_unix(updated_at),
        duration: None,
        failure_reason: None,
        web_url: None,
    }
}

fn ids(wanted: &ReadPlan) -> Vec<u64> {
    let all = wanted.fresh.iter().chain(&wanted.again);
    all.map(|pipeline| pipeline.id).collect()
}

const NONE: [u64; 0] = [];

/// One cycle in which all wanted pipelines are read.
fn cycle(cursor: &mut PollCursor, listing: &[PipelineObservation]) -> Vec<u64> {
    let latest = listing.iter().filter_map(|p| p.updated_at).max();
    let wanted = cursor.take_listing(listing.to_vec(), latest);
    for pipeline in wanted.fresh.iter().chain(&wanted.again) {
        cursor.read(pipeline, false);
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
    let mut cursor = PollCursor::new(Resume::default());
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
    assert!(cursor.is_active());
    assert_eq!(cycle(&mut cursor, &[]), [1]);
    assert_eq!(
        cycle(&mut cursor, &[pipeline(1, Status::Success, 3000)]),
        [1]
    );
    assert_eq!(
        cycle(&mut cursor, &[pipeline(1, Status::Success, 3000)]),
        NONE
    );
    assert!(!cursor.is_active());
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
    let wanted = cursor.take_listing(listing, Timestamp::from_unix(1001));
    cursor.read(&wanted.fresh[1], false);
    assert_eq!(cursor.watermark(), None);
    assert_eq!(cycle(&mut cursor, &[]), [1]);
    assert_eq!(cursor.watermark(), Timestamp::from_unix(1001));
}

#[test]
fn what_cannot_be_read_for_hours_is_given_up_until_it_moves() {
    let mut cursor = PollCursor::default();
    let listing = [pipeline(1, Status::Failed, 1000)];
    let at = |hour: i64| Timestamp::from_unix(2000 + hour * 60 * 60).unwrap();
    let mut try_at = |hour| {
        let wanted = cursor.take_listing(listing.to_vec(), Timestamp::from_unix(1000));
        assert_eq!(ids(&wanted), [1]);
        cursor.failed(1, at(hour))
    };
    let many_at_once = (0..3 * TRIES).any(|_| try_at(0));
    assert!(!many_at_once);
    assert!(!try_at(5));
    assert!(try_at(6));
    assert_eq!(cursor.watermark(), Timestamp::from_unix(1000));
    assert_eq!(cycle(&mut cursor, &listing), NONE);
    assert_eq!(
        cycle(&mut cursor, &[pipeline(1, Status::Failed, 3000)]),
        [1]
    );
}

#[test]
fn a_pipeline_whose_child_waits_for_somebody_is_read_ever_more_seldom_and_then_no_more() {
    let mut cursor = PollCursor::default();
    let parent = pipeline(1, Status::Success, 1000);
    let mut listing = vec![parent.clone()];
    let mut read = Vec::new();
    for number in 0..2 * LONGEST_WAIT {
        let wanted = cursor.take_listing(std::mem::take(&mut listing), None);
        if !ids(&wanted).is_empty() {
            read.push(number);
            cursor.read(&parent, true);
            cursor.keep_family(&parent, Family::waiting(2));
        }
        assert!(cursor.is_active() || number > 0);
    }
    assert_eq!(read[..6], [0, 1, 2, 4, 8, 16]);
    assert_eq!(read.len(), 13, "{read:?}");
    assert!(!cursor.is_active() && !cursor.is_open(1));
}

#[test]
fn a_pipeline_is_found_by_a_child_that_waits_and_let_go_when_that_has_ended() {
    let mut cursor = PollCursor::default();
    let parent = pipeline(1, Status::Success, 1000);
    cursor.keep_family(&parent, Family::waiting(2));
    assert_eq!(cursor.open(2), Some(parent.clone()));
    cursor.read(&parent, true);
    cursor.keep_family(&parent, Family::default());
    assert_eq!((cursor.open(1), cursor.open(2)), (None, None));
}

#[test]
fn a_pipeline_that_is_gone_is_not_asked_for_again() {
    let mut cursor = PollCursor::new(Resume {
        watermark: Timestamp::from_unix(1000),
        known_refs: BTreeSet::new(),
        open: vec![pipeline(1, Status::Running, 900)],
    });
    assert_eq!(ids(&cursor.take_listing(vec![], None)), [1]);
    cursor.removed(1);
    assert_eq!(cycle(&mut cursor, &[]), NONE);
    assert!(!cursor.is_active());
}

#[test]
fn what_failed_the_last_time_comes_after_what_is_new() {
    let mut cursor = PollCursor::default();
    let wanted = cursor.take_listing(vec![pipeline(1, Status::Failed, 1000)], None);
    assert_eq!(ids(&wanted), [1]);
    let wanted = cursor.take_listing(vec![pipeline(2, Status::Failed, 1001)], None);
    assert_eq!(ids(&wanted), [2, 1]);
    assert_eq!(wanted.again.len(), 1);
}

#[test]
fn a_pipeline_whose_jobs_have_ended_is_asked_for_itself_ever_more_seldom() {
    let mut cursor = PollCursor::default();
    let running = pipeline(1, Status::Running, 1000);
    let asked: Vec<bool> = (0..8).map(|_| cursor.read(&running, true)).collect();
    assert_eq!(asked, [false, true, false, true, false, false, false, true]);
    assert!(!cursor.read(&pipeline(1, Status::Success, 1000), true));
    assert!(!cursor.is_open(1));
}

#[test]
fn another_scope_is_backfilled_and_what_it_leaves_out_is_not_asked_for() {
    let mut cursor = PollCursor::new(Resume {
        watermark: Timestamp::from_unix(1000),
        known_refs: BTreeSet::from(["main".into()]),
        open: vec![],
    });
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
