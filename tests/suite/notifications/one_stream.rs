//! One broken job is one stream: one incident whose severity rises, and one acknowledgement for all of it.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;

use super::stage::{Stage, alert};
use crate::silence_link::{matchers, of_job};

const REPEATEDLY: &str = "CIJobFailingRepeatedly";
const FOR_LONG: &str = "CIJobFailingForLong";

/// The text of a message to Slack.
fn text(message: &Value) -> &str {
    message["attachments"][0]["text"].as_str().unwrap()
}

/// The links that silence, in the order of the message.
pub(super) fn silence_links(text: &str) -> Vec<String> {
    let link = Regex::new(r"<([^|>]+)\|Silence>").unwrap();
    link.captures_iter(text)
        .map(|it| it[1].to_owned())
        .collect()
}

/// The key of an incident of PagerDuty.
fn key(event: &Value) -> &str {
    event["dedup_key"].as_str().unwrap()
}

fn summary(event: &Value) -> &str {
    event["payload"]["summary"].as_str().unwrap()
}

#[tokio::test]
async fn a_broken_job_is_one_incident_from_the_first_critical_alert_to_its_end() {
    let stage = Stage::start().await;
    let warning = alert(REPEATEDLY, "warning", &[]);
    let critical = alert(REPEATEDLY, "critical", &[]);
    let for_long = alert(FOR_LONG, "critical", &[]);
    let other = alert(REPEATEDLY, "critical", &[("job_name", "lint")]);
    let pager = "team-payments-pager";

    stage.fire(std::slice::from_ref(&warning)).await;
    let chat = stage.message("team-payments", |_| true).await;
    assert!(text(&chat).contains("unit-tests"), "{chat}");
    stage
        .fire(&[warning.clone(), critical.clone(), other.clone()])
        .await;
    let first = stage
        .message(pager, |event| summary(event).contains("unit-tests"))
        .await;
    assert_eq!(first["payload"]["severity"], "critical");
    let all = [warning, critical, for_long];
    stage.fire(&all).await;
    let of_long = |event: &Value| event["payload"]["class"] == FOR_LONG;
    let risen = stage.message(pager, of_long).await;
    assert_eq!(key(&risen), key(&first), "the same incident");
    let of_other = |event: &Value| summary(event).contains("lint");
    let another = stage.message(pager, of_other).await;
    assert_ne!(key(&another), key(&first), "a job has its own incident");

    stage.end(&all).await;
    let is_end = |event: &Value| event["event_action"] == "resolve";
    let end = stage.message(pager, is_end).await;
    assert_eq!(key(&end), key(&first));
    let keys: BTreeSet<_> = stage
        .sent(pager)
        .iter()
        .map(|it| key(it).to_owned())
        .collect();
    assert_eq!(keys.len(), 2, "{keys:?}");

    // In chat the message of the project is updated: the job is one line while it fails and one when it is over.
    let is_over = |message: &Value| text(message).contains("resolved: `unit-tests`");
    let over = stage.message("team-payments", is_over).await;
    assert_eq!(text(&over).matches("unit-tests").count(), 1, "{over}");
}

#[tokio::test]
async fn what_the_link_of_a_message_silences_is_the_job_at_any_severity_and_no_other_job() {
    let stage = Stage::start().await;
    stage.fire(&[alert(REPEATEDLY, "warning", &[])]).await;
    let first = stage.message("team-payments", |_| true).await;
    let links = silence_links(text(&first));
    assert_eq!(links.len(), 1, "{first}");
    assert_eq!(
        matchers(&links[0]),
        of_job(&alert(REPEATEDLY, "warning", &[])["labels"])
    );
    stage.silence(&links[0]).await;
    stage.silenced(1).await;

    let acknowledged = [
        alert(REPEATEDLY, "critical", &[]),
        alert(FOR_LONG, "critical", &[]),
        alert("CIJobStuck", "critical", &[]),
    ];
    stage.fire(&acknowledged).await;
    stage.silenced(4).await;
    let others = [
        ("job_name", "lint"),
        ("ref", "release"),
        ("track", "nightly"),
        ("project", "acme/payments/web"),
        ("gitlab", "self"),
        ("cluster", "eu"),
    ];
    let others = others.map(|label| (label, alert(REPEATEDLY, "critical", &[label])));
    stage.fire(&others.clone().map(|(_, alert)| alert)).await;
    let pager = "team-payments-pager";
    for ((_, value), _) in &others {
        let told = stage
            .message(pager, |event| summary(event).contains(value))
            .await;
        assert_eq!(told["event_action"], "trigger");
        let is_told = |message: &Value| message.to_string().contains(value);
        stage.message("team-payments", is_told).await;
    }
    // Each of the others was posted later than what is acknowledged, and nothing else was sent.
    assert_eq!(
        stage.sent(pager).len(),
        others.len(),
        "{:#?}",
        stage.sent(pager)
    );
    for message in stage.sent("team-payments").iter().skip(1) {
        assert!(
            !text(message).contains("`unit-tests` (`main`)"),
            "{message}"
        );
    }
    assert_eq!(stage.silenced(4).await.len(), 4);
}

#[tokio::test]
async fn the_incident_of_the_pager_links_to_all_that_its_reader_needs_and_its_silence_is_the_job() {
    let stage = Stage::start().await;
    let job = alert(REPEATEDLY, "critical", &[("job_name", "a / \"b\" + c%")]);
    stage.fire(std::slice::from_ref(&job)).await;
    let event = stage.message("team-payments-pager", |_| true).await;
    let links = event["links"].as_array().unwrap();
    let href = |text: &str| {
        let found = links.iter().find(|link| link["text"] == text);
        found.expect(text)["href"].as_str().unwrap()
    };
    assert_eq!(matchers(href("Silence this job")), of_job(&job["labels"]));
    assert_eq!(
        href("Job"),
        "https://gitlab.example.com/acme/payments/api/-/jobs/4711"
    );
    assert!(href("Compare").ends_with("/compare/aa1f0a5b...8c1f0a5b"));
    assert_eq!(href("Page of the job"), "https://ci.example.com/jobs/unit");
    assert!(href("Runbook").ends_with("/CIJobFailingRepeatedly.md"));
    assert!(href("Dashboard").contains("/d/jfe-job?"));
    let details = event["payload"]["custom_details"]["alerts"]
        .as_str()
        .unwrap();
    for words in [
        "failed: 6 in a row",
        "log: AssertionError",
        "8c1f0a5b Round half to even (Ada Lovelace)",
    ] {
        assert!(details.contains(words), "{words}: {details}");
    }
}
