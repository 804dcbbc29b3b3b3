//! What is selected, and in which order.

use super::super::job_state::StreakFacts;
use super::super::sorting::Column as _;
use super::*;
use crate::http::FoldedNames;

struct Job {
    name: String,
    team: Option<&'static str>,
    facts: JobFacts,
}

impl ListedJob for Job {
    fn name(&self) -> &str {
        &self.name
    }

    fn team(&self) -> Option<&str> {
        self.team
    }

    fn facts(&self) -> &JobFacts {
        &self.facts
    }
}

fn job(name: &str, streak: u64, ratio: f64) -> Job {
    Job {
        name: name.to_owned(),
        team: Some("SRE"),
        facts: JobFacts {
            consecutive_failures: streak,
            failure_ratio: ratio,
            last_execution: Timestamp::from_unix(1000 - i64::try_from(streak).unwrap()),
            ..JobFacts::default()
        },
    }
}

/// The jobs of a timeline.
struct Jobs {
    project: &'static str,
    ref_name: &'static str,
    track: Option<&'static str>,
    list: Vec<Job>,
}

fn jobs(list: impl IntoIterator<Item = Job>) -> Jobs {
    Jobs {
        project: "group/app",
        ref_name: "main",
        track: None,
        list: list.into_iter().collect(),
    }
}

/// What is selected: name of the job and number of its timeline.
fn select_of(all: &[Jobs], query: &JobQuery) -> Selection<(usize, String)> {
    let names = all.iter().map(|of| FoldedNames::of(&of.list));
    let names: Vec<FoldedNames> = names.collect();
    let groups = all.iter().enumerate().map(|(number, of)| JobGroup {
        project: of.project,
        ref_name: of.ref_name,
        track: of.track,
        jobs: &of.list[..],
        names: &names[number],
        item: number,
    });
    let groups: Vec<_> = groups.collect();
    let selected = select(&groups, query);
    selected.look_up(|(number, job)| Some((number, job.name.clone())))
}

fn names_of_jobs(selection: Selection<(usize, String)>) -> Vec<String> {
    selection.items.into_iter().map(|(_, name)| name).collect()
}

fn timelines(selection: Selection<(usize, String)>) -> Vec<usize> {
    selection
        .items
        .into_iter()
        .map(|(number, _)| number)
        .collect()
}

const ALL: Paging = Paging {
    offset: 0,
    limit: 9,
};

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
) -> Selection<(usize, String)> {
    let all = jobs([
        job("passes", 0, 0.0),
        job("unsteady", 0, 0.5),
        job("twice", 2, 0.2),
        job("broken", 9, 0.9),
        job("twice more", 2, 0.4),
    ]);
    let filter = JobFilter {
        text: text.to_owned(),
        state: failing_only.then_some(JobState::Failing),
        ..JobFilter::default()
    };
    select_of(&[all], &query(filter, Paging { offset, limit }))
}

fn of_words(text: &str) -> JobFilter {
    JobFilter {
        text: text.to_owned(),
        ..JobFilter::default()
    }
}

#[test]
fn failing_jobs_come_first_by_streak_and_ratio() {
    let expected = ["broken", "twice more", "twice", "unsteady", "passes"];
    assert_eq!(names_of_jobs(selected("", false, 0, 100)), expected);
    for offset in 0..6 {
        let page = names_of_jobs(selected("", false, offset, 2));
        assert_eq!(page, &expected[offset.min(5)..(offset + 2).min(5)]);
    }
}

#[test]
fn all_words_must_occur_somewhere_whatever_their_case() {
    let found = |text| names_of_jobs(selected(text, false, 0, 100));
    assert_eq!(found("sre APP twice more"), ["twice more"]);
    assert_eq!(found("t TWICE wi ce ic i e c").len(), 2);
    let none = selected("twice nothing", false, 0, 100);
    assert_eq!((none.matching, none.failing, none.tracked), (0, 3, 5));
}

