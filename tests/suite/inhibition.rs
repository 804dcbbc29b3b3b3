//! The shipped inhibition on a real Alertmanager: an alert holds back what it explains, and nothing else.

use serde_json::{Map, Value, json};

use crate::monitoring::{Receiver, Shipped, Tool};
use crate::silence_link::JOB;
use testkit::daemon::{holds, until};

const PROJECT: [&str; 3] = ["gitlab", "cluster", "project"];
const REF: [&str; 5] = ["gitlab", "cluster", "project", "ref", "track"];
const GITLAB: [&str; 2] = ["gitlab", "cluster"];
const SCHEDULE: [&str; 6] = ["gitlab", "cluster", "project", "ref", "track", "schedule"];

/// Name and severity of two alerts, and the labels on which they agree.
type Pair = (
    (&'static str, &'static str),
    (&'static str, &'static str),
    &'static [&'static str],
);

/// Name and severity of an alert that holds back another, of the other one, and the labels on which both agree.
const HELD_BACK: [Pair; 27] = [
    (
        ("CIProjectUnobserved", "none"),
        ("CIJobFailingRepeatedly", "critical"),
        &PROJECT,
    ),
    (
        ("CIProjectUnobserved", "none"),
        ("CIJobStuck", "warning"),
        &PROJECT,
    ),
    (
        ("CIProjectUnobserved", "none"),
        ("CIScheduleMissed", "warning"),
        &PROJECT,
    ),
    (
        ("CIProjectUnobserved", "none"),
        ("CIPipelineFailing", "warning"),
        &PROJECT,
    ),
    (
        ("CIProjectUnobserved", "none"),
        ("CIRetryCircuitOpen", "warning"),
        &PROJECT,
    ),
    (
        ("CIProjectUnobserved", "none"),
        ("CIExporterPollStale", "warning"),
        &PROJECT,
    ),
    (
        ("CIMassFailureMember", "none"),
        ("CIJobFailingRepeatedly", "critical"),
        &JOB,
    ),
    (
        ("CIMassFailureMember", "none"),
        ("CIJobFailureRatioHigh", "warning"),
        &JOB,
    ),
    (
        ("CIMassFailureMember", "none"),
        ("CIJobFailingForLong", "critical"),
        &JOB,
    ),
    (
        ("CIMassFailureMember", "none"),
        ("CIJobNoRecentSuccess", "warning"),
        &JOB,
    ),
    (
        ("CIMassFailureMember", "none"),
        ("CIPipelineFailing", "warning"),
        &REF,
    ),
    (
        ("CIMassFailure", "critical"),
        ("CIInfrastructureFailures", "critical"),
        &GITLAB,
    ),
    (
        ("CIJobFailingForLong", "critical"),
        ("CIJobFailingRepeatedly", "critical"),
        &JOB,
    ),
    (
        ("CIJobFailingForLong", "critical"),
        ("CIJobFailingRepeatedly", "warning"),
        &JOB,
    ),
    (
        ("CIJobFailingForLong", "critical"),
        ("CIJobFailureRatioHigh", "critical"),
        &JOB,
    ),
    (
        ("CIJobFailingForLong", "critical"),
        ("CIJobNoRecentSuccess", "critical"),
        &JOB,
    ),
    (
        ("CIJobFailingRepeatedly", "critical"),
        ("CIJobFailingRepeatedly", "warning"),
        &JOB,
    ),
    (
        ("CIJobFailingRepeatedly", "critical"),
        ("CIJobFailureRatioHigh", "critical"),
        &JOB,
    ),
    (
        ("CIJobFailingRepeatedly", "critical"),
        ("CIJobNoRecentSuccess", "critical"),
        &JOB,
    ),
    (
        ("CIJobFailingRepeatedly", "warning"),
        ("CIJobFailureRatioHigh", "warning"),
        &JOB,
    ),
    (
        ("CIJobFailingRepeatedly", "warning"),
        ("CIJobNoRecentSuccess", "warning"),
        &JOB,
    ),
    (
        ("CIJobFailureRatioHigh", "critical"),
        ("CIJobFailingRepeatedly", "warning"),
        &JOB,
    ),
    (
        ("CIJobFailureRatioHigh", "critical"),
        ("CIJobNoRecentSuccess", "critical"),
        &JOB,
    ),
    (
        ("CIJobFailureRatioHigh", "warning"),
        ("CIJobNoRecentSuccess", "warning"),
        &JOB,
    ),
    (
        ("CIJobNoRecentSuccess", "critical"),
        ("CIJobFailingRepeatedly", "warning"),
        &JOB,
    ),
    (("CIJobStuck", "critical"), ("CIJobStuck", "warning"), &JOB),
    (
        ("CIScheduleMissed", "critical"),
        ("CIScheduleMissed", "warning"),
        &SCHEDULE,
    ),
];

