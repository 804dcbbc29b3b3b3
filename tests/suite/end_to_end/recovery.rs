//! A job that an alert brings back.

use gitlab_simulator::{Ending, JobPlan, Role, Scope};

use super::{gitlab, push};
use crate::monitoring::{Receiver, Shipped};
use testkit::daemon::{Place, holds, until};

const PROJECT: &str = "acme/payments/api";
const TOKEN: &str = "glpat-bot";
const SECRET: &str = "0123456789abcdef";

/// An alert about every failing job, which asks for its retry.
const RULE: &str = "  - name: remediation
    interval: 1s
    rules:
      - alert: CIJobComesBack
        expr: ci_job:consecutive_failures >= 1
        labels:
          severity: warning
          remediation: recover
";

#[tokio::test]
async fn an_alert_that_asks_for_it_brings_its_job_back_and_resolves() {
    let gitlab = gitlab(|world| {
        push(world, PROJECT, vec![JobPlan::passes("unit-tests")]);
        let bot = world.add_user("bot", Role::Maintainer);
        world.add_token(TOKEN, bot, &[Scope::Api]);
    })
    .await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let beside = |name| place.config().with_file_name(name);
    std::fs::write(beside("bot-token"), TOKEN).unwrap();
    std::fs::write(beside("am-token"), SECRET).unwrap();
    place.configure_also(
        "remediation: {mode: act, token_file: bot-token, \
         callers: [{name: alertmanager, token_file: am-token}]}\n",
    );
    let exporter = place.start().await;
    let (shipped, receiver) = (Shipped::copy(), Receiver::start().await);
    shipped.append("alert-rules/jobs.yml", RULE);
    let file = "deploy/alertmanager/alertmanager.yml";
    let route = "  routes:\n    - matchers: [remediation!=\"\"]\n      receiver: remediation\n      group_wait: 0s\n    # The heartbeat";
    shipped.edit(file, r"  routes:\n    # The heartbeat", route);
    let url = format!("http://{}/hooks/alertmanager", exporter.address());
    let basic = format!("basic_auth: {{username: alertmanager, password: '{SECRET}'}}");
    shipped.append(
        file,
        &format!(
            "  - name: remediation\n    webhook_configs:\n      - url: {url}\n        http_config: {{{basic}}}\n"
        ),
    );
    let alertmanager = shipped.alertmanager(receiver.address).await;
    let prometheus = shipped
        .prometheus(exporter.address(), alertmanager.address)
        .await;
    exporter.is_ready().await;

    let fails = Ending::Fails("runner_system_failure".to_owned());
    let unit_tests = JobPlan::new("unit-tests", [fails, Ending::Passes]);
    let pipeline = gitlab.with(|world| push(world, PROJECT, vec![unit_tests]));
    until("the job to be recovered", async || {
        let (_, record) = exporter.get("/api/v1/remediations").await;
        holds(
            record.contains("\"result\":\"recovered\"")
                && record.contains("\"by\":\"alertmanager\""),
            format!("{record}\n{}", exporter.log()),
        )
    })
    .await;
    until("the end of the alert", async || {
        let query = "ALERTS{alertname=\"CIJobComesBack\",alertstate=\"firing\"}";
        let firing = prometheus.query(query).await;
        holds(firing.is_empty(), format!("{firing:?}"))
    })
    .await;
    let attempts = gitlab.with(|world| world.jobs_of(pipeline).count());
    assert_eq!((attempts, gitlab.actions().len()), (2, 1));
    drop((prometheus, alertmanager));
    exporter.stop().await;
}
