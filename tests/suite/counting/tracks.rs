//! Tracks: which timeline a pipeline belongs to, and that changing them loses nothing.

use ci_history::{
    ALL_MERGE_REQUESTS, Outcome, PipelineObservation, Rules, Status, Timeline, TimelineKey, Track,
    Tracks,
};

use Status::{Failed, Success};

use super::{at, figures, job, pipeline, timeline};

fn nightly() -> Tracks {
    let track = Track {
        name: "nightly".into(),
        sources: vec!["schedule"],
    };
    Tracks::new(vec![track], false)
}

fn from(id: u64, source: &str, status: Status) -> PipelineObservation {
    PipelineObservation {
        source: Some(source.into()),
        ..pipeline(id, status)
    }
}

/// Three pushes that pass, and a night that fails, over and over.
fn mixed(days: u64) -> Timeline {
    let mut timeline = timeline();
    for id in 1..=days * 4 {
        let (source, status) = if id % 4 == 0 {
            ("schedule", Failed)
        } else {
            ("push", Success)
        };
        let jobs = [job(id * 10, "e2e", status)];
        timeline.observe(&from(id, source, status), &jobs, &Rules::default(), at(0));
    }
    timeline
}

fn key(track: Option<&str>) -> TimelineKey {
    TimelineKey::new(1, "main").with_track(track.map(Into::into))
}

#[test]
fn the_first_track_with_the_source_takes_a_pipeline_and_tags_have_their_own() {
    let tracks = nightly();
    assert_eq!(tracks.key(1, &from(1, "push", Success)), key(None));
    assert_eq!(
        tracks.key(1, &from(1, "schedule", Success)),
        key(Some("nightly"))
    );
    let tag = PipelineObservation {
        tag: true,
        ..from(1, "schedule", Success)
    };
    assert_eq!(tracks.key(1, &tag), key(Some("tag")));
    assert!(tracks.key(1, &tag).is_tag());
}

#[test]
fn merge_requests_together_have_one_timeline() {
    let of = |number: u64| PipelineObservation {
        ref_name: format!("refs/merge-requests/{number}/head").into(),
        ..from(number, "merge_request_event", Success)
    };
    let together = Tracks::new(Vec::new(), true);
    assert_eq!(&*together.key(1, &of(7)).ref_name, ALL_MERGE_REQUESTS);
    assert_eq!(together.key(1, &of(7)), together.key(1, &of(8)));
    let apart = Tracks::default();
    assert_eq!(
        &*apart.key(1, &of(7)).ref_name,
        "refs/merge-requests/7/head"
    );
}

#[test]
fn a_new_track_takes_its_pipelines_out_of_the_saved_timeline_and_none_is_lost() {
    let rules = Rules::default();
    let parts = mixed(3).place(&nightly(), &rules);
    let keys: Vec<_> = parts.iter().map(|part| part.key.clone()).collect();
    assert_eq!(keys, [key(None), key(Some("nightly"))]);
    let (pushes, nights) = (
        figures(&parts[0], "e2e", &rules),
        figures(&parts[1], "e2e", &rules),
    );
    assert_eq!(
        (pushes.consecutive_failures, pushes.window_failures),
        (0, 0)
    );
    assert_eq!(
        (nights.consecutive_failures, nights.window_executions),
        (3, 3)
    );
    assert_eq!(pushes.executions.get(Outcome::Passed), 9);
    assert_eq!(nights.executions.get(Outcome::Failed), 3);
    // Placing what is in its place changes nothing.
    assert_eq!(
        parts[1].clone().place(&nightly(), &rules),
        [parts[1].clone()]
    );
}

#[test]
fn introducing_and_removing_a_track_ends_where_it_began() {
    let rules = Rules::default();
    for days in [2, 3, 10, 30] {
        let before = mixed(days);
        let mut parts = before.clone().place(&nightly(), &rules).into_iter();
        let mut after = parts.next().unwrap();
        for part in parts {
            let placed = part.place(&Tracks::default(), &rules);
            assert_eq!(
                placed.len(),
                1,
                "the source of its pipelines has no track now"
            );
            assert_eq!(placed[0].key, key(None));
            after.absorb(placed[0].clone(), &rules);
        }
        let (was, is) = (
            figures(&before, "e2e", &rules),
            figures(&after, "e2e", &rules),
        );
        assert_eq!(is.consecutive_failures, was.consecutive_failures);
        assert_eq!(is.window, was.window, "{days} days");
        assert_eq!(is.executions, was.executions, "{days} days");
        assert_eq!(after.finished, before.finished);
    }
}

