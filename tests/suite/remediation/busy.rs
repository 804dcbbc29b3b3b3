//! More requests for actions at the same time than are worked on.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::json;
use testkit::client;

use super::stage::{OPS, SHOP, Stage, flaky_runner};

/// Requests that are worked on.
const AT_A_TIME: usize = 8;

#[tokio::test]
async fn one_more_is_asked_to_come_again_and_nothing_is_done_twice() {
    let stage = Stage::new("act", "limits: {younger_than: 6h}").await;
    stage.ended([flaky_runner("unit")]);
    let page = "/jobs/acme/shop/-/main/-/unit";
    let mut fields = stage.form_on(page, "Retry the job").await;
    fields.push(("action".to_owned(), "recover".to_owned()));
    // The first one waits for GitLab, and the others for the first one.
    stage
        .gitlab
        .faults(|faults| faults.writes.delay_before = Duration::from_secs(4));
    let body = json!({"jobs": [{"project": SHOP, "job_name": "unit"}]});
    let ask = || {
        let request = client().put(stage.url("/api/v1/retry")).bearer_auth(OPS);
        request.body(body.to_string()).send()
    };
    let mut answers: FuturesUnordered<_> = (0..=AT_A_TIME).map(|_| ask()).collect();
    let first = answers.next().await.unwrap().unwrap();
    assert_eq!(first.status(), 503);
    assert_eq!(first.headers()["retry-after"], "10");
    let text = first.text().await.unwrap();
    assert!(text.contains("too many requests for actions"), "{text}");

    // The same for whoever else asks.
    let form = stage.post(&fields).basic_auth("ops", Some(OPS)).send();
    let alerts = client()
        .post(stage.url("/hooks/alertmanager"))
        .bearer_auth(OPS)
        .body(r#"{"version": "4", "alerts": []}"#)
        .send();
    let (form, alerts) = tokio::join!(form, alerts);
    let (form, alerts) = (form.unwrap(), alerts.unwrap());
    assert_eq!(
        (form.status(), alerts.status()),
        (503.try_into().unwrap(), 503.try_into().unwrap())
    );
    assert_eq!(form.headers()["retry-after"], "10");
    let text = form.text().await.unwrap();
    assert!(
        text.contains("Try again soon") && text.contains(page),
        "{text}"
    );

    while let Some(answer) = answers.next().await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!((stage.sent(), stage.retries()), (1, 1));
    stage
        .gitlab
        .faults(|faults| faults.writes.delay_before = Duration::ZERO);
    // Then there is room again.
    assert_eq!(ask().await.unwrap().status(), 200);
}
