//! `docs/metrics.md` and the families say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ci_history::Timestamp;
use http_body_util::BodyExt as _;
use job_failure_exporter::base::api::Endpoint;
use job_failure_exporter::base::label::Label as _;
use job_failure_exporter::metrics::{HttpLimit, Pause, Telemetry, WebhookResult, families};
use job_failure_exporter::remediation::Reason;

use crate::metrics_rows::exposition;

/// Gives every metric of the exporter's own a sample.
pub(crate) fn touch_everything(telemetry: &Telemetry) {
    let now = Timestamp::from_unix(1_700_000_000).unwrap();
    telemetry.api_request(Endpoint::Pipelines, "2xx", Duration::from_millis(120));
    telemetry.api_retry();
    telemetry.swept(98, 2, 50);
    telemetry.first_round(7, 3, 2);
    telemetry.request_rates(1.25, 10.0);
    telemetry.api_budget_remaining(1_999);
    telemetry.record_rejected("job", "id");
    telemetry.state_saved(now);
    telemetry.state_save_failed();
    telemetry.document_quarantined();
    telemetry.unsaved_timelines(2);
    telemetry.state_conflicts(1);
    telemetry.state_conditional_writes(true);
    telemetry.clock_offset(-0.25);
    telemetry.clock_suspects(true, false);
    telemetry.ref_rebuilt();
    telemetry.token_expiry(Some(now));
    telemetry.token_scopes(&["read_api".to_owned()]);
    telemetry.http_connections(1);
    telemetry.http_limited(HttpLimit::Searches);
    telemetry.webhooks_expected(&["job"]);
    telemetry.webhook("job", WebhookResult::Taken);
    telemetry.web_config_loaded(true);
    telemetry.config_loaded(now);
    telemetry.remediation("act", &[("runner-trouble", "recover")]);
    telemetry.remediation_decided("runner-trouble", "act", "");
    telemetry.remediation_acted("recover", "runner-trouble", "started");
    telemetry.remediation_ended("runner-trouble", true);
    telemetry.remediation_pending(1);
    telemetry.remediation_paused(Pause::Outage, 1);
    telemetry.retry_circuits([["acme/shop", "main", "", "unit"]].into_iter());
}

/// Name, type and labels.
type Families = BTreeMap<String, (String, Vec<String>)>;

/// The rows of the tables: `| `name` | type | labels | meaning |`.
fn documented() -> Families {
    let page = include_str!("../../docs/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let families: Vec<_> = rows
        .map(|row| {
            let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            assert_eq!(cells.len(), 4, "four cells wanted: {row}");
            assert!(cells[3].len() > 10, "a meaning is wanted: {row}");
            let labels = cells[2].split(", ").filter(|label| *label != "none");
            let labels = labels.map(|label| label.trim_matches('`').to_owned());
            let name = cells[0].trim_matches('`').to_owned();
            (name, (cells[1].to_owned(), labels.collect()))
        })
        .collect();
    let count = families.len();
    let families: Families = families.into_iter().collect();
    assert_eq!(families.len(), count, "a family is documented twice");
    families
}

#[test]
fn every_family_is_documented_and_every_documented_family_exists() {
    let exposed: Families = families()
        .map(|family| {
            let labels = family.labels.iter().map(|label| (*label).to_owned());
            let described = (family.kind.as_str().to_owned(), labels.collect());
            (family.name.to_owned(), described)
        })
        .collect();
    let documented = documented()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("process_"))
        .collect::<Families>();
    assert_eq!(documented, exposed);
}

#[tokio::test]
async fn the_exporters_own_page_has_exactly_the_documented_families() {
    let exposition = exposition();
    touch_everything(exposition.telemetry());
    let page = exposition.snapshot().identity().collect().await.unwrap();
    let page = String::from_utf8(page.to_bytes().into()).unwrap();
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exposed: BTreeMap<String, String> = types
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    let own = |name: &str| {
        name.starts_with("job_failure_exporter_")
            || name.starts_with("process_")
            || name == "job_retry_circuit_open"
    };
    let documented: BTreeMap<String, String> = documented()
        .into_iter()
        .filter(|(name, _)| own(name))
        .map(|(name, (kind, _))| (name, kind))
        .collect();
    assert_eq!(documented, exposed);
}

#[test]
fn every_reason_of_the_guard_and_of_a_pause_is_explained() {
    let page = include_str!("../../docs/remediation.md");
    for reason in Reason::ALL {
        let name = format!("`{}`", reason.as_str());
        let is_row = |line: &str| line.starts_with("| `") && line.contains(&name);
        let is_told = page.lines().any(is_row) || *reason == Reason::ReportOnly;
        assert!(is_told && page.contains(&name), "{name}");
    }
    let page = include_str!("../../docs/metrics.md");
    let (_, row) = page.split_once("| reason of a pause | ").unwrap();
    let (row, _) = row.split_once(" |").unwrap();
    let told: BTreeSet<_> = row.split(", ").collect();
    assert_eq!(told, Pause::ALL.iter().map(|it| it.as_str()).collect());
}
