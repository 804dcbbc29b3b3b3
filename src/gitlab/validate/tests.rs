//! Tests of what becomes of GitLab's records.

use serde_json::{Value, json};

use super::super::downstream::Bridge;
use super::*;
use crate::base::label::Label as _;

fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

fn job_of(changes: &Value) -> Result<JobObservation, Rejected> {
    let mut record = json!({
        "id": 7, "name": "unit", "stage": "test", "status": "failed", "allow_failure": false,
        "created_at": "2026-01-01T00:00:00.000Z", "started_at": "2026-01-01T00:00:10.250Z",
        "finished_at": "2026-01-01T00:00:20.500Z", "duration": 10.25, "queued_duration": 9.5,
        "failure_reason": "script_failure", "web_url": "https://git.example/-/jobs/7"
    });
    for (key, value) in changes.as_object().unwrap() {
        record[key] = value.clone();
    }
    decode_one::<TimedJob>(&record.to_string()).map(|(_, timed)| timed.job)
}

fn rejected(changes: &Value) -> (Option<u64>, &'static str, String) {
    let rejected = job_of(changes).unwrap_err();
    (rejected.id, rejected.reason.as_str(), rejected.detail)
}

#[test]
fn every_collected_answer_of_gitlab_decodes_whole() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/gitlab");
    let mut decoded = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|end| end != "json") || name.starts_with("error_") {
            continue;
        }
        let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if name.ends_with("group") {
            value = value["projects"].take();
        }
        let records = match value {
            Value::Array(records) => records,
            single => vec![single],
        };
        assert!(!records.is_empty(), "{name}");
        for record in records {
            let result = decode_by_name(&name, &record.to_string());
            assert_eq!(result, Ok(record["id"].as_u64().unwrap()), "{name}");
            decoded += 1;
        }
    }
    assert!(decoded > 130, "{decoded}");
}

fn decode_by_name(file: &str, record: &str) -> Result<u64, Rejected> {
    if file.contains("bridge") {
        decode_one::<Bridge>(record).map(|(_, bridge)| bridge.job.id)
    } else if file.contains("job") {
        decode_one::<TimedJob>(record).map(|(_, timed)| timed.job.id)
    } else if file.contains("pipeline") {
        decode_one::<PipelineObservation>(record).map(|(_, pipeline)| pipeline.id)
    } else {
        decode_one::<Project>(record).map(|(_, project)| project.id)
    }
}

#[test]
fn a_failed_job_keeps_its_reason_durations_and_link() {
    let job = job_of(&json!({})).unwrap();
    assert_eq!(job.status, Status::Failed);
    assert_eq!(job.failure_reason.as_deref(), Some("script_failure"));
    assert_eq!(job.duration, Span::from_seconds(10.25));
    assert_eq!(job.queued_duration, Span::from_seconds(9.5));
    assert_eq!(job.started_at.unwrap().unix(), 1_767_225_610);
    assert_eq!(job.web_url.as_deref(), Some("https://git.example/-/jobs/7"));
}

#[test]
fn what_means_nothing_yet_is_left_out() {
    let job = job_of(&json!({"status": "running"})).unwrap();
    assert_eq!((job.duration, job.failure_reason), (None, None));
    let job = job_of(&json!({"started_at": null, "failure_reason": "stuck_or_timeout_failure"}));
    assert_eq!(job.unwrap().queued_duration, None);
    let job = job_of(&json!({"status": "pending", "started_at": null}));
    assert_eq!(job.unwrap().queued_duration, Span::from_seconds(9.5));
    let job = job_of(&json!({"status": "success", "failure_reason": "unknown_failure"}));
    assert_eq!(job.unwrap().failure_reason, None);
    let job = job_of(&json!({"web_url": "javascript:alert(1)"})).unwrap();
    assert_eq!(job.web_url, None);
}

#[test]
fn nulls_unknown_words_and_unknown_fields_are_no_reason_to_reject() {
    let job = job_of(&json!({
        "stage": null, "allow_failure": null, "created_at": null, "started_at": null,
        "finished_at": null, "duration": null, "queued_duration": null, "web_url": null,
        "failure_reason": null, "status": "hibernating", "novelty": {"a": [1, null]}
    }))
    .unwrap();
    assert_eq!(job.status, Status::Unknown);
    assert_eq!(&*job.stage, "");
}

#[test]
fn hostile_names_come_through_unchanged() {
    let long = "x".repeat(10_240);
    for name in [
        "a\u{0}b",
        "\"}\n# HELP",
        "\u{202e}txt",
        " ",
        "naïve\\",
        &long,
    ] {
        assert_eq!(&*job_of(&json!({"name": name})).unwrap().name, name);
    }
}