#[test]
fn jobs_are_selected_by_project_ref_and_track() {
    let of = |ref_name: &'static str, track: Option<&'static str>| Jobs {
        ref_name,
        track,
        ..jobs([job("e2e", 1, 0.5)])
    };
    let all = [
        of("main", None),
        of("main", Some("nightly")),
        of("1.0", Some("tag")),
    ];
    let found = |filter: JobFilter| timelines(select_of(&all, &query(filter, ALL)));
    let filter = |ref_name: Option<&str>, track: Option<&str>| JobFilter {
        project: Some("group/app".to_owned()),
        ref_name: ref_name.map(str::to_owned),
        track: track.map(str::to_owned),
        ..JobFilter::default()
    };
    assert_eq!(found(filter(None, None)), [2, 0, 1]);
    assert_eq!(found(filter(Some("main"), None)), [0, 1]);
    assert_eq!(found(filter(None, Some("nightly"))), [1]);
    assert_eq!(found(filter(Some("main"), Some(""))), [0]);
    assert_eq!(found(of_words("NIGHTLY e2e")), [1]);
}

#[test]
fn words_of_another_project_do_not_count() {
    let of = |project: &'static str, team: Option<&'static str>| {
        let owned = |name| Job {
            team,
            ..job(name, 1, 0.5)
        };
        Jobs {
            project,
            ..jobs([owned("e2e"), owned("Größe")])
        }
    };
    let all = [
        of("group/shop", Some("Web")),
        of("group/app", None),
        of("group/shop", Some("ÄRZTE")),
    ];
    let found = |text: &str| {
        let mut found = timelines(select_of(&all, &query(of_words(text), ALL)));
        found.sort_unstable();
        found
    };
    assert_eq!(found("shop e2e"), [0, 2]);
    assert_eq!(found("APP main"), [1, 1]);
    assert_eq!(found("shop ärzte"), [2, 2]);
    assert_eq!(found("GRÖSSE ärzte"), [0; 0]);
    assert_eq!(found("GRÖẞE ärzte"), [2]);
    assert_eq!(found("group MAIN"), [0, 0, 1, 1, 2, 2]);
    assert_eq!(found("web e2e"), [0]);
    assert_eq!(found("e2e e"), [0, 1, 2]);
    assert!(found("e2eweb").is_empty());
    assert!(found("e2egröße").is_empty());
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
    // 7919 is prime: in this order, each comes once.
    let shuffled = (0..count).map(|number| &names[number * 7919 % count]);
    let all = [jobs(shuffled.map(|name| job(name, 0, 0.0)))];
    for offset in [0, 100, HELD, 2 * HELD, 3 * HELD - 50] {
        let paging = Paging { offset, limit: 100 };
        let page = select_of(&all, &query(JobFilter::default(), paging));
        assert_eq!(page.matching, count);
        let expected = &names[offset..(offset + 100).min(names.len())];
        assert_eq!(names_of_jobs(page), expected);
    }
}

#[test]
fn a_part_beyond_the_end_is_empty() {
    assert!(selected("", false, usize::MAX, 100).items.is_empty());
}

#[test]
fn every_column_sorts_both_ways_and_leaves_nothing_out() {
    let by = |column: JobColumn, descending: bool| {
        let all = jobs([job("b", 1, 0.1), job("a", 3, 0.3), job("c", 2, 0.2)]);
        let query = JobQuery {
            sorting: Sorting { column, descending },
            ..query(JobFilter::default(), ALL)
        };
        names_of_jobs(select_of(&[all], &query))
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
    let mut slow = job("slow", 1, 0.5);
    slow.facts.streak = Some(Box::new(StreakFacts {
        since: None,
        failure_class: FailureClass::Timeout,
        failure_reason: None,
    }));
    let mut theirs = job("theirs", 1, 0.5);
    theirs.team = Some("web");
    let all = [jobs([slow]), jobs([theirs])];
    let found = |filter: JobFilter| names_of_jobs(select_of(&all, &query(filter, ALL)));
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