#[test]
fn a_pass_on_the_other_track_ends_the_streak_when_tracks_are_joined() {
    let rules = Rules::default();
    let of = |source: &str, ids: Vec<u64>, status| {
        let mut timeline = timeline();
        for id in ids {
            let jobs = [job(id * 10, "e2e", status)];
            timeline.observe(&from(id, source, status), &jobs, &rules, at(0));
        }
        timeline
    };
    // The streak reaches back before the window; the last push passed within it.
    let mut nights = of("schedule", (1..=40).map(|n| n * 2).collect(), Failed);
    let pushes = of("push", vec![1, 3, 41], Success);
    assert_eq!(figures(&nights, "e2e", &rules).consecutive_failures, 40);
    nights.absorb(pushes, &rules);
    let joined = figures(&nights, "e2e", &rules);
    assert!(
        joined.consecutive_failures <= 20,
        "{}",
        joined.consecutive_failures
    );
    assert_eq!(joined.executions.get(Outcome::Passed), 3);
    assert_eq!(joined.executions.get(Outcome::Failed), 40);
}

fn track(name: &str, sources: &[&'static str]) -> Tracks {
    let track = Track {
        name: name.into(),
        sources: sources.to_vec(),
    };
    Tracks::new(vec![track], false)
}

#[test]
fn a_track_with_another_name_keeps_its_whole_history() {
    let rules = Rules::default();
    let mut nights = timeline();
    for id in 1..=40 {
        let jobs = [job(id * 10, "e2e", Failed)];
        nights.observe(&from(id, "schedule", Failed), &jobs, &rules, at(0));
    }
    // Introduced, renamed and removed.
    let nightly = nights
        .clone()
        .place(&track("nightly", &["schedule"]), &rules);
    let night = nightly[0]
        .clone()
        .place(&track("night", &["schedule"]), &rules);
    let removed = night[0].clone().place(&Tracks::default(), &rules);
    let parts = [
        (nightly, Some("nightly")),
        (night, Some("night")),
        (removed, None),
    ];
    for (parts, track) in parts {
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].key, key(track));
        let figures = figures(&parts[0], "e2e", &rules);
        assert_eq!(figures.consecutive_failures, 40);
        assert_eq!(figures.executions.get(Outcome::Failed), 40);
    }
}

#[test]
fn a_job_of_one_track_alone_takes_its_whole_history_along() {
    let rules = Rules::default();
    let mut timeline = mixed(10);
    for id in 41..=80 {
        let source = if id % 2 == 0 { "schedule" } else { "push" };
        let mut jobs = vec![job(id * 10, "e2e", Success)];
        if source == "schedule" {
            jobs.push(job(id * 10 + 1, "soak", Failed));
        }
        timeline.observe(&from(id, source, Failed), &jobs, &rules, at(0));
    }
    let parts = timeline.place(&nightly(), &rules);
    let soak = figures(&parts[1], "soak", &rules);
    assert_eq!(soak.consecutive_failures, 20);
    assert_eq!(soak.executions.get(Outcome::Failed), 20);
    assert!(!parts[0].jobs.contains_key("soak"));
}

#[test]
fn what_was_absorbed_before_changes_nothing() {
    let rules = Rules::default();
    let mut parts = mixed(30).place(&nightly(), &rules).into_iter();
    let (pushes, nights) = (parts.next().unwrap(), parts.next().unwrap());
    let mut joined = pushes.clone();
    joined.absorb(nights.clone(), &rules);
    let once = joined.clone();
    joined.absorb(nights.clone(), &rules);
    assert_eq!(joined, once);
    let mut other_way = nights;
    other_way.absorb(once.clone(), &rules);
    assert_eq!(other_way.jobs, once.jobs);
}

#[test]
fn executions_that_a_track_reads_back_leave_the_sums_of_the_others() {
    let rules = Rules::default();
    let before = mixed(30);
    let total = |timeline: &Timeline| figures(timeline, "e2e", &rules).executions.total();
    let mut parts = before.clone().place(&nightly(), &rules).into_iter();
    let (mut pushes, mut nights) = (parts.next().unwrap(), parts.next().unwrap());
    for id in (1..=30).map(|day| day * 4) {
        let pipeline = from(id, "schedule", Failed);
        assert!(pushes.may_mix(id));
        let tallies = nights.tallies();
        let jobs = [job(id * 10, "e2e", Failed)];
        nights.observe(&pipeline, &jobs, &rules, at(0));
        pushes.uncount(&pipeline, &tallies, &nights.tallies());
    }
    assert_eq!(figures(&nights, "e2e", &rules).consecutive_failures, 30);
    assert_eq!(total(&nights), 30);
    assert_eq!(total(&pushes) + total(&nights), total(&before));
    assert!(
        !pushes.may_mix(121),
        "a later night was never counted there"
    );
}
