//! The section `metrics`: what is exposed.

use super::key::{Key, keys};
use super::value_type::Form;
use crate::base::nearest::nearest;
use crate::metrics::families;

/// The prefix of the exporter's own metrics, which stay.
const OWN: &str = "job_failure_exporter_";

keys! {
    LOG_LINE: Key<bool> = Key::bool("metrics.log_line")
        .default("true")
        .doc("Whether `job_failure_log_info` exposes the most telling line of a failing job's log, secrets masked, for messages. Needs `classification.read_logs`.");

    DISABLE: Key<&'static str> = Key::text(
        "metrics.disable",
        Form {
            plural: Some("metrics"),
            ..Form::new("metric", "a metric of docs/metrics.md about jobs, pipelines, projects or schedules")
        },
        family,
    )
    .list()
    .default("[]")
    .doc("Metrics that are not exposed, such as `job_last_execution_timestamp_seconds`. Rules and panels that read them find nothing: see [sizing.md](sizing.md).");
}

/// The name of a family that may be switched off.
fn family(name: &str) -> Result<&'static str, String> {
    let names: Vec<&'static str> = families()
        .map(|family| family.name)
        .filter(|name| !name.starts_with(OWN))
        .collect();
    if let Some(found) = names.iter().find(|known| **known == name) {
        return Ok(found);
    }
    if name.starts_with(OWN) {
        return Err("the exporter's own metrics tell whether it works, and stay".to_owned());
    }
    let guess = nearest(name, &names);
    Err(guess
        .map(|guess| format!("did you mean `{guess}`?"))
        .unwrap_or_default())
}
