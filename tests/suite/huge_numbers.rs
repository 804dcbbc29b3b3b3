//! Documents with numbers of any size: they are refused, or counting goes on without an overflow.

use ci_history::{
    JobObservation, PipelineObservation, Rules, Status, Timeline, TimelineKey, Timestamp,
};
use job_failure_exporter::store::{
    DocumentError, Saved, SavedScope, decode, decode_v2, encode, encode_v2,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::state_import::{export, offline, offline_import, v2, write};

const NOW: i64 = 1_700_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(NOW + seconds.cast_signed()).unwrap()
}

/// Counts one pipeline with a job `build` and a job `lint`.
fn observe(timeline: &mut Timeline, id: u64, fails: bool, rules: &Rules) {
    let status = if fails {
        Status::Failed
    } else {
        Status::Success
    };
    let offset = id % 1_000_000;
    let pipeline = PipelineObservation {
        id,
        ref_name: "main".into(),
        tag: false,
        sha: format!("commit-{id}").into(),
        status,
        source: Some("push".into()),
        created_at: Some(at(offset)),
        updated_at: Some(at(offset + 9)),
        duration: None,
        failure_reason: None,
        web_url: None,
        has_other_jobs: false,
        commit_info: None,
        is_partial: false,
    };
    let job = |number: u64, name: &str, status| JobObservation {
        id: id.saturating_mul(10).saturating_add(number),
        name: name.into(),
        stage: "test".into(),
        tags: "".into(),
        status,
        allow_failure: false,
        created_at: Some(at(offset)),
        started_at: Some(at(offset + 1)),
        finished_at: Some(at(offset + 8)),
        duration: None,
        queued_duration: None,
        moved_at: None,
        failure_reason: None,
        web_url: None,
    };
    // `build` was retried once.
    let jobs = [
        job(1, "build", Status::Failed),
        job(2, "build", status),
        job(3, "lint", Status::Success),
    ];
    timeline.observe(&pipeline, &jobs, rules, at(offset + 10));
}

/// The document of a ref with a full window and more before it.
fn document(rules: &Rules) -> Value {
    let key = TimelineKey::new(7, "main");
    let mut timeline = Timeline::new(key, "acme/app".into(), None);
    for id in 1..=40 {
        observe(&mut timeline, id, id % 3 > 0, rules);
    }
    let saved = Saved {
        timeline,
        watermark: Some(at(50)),
        has_gap: false,
        scope: SavedScope::default(),
    };
    serde_json::from_slice(&encode(&saved, rules)).unwrap()
}

/// The places of all numbers, but for the version.
fn numbers(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(_) if path != "/version" => found.push(path.to_owned()),
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                numbers(item, &format!("{path}/{place}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                numbers(field, &format!("{path}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn odd_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(u64::MAX)),
        Just(json!(u64::MAX - 1)),
        Just(json!(i64::MAX)),
        Just(json!(i64::MIN)),
        Just(json!(-1)),
        Just(json!(0)),
        Just(json!(1e300)),
        Just(json!(0.5)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
    ]
}

/// Counts on, and takes all figures.
fn goes_on(saved: &mut Saved, rules: &Rules) {
    let before = saved.clone();
    let next = saved.timeline.newest_finished().saturating_add(1);
    for step in 0..15 {
        observe(
            &mut saved.timeline,
            next.saturating_add(step),
            step % 4 > 0,
            rules,
        );
    }
    saved.timeline.trim(rules);
    saved.merge(&before, rules);
    saved.timeline.expire(at(0), rules);
    let rows = saved.timeline.rows(rules);
    for row in &rows.jobs {
        assert!(row.figures.executions.total() >= 1, "{row:?}");
    }
    encode_v2(&saved.timeline, rules);
}

proptest! {
    #[test]
    fn no_number_of_a_document_overflows(
        changes in prop::collection::vec((any::<prop::sample::Index>(), odd_number()), 1..4),
    ) {
        let rules = Rules::default();
        let mut document = document(&rules);
        let mut places = Vec::new();
        numbers(&document, "", &mut places);
        for (place, number) in changes {
            *document.pointer_mut(place.get::<String>(&places)).unwrap() = number;
        }
        match decode(document.to_string().as_bytes()) {
            Ok(mut saved) => {
                let again = decode(&encode(&saved, &rules)).unwrap();
                prop_assert_eq!(&again, &saved);
                goes_on(&mut saved, &rules);
            }
            Err(error) => prop_assert!(matches!(error, DocumentError::Malformed { .. }), "{}", error),
        }
    }

    #[test]
    fn an_imported_streak_of_any_length_grows_and_never_starts_anew(failures in any::<u64>(), more in 1_u64..5) {
        let rules = Rules::default();
        let text = v2(5, 3).to_string().replace("\"consecutive_failures\":3", &format!("\"consecutive_failures\":{failures}"));
        let key = TimelineKey::new(7, "main");
        let mut timeline = decode_v2(text.as_bytes(), key, "acme/app".into(), &rules).unwrap();
        for id in 6..6 + more {
            observe(&mut timeline, id, true, &rules);
        }
        let rows = timeline.rows(&rules);
        let build = rows.jobs.iter().find(|row| &*row.name == "build").unwrap();
        prop_assert_eq!(build.figures.consecutive_failures, failures.saturating_add(more));
    }
}

#[tokio::test]
async fn an_import_refuses_numbers_that_are_no_counts_and_says_what_becomes_of_huge_ones() {
    let place = offline();
    for number in [
        "-1",
        "1e300",
        "0.5",
        "18446744073709551616",
        "\"NaN\"",
        "null",
    ] {
        let text = v2(5, 3).to_string();
        let text = text.replace(
            "\"consecutive_failures\":3",
            &format!("\"consecutive_failures\":{number}"),
        );
        assert!(text.contains(number));
        let file = write(&place, "odd.json", &text);
        let said = place.run(&offline_import(&file)).await.refused();
        assert!(
            said.contains("at `jobs.build.consecutive_failures`: invalid"),
            "{number}: {said}"
        );
    }
    let file = write(&place, "late.json", &v2(u64::MAX, 3).to_string());
    let said = place.run(&offline_import(&file)).await.refused();
    assert!(said.contains("wanted an id of GitLab"), "{said}");

    let mut huge = v2(5, 3);
    huge["jobs"]["build"]["consecutive_failures"] = json!(u64::MAX);
    let file = write(&place, "huge.json", &huge.to_string());
    let run = place.run(&offline_import(&file)).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    let said = &run.err;
    assert!(
        said.contains("counting ends at 18446744073709551615"),
        "{said}"
    );
    assert_eq!(export(&place, "datadog-v2").await, huge);
}
