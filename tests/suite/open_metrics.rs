//! `/metrics` in OpenMetrics, read by a strict parser and by Prometheus.

use std::collections::BTreeSet;
use std::fs;

use testkit::daemon::{Place, gitlab, holds, until};

use crate::monitoring::Tool;
use crate::tools;

/// Reads a page strictly; prints each family with its type and number of samples.
const READ: &str = "\
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    print(family.name, family.type, len(family.samples))
";

async fn page(address: std::net::SocketAddr, accept: &str) -> (String, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client.get(format!("http://{address}/metrics"));
    let answer = asked.header("Accept", accept).send().await.unwrap();
    let kind = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    (kind, answer.text().await.unwrap())
}

/// The samples of a page without their values, which differ from scrape to scrape.
fn names(page: &str) -> BTreeSet<String> {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let names = samples.map(|line| line.rsplit_once(' ').unwrap().0.replace(".0\"}", "\"}"));
    names.collect()
}

#[tokio::test]
async fn a_page_of_open_metrics_has_the_samples_of_the_text_and_is_read_strictly() {
    let gitlab = gitlab("demo").await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    daemon.is_ready().await;
    let asked = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3";
    let (kind, open) = page(daemon.address(), asked).await;
    assert_eq!(
        kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(open.ends_with("\n# EOF\n"));
    assert!(
        open.contains("# TYPE job_executions counter\njob_executions_total{"),
        "{open}"
    );
    let (kind, text) = page(daemon.address(), "*/*").await;
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("# TYPE job_executions_total counter\njob_executions_total{"));
    // Until nothing new is polled between the two.
    until("the same samples", async || {
        let (_, open) = page(daemon.address(), asked).await;
        let (_, text) = page(daemon.address(), "*/*").await;
        let (open, text) = (names(&open), names(&text));
        let differ: Vec<_> = open.symmetric_difference(&text).collect();
        holds(differ.is_empty(), format!("{differ:#?}"))
    })
    .await;

    let read = tools::piped("target/tools/bin/python", &["-c", READ], &open);
    for family in ["job_consecutive_failures gauge", "job_executions counter"] {
        assert!(read.contains(family), "{read}");
    }

    // Prometheus asks for it by itself, and goes on with the names of the text.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("prometheus.yml");
    let target = daemon.address();
    let text = format!(
        "scrape_configs: [{{job_name: ci, scrape_interval: 1s, honor_labels: true, static_configs: [{{targets: ['{target}']}}]}}]"
    );
    fs::write(&config, text).unwrap();
    let server = Tool::start("prometheus", |address| {
        vec![
            format!("--config.file={}", config.display()),
            format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ),
            format!("--web.listen-address={address}"),
        ]
    })
    .await;
    let wanted = daemon.scrape().await.sum("job_executions_total", &[]);
    until("a scrape", async || {
        let found = server.query("sum(job_executions_total)").await;
        holds(found == [wanted], format!("{found:?}, wanted {wanted}"))
    })
    .await;
    daemon.stop().await;
}

#[tokio::test]
async fn families_that_are_switched_off_are_on_no_page_and_others_stay() {
    let gitlab = gitlab("demo").await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.configure_also(
        "metrics: {disable: [job_executions_total, pipeline_executions_total, schedule_active]}\n",
    );
    let daemon = place.start().await;
    daemon.is_ready().await;
    for accept in ["*/*", "application/openmetrics-text"] {
        let (_, page) = page(daemon.address(), accept).await;
        for gone in ["job_executions", "pipeline_executions", "schedule_active"] {
            let found = page.lines().find(|line| line.contains(gone));
            assert_eq!(found, None, "{accept}");
        }
        assert!(page.contains("\njob_consecutive_failures{"), "{page}");
        assert!(page.contains("\njob_info{"), "{page}");
    }
    daemon.stop().await;

    place.reconfigure("job_executions_total", "job_execution_total");
    let refused = place.refused(&[]).await;
    assert!(
        refused.contains("did you mean `job_executions_total`?"),
        "{refused}"
    );
    place.reconfigure("job_execution_total", "job_failure_exporter_build_info");
    let refused = place.refused(&[]).await;
    assert!(
        refused.contains("tell whether it works, and stay"),
        "{refused}"
    );
}
