//! Several exporters: replicas, shards and GitLabs. What one of them explains when it is away is held back, and nothing else.

use gitlab_simulator::{Handle, JobPlan};
use serde_json::Value;

use super::{Chain, gitlab, push};
use testkit::daemon::{holds, until};

const ALERT: &str = "CIJobFailingRepeatedly";
const API: &str = "acme/payments/api";
const WEB: &str = "acme/payments/web";

/// A GitLab in which a job of these projects fails.
async fn failing(projects: &[&str]) -> Handle {
    gitlab(|world| {
        for project in projects {
            push(world, project, vec![JobPlan::passes("unit-tests")]);
            for _ in 0..3 {
                push(world, project, vec![JobPlan::fails("unit-tests")]);
            }
        }
    })
    .await
}

/// Waits for a message about that job to the team.
async fn told(chain: &Chain, is_it: impl Fn(&Value) -> bool) -> Value {
    until("the message about a job", async || {
        let told = chain.told("firing");
        let to_team = told.iter().filter(|(path, _)| path == "/team-payments");
        let mut labels = to_team.map(|(_, alert)| &alert["labels"]);
        let found = labels.find(|labels| labels["alertname"] == ALERT && is_it(labels));
        found.cloned().ok_or_else(|| format!("{told:#?}"))
    })
    .await
}

/// Projects and GitLabs of the alerts on jobs that Alertmanager holds back because of another alert.
async fn held_back(chain: &Chain) -> Vec<(Value, Value)> {
    let url = format!("alerts?active=false&inhibited=true&filter=alertname={ALERT}");
    let alerts = chain.alertmanager.get(&url).await;
    let alerts = alerts.as_array().unwrap().iter();
    alerts
        .map(|alert| {
            let labels = &alert["labels"];
            (labels["gitlab"].clone(), labels["project"].clone())
        })
        .collect()
}

async fn waits_for(chain: &Chain, held: &[(Value, Value)]) {
    until("what is held back", async || {
        let found = held_back(chain).await;
        holds(found == held, format!("{found:?}"))
    })
    .await;
}

#[tokio::test]
async fn of_two_gitlabs_the_one_whose_exporter_is_down_holds_back_its_own_alerts_alone() {
    let (com, own) = (failing(&[API]).await, failing(&[API]).await);
    let watch = "groups: [{path: acme}]";
    // Labels of the targets by the names of ours: they may not replace what the exporter says.
    let hostile = "project: infra, ref: x, job_name: x, team: infra";
    let mut chain = Chain::start_two(
        (&com, watch, &format!("gitlab: com, {hostile}")),
        (&own, watch, &format!("gitlab: self, {hostile}")),
    )
    .await;
    for gitlab in ["com", "self"] {
        let labels = told(&chain, |labels| labels["gitlab"] == gitlab).await;
        let wanted = [
            ("project", API),
            ("ref", "main"),
            ("job_name", "unit-tests"),
            ("team", "payments"),
        ];
        for (label, value) in wanted {
            assert_eq!(labels[label], value, "{labels}");
        }
    }

    chain.kill_second().await;
    let down = chain.alert("/platform", "CIExporterDown", "firing").await;
    assert_eq!(down["labels"]["gitlab"], "self");
    waits_for(&chain, &[("self".into(), API.into())]).await;
    com.with(|world| {
        for _ in 0..3 {
            push(
                world,
                API,
                vec![JobPlan::fails("unit-tests"), JobPlan::fails("lint")],
            );
        }
    });
    told(&chain, |labels| labels["job_name"] == "lint").await;
    let critical = |labels: &Value| labels["gitlab"] == "com" && labels["severity"] == "critical";
    told(&chain, critical).await;
    assert!(
        chain.told("resolved").is_empty(),
        "{:#?}",
        chain.told("resolved")
    );
    chain.end().await;
}

#[tokio::test]
async fn a_dead_shard_holds_back_the_alerts_of_its_projects_and_none_of_the_other_shard() {
    let gitlab = failing(&[API, WEB]).await;
    let of = |project: &str| format!("projects: [{project}]");
    let mut chain = Chain::start_two((&gitlab, &of(API), ""), (&gitlab, &of(WEB), "")).await;
    for project in [API, WEB] {
        told(&chain, |labels| labels["project"] == project).await;
    }
    chain.kill_second().await;
    chain.alert("/platform", "CIExporterDown", "firing").await;
    waits_for(&chain, &[(Value::Null, WEB.into())]).await;
    gitlab.with(|world| {
        for _ in 0..3 {
            push(
                world,
                API,
                vec![JobPlan::fails("unit-tests"), JobPlan::fails("lint")],
            );
        }
    });
    told(&chain, |labels| labels["job_name"] == "lint").await;
    assert!(
        chain.told("resolved").is_empty(),
        "{:#?}",
        chain.told("resolved")
    );
    chain.end().await;
}

#[tokio::test]
async fn a_dead_replica_holds_back_nothing_and_is_told_once() {
    let gitlab = failing(&[API]).await;
    let watch = "groups: [{path: acme}]";
    let mut chain = Chain::start_two((&gitlab, watch, ""), (&gitlab, watch, "")).await;
    told(&chain, |labels| labels["job_name"] == "unit-tests").await;
    chain.kill_second().await;
    // It was up for a while, and has to be down for as long.
    until("the alert about the replica, pending", async || {
        let pending = "ALERTS{alertname=\"CIExporterReplicaDown\"}";
        let found = chain.prometheus.series(pending).await;
        holds(!found.is_empty(), "none")
    })
    .await;
    chain
        .alert("/platform", "CIExporterReplicaDown", "firing")
        .await;
    gitlab.with(|world| {
        for _ in 0..3 {
            push(
                world,
                API,
                vec![JobPlan::fails("unit-tests"), JobPlan::fails("lint")],
            );
        }
    });
    told(&chain, |labels| labels["job_name"] == "lint").await;
    let down = "ALERTS{alertname=~\"CIExporterDown|CIProjectUnobserved\"}";
    assert_eq!(chain.prometheus.series(down).await, [] as [Value; 0]);
    chain.end().await;
}