#[test]
fn a_record_that_cannot_be_used_says_what_is_wrong_with_it() {
    for (changes, id, reason, detail) in [
        (json!({"id": null}), None, "missing_id", "`id` is missing"),
        (
            json!({"id": "7"}),
            None,
            "wrong_type",
            "`id` is \"7\", wanted a whole number",
        ),
        (json!({"id": -7}), None, "wrong_type", "`id` is -7"),
        (json!({"id": 7.5}), None, "wrong_type", "`id` is 7.5"),
        (
            json!({"name": null}),
            Some(7),
            "missing_name",
            "`name` is missing",
        ),
        (
            json!({"name": ""}),
            Some(7),
            "missing_name",
            "`name` is missing",
        ),
        (
            json!({"name": 5}),
            Some(7),
            "wrong_type",
            "`name` is 5, wanted a text",
        ),
        (
            json!({"status": null}),
            Some(7),
            "missing_status",
            "`status` is missing",
        ),
        (
            json!({"duration": "long"}),
            Some(7),
            "wrong_type",
            "wanted a number",
        ),
        (
            json!({"allow_failure": 1}),
            Some(7),
            "wrong_type",
            "wanted true or false",
        ),
        (
            json!({"started_at": "soon"}),
            Some(7),
            "invalid_time",
            "`started_at` is \"soon\"",
        ),
    ] {
        let (found_id, found_reason, found_detail) = rejected(&changes);
        assert_eq!((found_id, found_reason), (id, reason), "{changes}");
        assert!(found_detail.contains(detail), "{found_detail}");
    }
}

#[test]
fn bad_records_do_not_take_the_good_ones_with_them() {
    let array = r#"[{"id":3,"name":"a","status":"success"}, null, 5, "x", {}, {"id":1},
        {"id":2,"name":"\ud800","status":"failed"}, {"id":4,"id":4},
        {"id":3,"name":"a again","status":"failed"}, {"id":9,"name":"b","status":"failed"}]"#;
    let listing = decode_pipeline_jobs(&RawValue::from_string(array.into()).unwrap()).jobs;
    let ids: Vec<u64> = listing.items.iter().map(|job| job.id).collect();
    assert_eq!(ids, [3, 9]);
    assert_eq!(&*listing.items[0].name, "a");
    let reasons: Vec<&str> = listing.rejected.iter().map(|r| r.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "wrong_type",
            "wrong_type",
            "wrong_type",
            "missing_id",
            "missing_name",
            "wrong_type",
            "wrong_type"
        ]
    );
    assert_eq!(
        listing.rejected[4].to_string(),
        "job 1 rejected, missing_name: `name` is missing, null or empty"
    );
}

#[test]
fn what_is_no_array_of_jobs_is_one_rejected_record() {
    let listing = decode_pipeline_jobs(&raw(&json!({"id": 1}))).jobs;
    assert_eq!((listing.items.len(), listing.rejected.len()), (0, 1));
}

#[test]
fn the_running_time_keeps_the_milliseconds_of_the_wire() {
    let jobs = decode_pipeline_jobs(&raw(&json!([
        {"id": 1, "name": "a", "status": "success",
         "started_at": "2026-01-01T00:00:00.250Z", "finished_at": "2026-01-01T00:00:10.500Z"},
        {"id": 2, "name": "b", "status": "success",
         "started_at": "2026-01-01T00:00:10.125Z", "finished_at": "2026-01-01T00:00:20.375Z"}
    ])));
    assert_eq!(jobs.running_time, Span::from_seconds(20.125));
}

#[test]
fn a_pipeline_has_a_duration_only_when_it_ended() {
    let record = |status| json!({"id": 1, "ref": "main", "status": status, "duration": 34});
    let decode = |status| decode_pipeline(&raw(&record(status))).unwrap().duration;
    assert_eq!(decode("success"), Span::from_seconds(34.0));
    assert_eq!(decode("running"), None);
    let without_ref = decode_pipeline(&raw(&json!({"id": 1, "status": "failed"})));
    assert_eq!(without_ref.unwrap_err().reason, RejectReason::MissingRef);
}

#[test]
fn the_tags_of_a_job_are_sorted_and_odd_ones_are_none() {
    for (list, wanted) in [
        (json!(["linux", "docker", "linux", " "]), "docker,linux"),
        (json!(["ü\"x"]), "ü\"x"),
        (json!([]), ""),
        (json!(null), ""),
        (json!("docker"), ""),
        (json!([1, {"a": 2}]), ""),
    ] {
        let job = job_of(&json!({"tag_list": list})).unwrap();
        assert_eq!(&*job.tags, wanted, "{list}");
    }
}

#[test]
fn only_failed_jobs_tell_the_commit_of_their_pipeline() {
    let job = |id: u64, status: &str, username: &str| {
        json!({
            "id": id, "name": "unit", "status": status,
            "commit": {"title": "Fix it", "author_name": "Ada Lovelace"},
            "user": {"name": if username == "ada" { "Ada Lovelace" } else { "Grace" }, "username": username},
        })
    };
    let of = |jobs: Value| decode_pipeline_jobs(&raw(&jobs)).commit;
    assert_eq!(
        of(json!([job(1, "success", "ada"), job(2, "running", "ada")])),
        None
    );
    let told = of(json!([job(1, "failed", "grace")])).unwrap();
    assert_eq!(
        (&*told.title, &*told.author, told.handle),
        ("Fix it", "Ada Lovelace", None)
    );
    // The first attempt was the author's, whoever retried it.
    let told = of(json!([job(2, "failed", "grace"), job(1, "failed", "ada")])).unwrap();
    assert_eq!(told.handle.as_deref(), Some("ada"));
}
