//! A job that somebody acknowledges by the link of its first message.

use gitlab_simulator::{JobPlan, World};
use serde_json::json;

use super::{Chain, gitlab, push};
use crate::silence_link::silence;
use testkit::daemon::{holds, until};

const PROJECT: &str = "acme/payments/api";
const ALERT: &str = "CIJobFailingRepeatedly";
const NAME: &str = "unit / \"tests\" + 100%";

fn fail(world: &mut World, lint: JobPlan) {
    push(world, PROJECT, vec![JobPlan::fails(NAME), lint]);
}

#[tokio::test]
async fn an_acknowledged_job_stays_silent_while_its_severity_rises_and_another_job_does_not() {
    let gitlab = gitlab(|world| {
        push(
            world,
            PROJECT,
            vec![JobPlan::passes(NAME), JobPlan::passes("lint")],
        );
        for _ in 0..3 {
            fail(world, JobPlan::passes("lint"));
        }
    })
    .await;
    let chain = Chain::start(&gitlab).await;
    let first = chain.alert("/team-payments", ALERT, "firing").await;
    assert_eq!(first["labels"]["severity"], "warning");
    let link = first["annotations"]["silence_url"].as_str().unwrap();
    silence(&chain.alertmanager, link).await;

    for _ in 0..3 {
        gitlab.with(|world| fail(world, JobPlan::fails("lint")));
    }
    until("the critical alert, silenced", async || {
        let alerts = chain
            .alertmanager
            .get("alerts?filter=severity=critical")
            .await;
        let alerts = alerts.as_array().unwrap();
        let silenced = |alert: &serde_json::Value| {
            alert["labels"]["job_name"] == NAME && alert["status"]["silencedBy"] != json!([])
        };
        holds(alerts.iter().any(silenced), format!("{alerts:#?}"))
    })
    .await;
    until("the other job's message", async || {
        let told = chain.told("firing");
        let of_lint = told
            .iter()
            .any(|(_, alert)| alert["labels"]["job_name"] == "lint");
        holds(of_lint, format!("{told:#?}"))
    })
    .await;
    let told = chain.told("firing");
    let of_job = told
        .iter()
        .filter(|(_, alert)| alert["labels"]["job_name"] == NAME);
    assert_eq!(of_job.count(), 1, "{told:#?}");
    assert!(
        told.iter().all(|(path, _)| path == "/team-payments"),
        "{told:#?}"
    );
    chain.end().await;
}
