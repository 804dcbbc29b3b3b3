//! The exporter is killed: that is told, nothing is told to be over, and it goes on where it was.

use gitlab_simulator::JobPlan;
use serde_json::Value;

use super::{Chain, gitlab, push};
use testkit::client;
use testkit::daemon::{holds, until};

const PROJECT: &str = "acme/payments/api";
const ALERT: &str = "CIJobFailingRepeatedly";

/// Since when the job's alert fires, as Alertmanager has it.
async fn since(chain: &Chain) -> String {
    let address = chain.alertmanager.address;
    let url = format!("http://{address}/api/v2/alerts?filter=alertname={ALERT}");
    let answer = client().get(url).send().await.unwrap();
    let alerts: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let alerts = alerts.as_array().unwrap();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    alerts[0]["startsAt"].as_str().unwrap().to_owned()
}

async fn is_saved(chain: &Chain) {
    let unsaved = "job_failure_exporter_state_unsaved_timelines";
    let look = |samples: &testkit::samples::Samples| {
        let waiting = samples.value(unsaved, &[]);
        holds(waiting == Some(0.0), format!("{waiting:?}"))
    };
    chain.exporter().shows("everything saved", look).await;
}

#[tokio::test]
async fn a_killed_exporter_is_told_nothing_resolves_for_it_and_started_again_it_goes_on() {
    let fails = || vec![JobPlan::fails("unit-tests")];
    let passes = || vec![JobPlan::passes("unit-tests")];
    let gitlab = gitlab(|world| {
        for jobs in [passes(), passes(), fails(), fails(), fails()] {
            push(world, PROJECT, jobs);
        }
    })
    .await;
    let mut chain = Chain::start(&gitlab).await;
    chain.alert("/team-payments", ALERT, "firing").await;
    let begun = since(&chain).await;
    is_saved(&chain).await;

    chain.kill_exporter().await;
    chain.alert("/platform", "CIExporterDown", "firing").await;
    chain.alert("/pager", "CIExporterDown", "firing").await;
    let still = ("CIJobFailingRepeatedly".to_owned(), "unit-tests".to_owned());
    assert!(chain.firing().await.contains(&still));

    // One more failure while nobody looks.
    gitlab.with(|world| push(world, PROJECT, fails()));
    chain.start_exporter().await;
    chain.streak_is("unit-tests", 4.0).await;
    chain.alert("/platform", "CIExporterDown", "resolved").await;
    let failed = "job_executions_total{job_name=\"unit-tests\",outcome=\"failed\"}";
    assert_eq!(chain.prometheus.query(failed).await, [4.0], "each once");
    assert_eq!(since(&chain).await, begun, "one alert all along");
    let over = chain.told("resolved");
    let names = over.iter().map(|(_, alert)| &alert["labels"]["alertname"]);
    assert!(
        names.into_iter().all(|name| name == "CIExporterDown"),
        "{over:#?}"
    );

    gitlab.with(|world| push(world, PROJECT, passes()));
    chain.alert("/team-payments", ALERT, "resolved").await;
    until("the end of every alert", async || {
        let firing = chain.firing().await;
        holds(firing.is_empty(), format!("{firing:?}"))
    })
    .await;
    chain.end().await;
}
