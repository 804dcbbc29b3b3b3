//! What is selected, and in which order.

use super::super::sorting::Column as _;
use super::*;

fn candidate(name: &'static str, streak: u64, ratio: f64) -> Candidate<'static, &'static str> {
    let facts = Box::leak(Box::new(JobFacts {
        consecutive_failures: streak,
        failure_ratio: ratio,
        last_execution: Timestamp::from_unix(1000 - i64::try_from(streak).unwrap()),
        ..JobFacts::default()
    }));
    Candidate {
        project: "group/app",
        ref_name: "main",
        track: None,
        job_name: name,
        team: Some("SRE"),
        facts,
        item: name,
    }
}

fn query(filter: JobFilter, paging: Paging) -> JobQuery {
    JobQuery {
        filter,
        sorting: Sorting::by(JobColumn::Streak),
        paging,
        now: Timestamp::of_clock(5000),
    }
}

fn selected(
    text: &str,
    failing_only: bool,
    offset: usize,
    limit: usize,
) -> Selection<&'static str> {
    let all = [
        candidate("passes", 0, 0.0),
        candidate("unsteady", 0, 0.5),
        candidate("twice", 2, 0.2),
        candidate("broken", 9, 0.9),
        candidate("twice more", 2, 0.4),
    ];
    let filter = JobFilter {
        text: text.to_owned(),
        state: failing_only.then_some(JobState::Failing),
        ..JobFilter::default()
    };
    select(all.into_iter(), &query(filter, Paging { offset, limit }))
}

#[test]
fn failing_jobs_come_first_by_streak_and_ratio() {
    let expected = ["broken", "twice more", "twice", "unsteady", "passes"];
    assert_eq!(selected("", false, 0, 100).items, expected);
    for offset in 0..6 {
        let page = selected("", false, offset, 2).items;
        assert_eq!(page, &expected[offset.min(5)..(offset + 2).min(5)]);
    }
}

#[test]
fn all_words_must_occur_somewhere_whatever_their_case() {
    assert_eq!(
        selected("sre APP twice more", false, 0, 100).items,
        ["twice more"]
    );
    let none = selected("twice nothing", false, 0, 100);
    assert_eq!((none.matching, none.failing, none.tracked), (0, 3, 5));
}

#[test]
fn jobs_are_selected_by_project_ref_and_track() {
    let of = |ref_name: &'static str, track: Option<&'static str>, item: &'static str| Candidate {
        ref_name,
        track,
        item,
        ..candidate("e2e", 1, 0.5)
    };
    let found = |filter: JobFilter| {
        let all = [
            of("main", None, "pushes"),
            of("main", Some("nightly"), "nights"),
            of("1.0", Some("tag"), "tag"),
        ];
        let paging = Paging {
            offset: 0,
            limit: 9,
        };
        select(all.into_iter(), &query(filter, paging)).items
    };
    let filter = |ref_name: Option<&str>, track: Option<&str>| JobFilter {
        project: Some("group/app".to_owned()),
        ref_name: ref_name.map(str::to_owned),
        track: track.map(str::to_owned),
        ..JobFilter::default()
    };
    assert_eq!(found(filter(None, None)), ["tag", "pushes", "nights"]);
    assert_eq!(found(filter(Some("main"), None)), ["pushes", "nights"]);
    assert_eq!(found(filter(None, Some("nightly"))), ["nights"]);
    assert_eq!(found(filter(Some("main"), Some(""))), ["pushes"]);
    let words = JobFilter {
        text: "NIGHTLY e2e".to_owned(),
        ..JobFilter::default()
    };
    assert_eq!(found(words), ["nights"]);
}

#[test]
fn words_of_another_project_do_not_count() {
    let of = |project: &'static str, team: Option<&'static str>, item: &'static str| Candidate {
        project,
        team,
        item,
        ..candidate("e2e", 1, 0.5)
    };
    let found = |text: &str| {
        let all = [
            of("group/shop", Some("Web"), "first"),
            of("group/app", None, "second"),
            of("group/shop", Some("ÄRZTE"), "third"),
        ];
        let filter = JobFilter {
            text: text.to_owned(),
            ..JobFilter::default()
        };
        let paging = Paging {
            offset: 0,
            limit: 9,
        };
        let mut items = select(all.into_iter(), &query(filter, paging)).items;
        items.sort_unstable();
        items
    };
    assert_eq!(found("shop e2e"), ["first", "third"]);
    assert_eq!(found("APP main"), ["second"]);
    assert_eq!(found("shop ärzte"), ["third"]);
    assert_eq!(found("group MAIN"), ["first", "second", "third"]);
    assert!(found("e2eweb").is_empty());
    assert!(found("app shop").is_empty());
}