/// Alerts that are sent, though the first ones fire with the same labels.
const SENT: [Pair; 10] = [
    (
        ("CIExporterDown", "critical"),
        ("CIJobFailingRepeatedly", "warning"),
        &JOB,
    ),
    (
        ("CIExporterReplicaDown", "warning"),
        ("CIJobFailingRepeatedly", "warning"),
        &JOB,
    ),
    (
        ("CIMassFailure", "critical"),
        ("CIJobFailingRepeatedly", "warning"),
        &JOB,
    ),
    (
        ("CIMassFailure", "critical"),
        ("CIPipelineFailing", "warning"),
        &REF,
    ),
    (
        ("CIMassFailureMember", "none"),
        ("CIJobStuck", "warning"),
        &JOB,
    ),
    (
        ("CIMassFailureMember", "none"),
        ("CIRetryCircuitOpen", "warning"),
        &JOB,
    ),
    (
        ("CIJobFailingRepeatedly", "warning"),
        ("CIJobFailureRatioHigh", "critical"),
        &JOB,
    ),
    (
        ("CIJobFailingRepeatedly", "critical"),
        ("CIJobStuck", "warning"),
        &JOB,
    ),
    (
        ("CIProjectUnobserved", "none"),
        ("CIExporterProjectLost", "warning"),
        &PROJECT,
    ),
    (
        ("CIExporterStateNotSaved", "critical"),
        ("CIExporterStateNotSaved", "warning"),
        &["instance"],
    ),
];

/// An alert whose labels are all called by the number of the case, except for one.
fn alert(
    (name, severity): (&str, &str),
    equal: &[&str],
    case: usize,
    other: Option<&str>,
) -> Value {
    let mut labels: Map<_, _> = equal
        .iter()
        .map(|label| {
            let suffix = if other == Some(label) { "-other" } else { "" };
            ((*label).to_owned(), json!(format!("case-{case}{suffix}")))
        })
        .collect();
    labels.insert("alertname".to_owned(), json!(name));
    labels.insert("severity".to_owned(), json!(severity));
    if !equal.contains(&"job_name") && name.starts_with("CIJob") {
        labels.insert("job_name".to_owned(), json!("unit"));
    }
    json!({ "labels": labels })
}

/// Waits until the first alerts, and none of the others, are held back.
async fn are_held_back(alertmanager: &Tool, wanted: &[Value], sent: &[Value]) {
    until("what is held back", async || {
        let all = alertmanager.get("alerts").await;
        let held = all.as_array().unwrap().iter();
        let held = held.filter(|alert| alert["status"]["inhibitedBy"] != json!([]));
        let held: Vec<_> = held.map(|alert| &alert["labels"]).collect();
        let missing = wanted.iter().find(|it| !held.contains(&&it["labels"]));
        let wrong = sent.iter().find(|it| held.contains(&&it["labels"]));
        let problem = format!("missing: {missing:?}, wrongly: {wrong:?}");
        holds(missing.is_none() && wrong.is_none(), problem)
    })
    .await;
}

#[tokio::test]
async fn an_alert_holds_back_what_it_explains_and_what_differs_in_one_label_is_sent() {
    let receiver = Receiver::start().await;
    let shipped = Shipped::copy();
    let alertmanager = shipped.alertmanager(receiver.address).await;
    let (mut sources, mut held, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for (case, (source, target, equal)) in HELD_BACK.iter().enumerate() {
        sources.push(alert(*source, equal, case, None));
        held.push(alert(*target, equal, case, None));
        let others = equal.iter();
        sent.extend(others.map(|label| alert(*target, equal, case, Some(label))));
    }
    for (case, (source, target, equal)) in SENT.iter().enumerate() {
        let case = case + HELD_BACK.len();
        sources.push(alert(*source, equal, case, None));
        sent.push(alert(*target, equal, case, None));
    }
    let all = [&sources[..], &held, &sent].concat();
    alertmanager.post("alerts", &json!(all)).await;
    are_held_back(&alertmanager, &held, &sent).await;
}
