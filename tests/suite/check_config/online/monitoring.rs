//! Prometheus and Alertmanager: the real programs, and what is wrong with them.

use testkit::daemon::{holds, until};

use super::{Checked, gitlab, place, project};
use crate::monitoring::{Receiver, Shipped};

#[tokio::test]
async fn servers_with_everything_that_is_shipped_are_told_from_those_without() {
    let gitlab = gitlab().await;
    gitlab.with(|world| project(world, "acme/app", "main", "push"));
    let place = place(&gitlab, "projects: [acme/app]");
    let exporter = place.start().await;
    exporter.is_ready().await;
    let shipped = Shipped::copy();
    let receiver = Receiver::start().await;
    let alertmanager = shipped.alertmanager(receiver.address).await;
    let prometheus = shipped
        .prometheus(exporter.address(), alertmanager.address)
        .await;
    place.configure_also(&format!(
        "prometheus: {{url: 'http://{}'}}\nalertmanager: {{url: 'http://{}'}}\n",
        prometheus.address, alertmanager.address
    ));
    let checked = until("the heartbeat and the first scrape", async || {
        let checked = Checked::of(&place).await;
        let ok = checked.level("ok").join("\n");
        let arrived = ok.contains("CIWatchdog has arrived") && ok.contains("with 1 job");
        holds(arrived, &checked.all).map(|()| checked)
    })
    .await;
    checked
        .passes()
        .says("ok", "prometheus", "shipped alert rules")
        .says("ok", "prometheus", "it scrapes 1 exporter with 1 job")
        .says("ok", "alertmanager", "CIWatchdog goes to dead-mans-switch")
        .says("ok", "alertmanager", "CIJobFailingRepeatedly goes to ")
        .is_content_with("prometheus")
        .is_content_with("alertmanager");
    exporter.stop().await;

    // Another way round: neither is what it should be.
    let (one, other) = (prometheus.address, alertmanager.address);
    let text = std::fs::read_to_string(place.config()).unwrap();
    let text = text.replace(&one.to_string(), "PROMETHEUS");
    let text = text.replace(&other.to_string(), &one.to_string());
    place.configure(&text.replace("PROMETHEUS", "127.0.0.1:1"));
    let checked = Checked::of(&place).await;
    checked.says("error", "prometheus", "does not answer").says(
        "error",
        "alertmanager",
        "answered 404",
    );
}

#[tokio::test]
async fn a_prometheus_without_our_rules_and_a_silent_receiver_are_warnings() {
    let gitlab = gitlab().await;
    gitlab.with(|world| project(world, "acme/app", "main", "push"));
    let place = place(&gitlab, "projects: [acme/app]");
    let shipped = Shipped::copy();
    shipped.write(
        "deploy/alertmanager/alertmanager.yml",
        "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n",
    );
    let alertmanager = shipped.start_alertmanager().await;
    shipped.write(
        "deploy/prometheus/prometheus.yml",
        "global: {scrape_interval: 30s, evaluation_interval: 30s}\n\
         scrape_configs: [{job_name: a, static_configs: [{targets: ['127.0.0.1:10141', '127.0.0.1:9093']}]}]\n",
    );
    let closed = "127.0.0.1:1".parse().unwrap();
    let prometheus = shipped.prometheus(closed, closed).await;
    place.configure_also(&format!(
        "prometheus: {{url: 'http://{}'}}\nalertmanager: {{url: 'http://{}'}}\n",
        prometheus.address, alertmanager.address
    ));
    Checked::of(&place)
        .await
        .passes()
        .says("warning", "prometheus", "none of the shipped alert rules")
        .says("warning", "prometheus", "it scrapes no exporter")
        .says(
            "warning",
            "alertmanager",
            "CIWatchdog goes to nobody, which sends nothing",
        )
        .says("warning", "alertmanager", "has not arrived");
}
