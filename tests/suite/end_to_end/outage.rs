//! Runners that are down: many jobs, one cause, one message.

use gitlab_simulator::{JobPlan, World};

use super::{Chain, gitlab};
use crate::monitoring::Message;
use testkit::client;
use testkit::daemon::{holds, until};

const SERVICES: [&str; 5] = ["auth", "gateway", "ledger", "mail", "search"];
const JOBS: [&str; 9] = [
    "lint",
    "unit",
    "integration",
    "contract",
    "image",
    "scan",
    "docs",
    "load",
    "smoke",
];

/// One more pipeline of every service.
fn push(world: &mut World, job: impl Fn(&str) -> JobPlan) {
    for service in SERVICES {
        let jobs = JOBS.map(&job).to_vec();
        super::push(world, &format!("acme/platform/{service}"), jobs);
    }
}

#[tokio::test]
async fn runners_that_fell_jobs_of_many_projects_are_one_message_and_so_is_their_return() {
    let gitlab = gitlab(|world| {
        for _ in 0..3 {
            push(world, |name| JobPlan::passes(name));
        }
    })
    .await;
    let chain = Chain::start(&gitlab).await;
    chain.is_alive().await;

    // So often that every single job is over its threshold as well.
    for _ in 0..4 {
        let fails = |name: &str| JobPlan::fails_with(name, "runner_system_failure");
        gitlab.with(|world| push(world, fails));
    }
    let firing = async |name: &str| {
        let query = format!("count(ALERTS{{alertstate=\"firing\",alertname={name:?}}})");
        chain.prometheus.query(&query).await
    };
    until("every alert of the outage in Prometheus", async || {
        let found = [
            firing("CIMassFailure").await,
            firing("CIInfrastructureFailures").await,
            firing("CIJobFailingRepeatedly").await,
        ];
        let wanted = [vec![1.0], vec![1.0], vec![45.0]];
        holds(found == wanted, format!("{found:?}"))
    })
    .await;
    let alert = chain.alert("/pager", "CIMassFailure", "firing").await;
    let description = alert["annotations"]["description"].as_str().unwrap();
    let begins = "Jobs of 5 projects began to fail lately, of 5 that ran any";
    assert!(description.starts_with(begins), "{description}");
    let details = alert["annotations"]["details"].as_str().unwrap();
    for words in [
        "classes: infrastructure 45\n",
        "acme/platform/auth, acme/platform/gateway",
    ] {
        assert!(details.contains(words), "{words:?}: {details}");
    }
    chain.alert("/platform", "CIMassFailure", "firing").await;
    // Longer than the groups of single jobs wait: this long is nothing but the mass failure active.
    until("what Alertmanager holds back", async || {
        let held = held_back(&chain).await;
        holds(held == 46, format!("{held} alerts are held back"))
    })
    .await;

    gitlab.with(|world| push(world, |name| JobPlan::passes(name)));
    chain.alert("/pager", "CIMassFailure", "resolved").await;
    until("the end of every alert", async || {
        let firing = chain.firing().await;
        holds(firing.is_empty(), format!("{firing:?}"))
    })
    .await;
    let told = chain.messages();
    let wanted = [
        r#""firing" 1 "CIMassFailure""#,
        r#""resolved" 1 "CIMassFailure""#,
    ];
    for path in ["/pager", "/platform"] {
        assert_eq!(in_short(&told, path), wanted, "{told:#?}");
    }
    let others = told
        .iter()
        .filter(|m| m.path != "/pager" && m.path != "/platform");
    assert_eq!(others.count(), 0, "{told:#?}");
    chain.end().await;
}

/// Status, alerts and the first one's name of each message that was sent there.
fn in_short(told: &[Message], path: &str) -> Vec<String> {
    let messages = told.iter().filter(|message| message.path == path);
    let in_short = |message: &Message| {
        let alerts = message.body["alerts"].as_array().unwrap();
        let name = &alerts[0]["labels"]["alertname"];
        format!("{} {} {name}", message.body["status"], alerts.len())
    };
    messages.map(in_short).collect()
}

/// How many alerts Alertmanager knows and does not send, because of another.
async fn held_back(chain: &Chain) -> usize {
    let address = chain.alertmanager.address;
    let url = format!("http://{address}/api/v2/alerts?active=false&inhibited=true");
    let answer = client().get(url).send().await.unwrap();
    let alerts: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    alerts.as_array().unwrap().len()
}

#[tokio::test]
async fn a_project_with_a_dozen_failing_jobs_is_one_message_to_its_team_and_no_outage() {
    let names = (1..=12).map(|number| format!("job-{number}"));
    let names: Vec<_> = names.collect();
    let project = "acme/payments/api";
    let push = |world: &mut World, plan: fn(&str) -> JobPlan| {
        let jobs = names.iter().map(|name| plan(name)).collect();
        super::push(world, project, jobs);
    };
    let gitlab = gitlab(|world| {
        push(world, |name| JobPlan::passes(name));
        // Those of others pass, also lately.
        for service in SERVICES {
            let jobs = vec![JobPlan::passes("lint")];
            super::push(world, &format!("acme/platform/{service}"), jobs);
        }
    })
    .await;
    let chain = Chain::start(&gitlab).await;
    chain.is_alive().await;
    for _ in 0..3 {
        gitlab.with(|world| push(world, |name| JobPlan::fails(name)));
    }
    until("a message with all jobs", async || {
        let messages = chain.messages();
        let all = |message: &Message| message.body["alerts"].as_array().unwrap().len() == 12;
        let found = messages
            .iter()
            .any(|it| it.path == "/team-payments" && all(it));
        holds(found, format!("{messages:#?}"))
    })
    .await;
    let others: Vec<_> = chain.messages();
    assert!(
        others.iter().all(|it| it.path == "/team-payments"),
        "{others:#?}"
    );
    let outages = "ALERTS{alertname=~\"CIMassFailure.*|CIInfrastructureFailures\"}";
    assert_eq!(
        chain.prometheus.series(outages).await,
        [] as [serde_json::Value; 0]
    );
    chain.end().await;
}
