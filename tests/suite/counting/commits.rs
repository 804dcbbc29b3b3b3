//! Title and author of the first failing commit.

use ci_history::{Failing, JobObservation, Rules, Status, Timeline};
use job_failure_exporter::store::{Saved, SavedScope, decode, encode};

use super::{at, figures, job, pipeline, timeline};

fn failing(timeline: &Timeline, rules: &Rules) -> Failing {
    figures(timeline, "unit", rules).failing.unwrap()
}

fn title(timeline: &Timeline, rules: &Rules) -> Option<String> {
    let info = failing(timeline, rules).first_failing_info?;
    Some(info.title().to_owned())
}

fn see(timeline: &mut Timeline, id: u64, status: Status, rules: &Rules) {
    let unit: JobObservation = job(id * 10, "unit", status);
    timeline.observe(&pipeline(id, status), &[unit], rules, at(0));
}

fn restarted(timeline: &Timeline, rules: &Rules) -> Timeline {
    let saved = Saved {
        timeline: timeline.clone(),
        watermark: None,
        has_gap: false,
        scope: SavedScope::default(),
    };
    decode(&encode(&saved, rules)).unwrap().timeline
}

#[test]
fn the_first_failing_commit_keeps_its_title_for_as_long_as_the_job_fails() {
    let rules = Rules {
        window: 3,
        ..Rules::default()
    };
    let mut timeline = timeline();
    see(&mut timeline, 1, Status::Success, &rules);
    // Far beyond the window, and over restarts.
    for id in 2..=40 {
        see(&mut timeline, id, Status::Failed, &rules);
        timeline = restarted(&timeline, &rules);
        assert_eq!(
            title(&timeline, &rules).as_deref(),
            Some("Change 2"),
            "{id}"
        );
    }
    assert!(timeline.jobs["unit"].history.baseline.streak > 20);
    let pipelines = timeline.rows(&rules).pipelines.failing.unwrap();
    assert_eq!(pipelines.first_failing_info.unwrap().title(), "Change 2");
    let document = |timeline: &Timeline| {
        let text = encode(
            &Saved {
                timeline: timeline.clone(),
                watermark: None,
                has_gap: false,
                scope: SavedScope::default(),
            },
            &rules,
        );
        String::from_utf8(text).unwrap()
    };
    let text = document(&timeline);
    assert_eq!(text.matches("\"Change 2\"").count(), 1, "{text}");
    // GitLab told nothing of pipeline 42.
    see(&mut timeline, 41, Status::Success, &rules);
    see(&mut timeline, 42, Status::Failed, &rules);
    assert_eq!(title(&timeline, &rules), None);
    for id in 50..90 {
        see(&mut timeline, id, Status::Success, &rules);
    }
    assert!(!document(&timeline).contains("Change"), "nothing fails");
}

#[test]
fn a_late_pipeline_and_a_retry_change_the_commit_to_blame() {
    let rules = Rules::default();
    let mut timeline = timeline();
    see(&mut timeline, 7, Status::Failed, &rules);
    see(&mut timeline, 5, Status::Failed, &rules);
    assert_eq!(title(&timeline, &rules).as_deref(), Some("Change 5"));
    let retried = [
        job(50, "unit", Status::Failed),
        job(51, "unit", Status::Success),
    ];
    timeline.observe(&pipeline(5, Status::Success), &retried, &rules, at(0));
    assert_eq!(title(&timeline, &rules).as_deref(), Some("Change 7"));
}