#[test]
fn only_failing_jobs_are_shown_when_asked_for() {
    let page = selected("", true, 0, 1);
    assert_eq!((page.items.len(), page.matching, page.tracked), (1, 3, 5));
}

#[test]
fn a_search_is_bounded_in_words_and_bytes() {
    let check = |text: String| {
        let filter = JobFilter {
            text,
            ..JobFilter::default()
        };
        filter.check()
    };
    assert_eq!(check("j ".repeat(MOST_WORDS)), Ok(()));
    assert_eq!(check("j".repeat(LONGEST_TEXT)), Ok(()));
    let refused = check("j ".repeat(MOST_WORDS + 1)).unwrap_err();
    assert_eq!(refused, "`q` has 9 words, at most 8 are searched for");
    let refused = check("j".repeat(LONGEST_TEXT + 1)).unwrap_err();
    assert_eq!(
        refused,
        "`q` has 257 characters, at most 256 are searched for"
    );
}

#[test]
fn of_many_jobs_any_part_is_in_order() {
    let count = 3 * HELD;
    let names: Vec<String> = (0..count).map(|number| format!("{number:05}")).collect();
    let facts = JobFacts::default();
    for offset in [0, 100, HELD, 2 * HELD, 3 * HELD - 50] {
        // 7919 is prime: in this order, each comes once.
        let all = (0..count).map(|number| &*names[number * 7919 % count]);
        let all = all.map(|name| Candidate {
            project: "group/app",
            ref_name: "main",
            track: None,
            job_name: name,
            team: None,
            facts: &facts,
            item: name,
        });
        let paging = Paging { offset, limit: 100 };
        let page = select(all, &query(JobFilter::default(), paging));
        assert_eq!(page.items, &names[offset..(offset + 100).min(names.len())]);
        assert_eq!(page.matching, count);
    }
}

#[test]
fn a_part_beyond_the_end_is_empty() {
    assert!(selected("", false, usize::MAX, 100).items.is_empty());
}

#[test]
fn every_column_sorts_both_ways_and_leaves_nothing_out() {
    let by = |column: JobColumn, descending: bool| {
        let all = [
            candidate("b", 1, 0.1),
            candidate("a", 3, 0.3),
            candidate("c", 2, 0.2),
        ];
        let paging = Paging {
            offset: 0,
            limit: 9,
        };
        let query = JobQuery {
            sorting: Sorting { column, descending },
            ..query(JobFilter::default(), paging)
        };
        select(all.into_iter(), &query).items
    };
    for column in JobColumn::ALL {
        for descending in [true, false] {
            assert_eq!(by(*column, descending).len(), 3, "{column:?}");
        }
    }
    assert_eq!(by(JobColumn::Job, false), ["a", "b", "c"]);
    assert_eq!(by(JobColumn::Job, true), ["c", "b", "a"]);
    assert_eq!(by(JobColumn::Ratio, false), ["b", "c", "a"]);
    assert_eq!(by(JobColumn::Streak, false), ["b", "c", "a"]);
    assert_eq!(by(JobColumn::LastExecution, true), ["b", "c", "a"]);
    // Equal in this column: the longest streak first.
    assert_eq!(by(JobColumn::Team, true), ["a", "c", "b"]);
}

#[test]
fn jobs_are_selected_by_team_and_by_class() {
    let facts = JobFacts {
        consecutive_failures: 1,
        failure_class: Some(FailureClass::Timeout),
        ..JobFacts::default()
    };
    let found = |filter: JobFilter| {
        let slow = Candidate {
            facts: &facts,
            ..candidate("slow", 1, 0.5)
        };
        let theirs = Candidate {
            team: Some("web"),
            ..candidate("theirs", 1, 0.5)
        };
        let paging = Paging {
            offset: 0,
            limit: 9,
        };
        select([slow, theirs].into_iter(), &query(filter, paging)).items
    };
    let of_team = JobFilter {
        team: Some("web".to_owned()),
        ..JobFilter::default()
    };
    assert_eq!(found(of_team), ["theirs"]);
    let of_class = JobFilter {
        class: Some(FailureClass::Timeout),
        ..JobFilter::default()
    };
    assert_eq!(found(of_class), ["slow"]);
}
