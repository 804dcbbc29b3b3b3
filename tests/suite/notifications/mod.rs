//! The shipped notification templates: each renders with one alert, with thirty and with nothing to go by.

mod awkward_names;
mod examples;
mod hostile;
mod mail;
mod one_stream;
mod stage;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use regex::Regex;
use serde_json::{Value, json};

use stage::alert;

use crate::tools;
use crate::tools::at_root;

const TEMPLATES: &str = "deploy/alertmanager/templates";
/// Configurations that name templates.
const RECEIVERS: [&str; 2] = [
    "deploy/alertmanager/receivers.example.yml",
    "deploy/alertmanager/receivers.msteams.example.yml",
];
/// What every template is defined as, by name.
fn defined() -> BTreeMap<String, String> {
    let name = Regex::new(r#"\{\{ define "([^"]+)""#).unwrap();
    let mut defined = BTreeMap::new();
    for entry in fs::read_dir(at_root(TEMPLATES)).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for found in name.captures_iter(&text) {
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            let before = defined.insert(found[1].to_owned(), file);
            assert_eq!(before, None, "{} is defined twice", &found[1]);
        }
    }
    defined
}

/// Templates that the example receivers name.
fn named() -> BTreeSet<String> {
    let name = Regex::new(r#"\{\{ template "([^"]+)" \. \}\}"#).unwrap();
    let texts = RECEIVERS.map(|path| fs::read_to_string(at_root(path)).unwrap());
    texts
        .iter()
        .flat_map(|text| name.captures_iter(text))
        .map(|found| found[1].to_owned())
        .collect()
}

/// The pairs that all these objects have.
fn common(alerts: &[Value], of: &str) -> Value {
    let mut common = alerts[0][of].as_object().unwrap().clone();
    common.retain(|key, value| alerts.iter().all(|alert| alert[of][key] == *value));
    common.into()
}

/// What Alertmanager hands to a template, for these alerts.
fn notification(status: &str, alerts: &[Value]) -> Value {
    let with_status = |alert: &Value| {
        let mut alert = alert.clone();
        let fields = alert.as_object_mut().unwrap();
        fields.entry("status").or_insert_with(|| status.into());
        alert
    };
    let (labels, annotations) = (common(alerts, "labels"), common(alerts, "annotations"));
    json!({
        "receiver": "chat",
        "status": status,
        "alerts": alerts.iter().map(with_status).collect::<Vec<_>>(),
        "groupLabels": { "project": "acme/payments/api", "team": "payments" },
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "https://alertmanager.example.com",
    })
}

fn job(number: usize) -> Value {
    let name = format!("unit-{number}");
    let severity = if number.is_multiple_of(3) {
        "critical"
    } else {
        "warning"
    };
    alert("CIJobFailingRepeatedly", severity, &[("job_name", &name)])
}

fn with_one() -> Value {
    notification("firing", &[job(3)])
}

fn with_thirty() -> Value {
    notification("firing", &(1..=30).map(job).collect::<Vec<_>>())
}

/// Neither labels nor annotations nor times nor an address.
fn with_nothing() -> Value {
    json!({
        "receiver": "chat",
        "status": "firing",
        "alerts": [{ "status": "firing", "labels": {}, "annotations": {} }],
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "",
    })
}

#[track_caller]
fn render(template: &str, notification: &Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notification.json");
    fs::write(&path, notification.to_string()).unwrap();
    let kind = if template.ends_with("html") {
        "html"
    } else {
        "text"
    };
    let answer = tools::run(
        "amtool",
        [
            "template".to_owned(),
            "render".to_owned(),
            format!("--template.glob={}/*.tmpl", at_root(TEMPLATES).display()),
            format!("--template.type={kind}"),
            format!(r#"--template.text={{{{ template "{template}" . }}}}"#),
            format!("--template.data={}", path.display()),
        ],
    );
    answer.must_pass();
    assert!(
        !answer.printed.contains("<no value>"),
        "{template}: {}",
        answer.printed
    );
    answer.printed
}

#[test]
fn every_template_that_a_receiver_names_is_defined_and_the_receivers_load() {
    let defined = defined();
    let missing: Vec<_> = named()
        .into_iter()
        .filter(|name| !defined.contains_key(name))
        .collect();
    assert!(missing.is_empty(), "not defined: {missing:?}");
    // The one for Teams is for a newer Alertmanager than may be installed.
    tools::run(
        "amtool",
        ["check-config", at_root(RECEIVERS[0]).to_str().unwrap()],
    )
    .must_pass();
}

#[test]
fn every_template_is_used_by_a_receiver_or_by_another_template() {
    let mut used = named();
    let name = Regex::new(r#"\{\{-? ?template "([^"]+)""#).unwrap();
    for file in defined().values() {
        let text = fs::read_to_string(at_root(TEMPLATES).join(file)).unwrap();
        used.extend(name.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    let unused: Vec<_> = defined()
        .into_keys()
        .filter(|name| !used.contains(name))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn secrets_are_read_from_files() {
    let secret = Regex::new(r"(?m)^\s*(?:- )?(api_url|routing_key|service_key|\w*password|credentials|webhook_url|bearer_token):").unwrap();
    for path in RECEIVERS {
        let text = fs::read_to_string(at_root(path)).unwrap();
        assert!(!secret.is_match(&text), "{path}: {:?}", secret.find(&text));
    }
}

#[test]
fn every_named_template_renders_with_one_alert_with_thirty_and_with_nothing_to_go_by() {
    for template in named() {
        let one = render(&template, &with_one());
        assert!(!one.trim().is_empty(), "{template} says nothing");
        let thirty = render(&template, &with_thirty());
        let nothing = render(&template, &with_nothing());
        let is_long = ["text", "html", "firing"]
            .iter()
            .any(|end| template.ends_with(end));
        if is_long {
            let facts = [
                "6 in a row",
                "2026-01-02 02:41 UTC",
                "AssertionError: 10.005 EUR: expected 10.01, got 10.00",
                "8c1f0a5b Round half to even (Ada Lovelace)",
                "https://gitlab.example.com/acme/payments/api/-/jobs/4711",
                "https://gitlab.example.com/acme/payments/api/-/compare/aa1f0a5b...8c1f0a5b",
                "https://ci.example.com/jobs/unit",
                "https://runbooks.example.com/CIJobFailingRepeatedly.md",
                "https://grafana.example.com/d/jfe-job?",
                "https://alertmanager.example.com/#/silences/new?filter=",
                "payments",
            ];
            for fact in facts {
                // Teams and HTML write some marks otherwise.
                let plain = one.replace('\\', "").replace("&#43;", "+");
                assert!(plain.contains(fact), "{template}: {fact}: {one}");
            }
            assert_eq!(
                thirty.matches("AssertionError").count(),
                10,
                "{template}: ten are told, the rest is counted: {thirty}"
            );
            assert!(thirty.contains("and 20 more"), "{template}: {thirty}");
            assert_eq!(thirty.matches("/silences/new?").count(), 10, "{thirty}");
            assert!(nothing.contains("No description."), "{template}: {nothing}");
            assert!(!nothing.contains("silences/new"), "{template}: {nothing}");
        } else {
            assert!(!one.contains('\n'), "{template} is one line: {one}");
            assert!(thirty.len() < 1024, "{template}: {thirty}");
        }
    }
}

#[test]
fn a_title_says_state_count_severity_whose_it_is_and_what_is_wrong() {
    assert_eq!(
        render("ci.title", &with_one()),
        "[FIRING critical] unit-3 in acme/payments/api (main), team payments: 6 in a row"
    );
    assert_eq!(
        render("ci.title", &with_thirty()),
        "[FIRING 30, 10 critical] acme/payments/api (main), team payments: 6 in a row"
    );
    let over = notification("resolved", &[job(1), job(2)]);
    assert_eq!(
        render("ci.title", &over),
        "[RESOLVED] acme/payments/api (main), team payments"
    );
    assert_eq!(
        render("ci.title", &with_nothing()),
        "[FIRING] Several alerts"
    );
    let stale = json!({
        "labels": {"alertname": "CIExporterPollStale", "severity": "warning", "project": "acme/shop"},
        "annotations": {"summary": "Polling a project has been failing for a while."},
    });
    assert_eq!(
        render("ci.title", &notification("firing", &[stale])),
        "[FIRING warning] acme/shop: Polling a project has been failing for a while."
    );
    assert_eq!(render("ci.slack.color", &over), "good");
    assert_eq!(render("ci.slack.color", &with_one()), "danger");
    assert_eq!(render("ci.slack.color", &with_nothing()), "warning");
}
