//! The shipped notification templates: each renders with one alert, with thirty and with nothing to go by.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use regex::Regex;
use serde_json::{Value, json};

use crate::tools;
use crate::tools::at_root;

const TEMPLATES: &str = "deploy/alertmanager/templates";
/// Configurations that name templates.
const RECEIVERS: [&str; 2] = [
    "deploy/alertmanager/receivers.example.yml",
    "deploy/alertmanager/receivers.msteams.example.yml",
];
const HOSTILE: &str = r#"<!channel> <script>alert("x")</script> & *it*"#;

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

fn alert(number: usize, status: &str) -> Value {
    json!({
        "status": status,
        "labels": {
            "alertname": "CIJobFailingRepeatedly", "severity": "critical", "team": "payments",
            "project": "acme/shop", "ref": "main", "job_name": format!("unit-{number} {HOSTILE}"),
        },
        "annotations": {
            "summary": "A CI job fails repeatedly.",
            "description": format!("It failed 3 times in a row. {HOSTILE}"),
            "dashboard_url": "http://prometheus.test/graph?g0.expr=up&g0.tab=0",
        },
        "startsAt": "2026-01-02T03:04:05Z",
    })
}

/// What Alertmanager hands to a template, for these alerts.
fn notification(status: &str, alerts: &[Value]) -> Value {
    let mut common = json!({
        "alertname": "CIJobFailingRepeatedly", "severity": "critical", "team": "payments",
        "project": "acme/shop",
    });
    if let [alert] = alerts {
        common = alert["labels"].clone();
    }
    json!({
        "receiver": "chat",
        "status": status,
        "alerts": alerts,
        "groupLabels": { "alertname": "CIJobFailingRepeatedly" },
        "commonLabels": common,
        "commonAnnotations": {
            "summary": "A CI job fails repeatedly.",
            "runbook_url": "http://runbooks.test/CIJobFailingRepeatedly.md",
        },
        "externalURL": "http://alertmanager.test",
    })
}

fn with_one() -> Value {
    notification("firing", &[alert(1, "firing")])
}

fn with_thirty() -> Value {
    let alerts = (1..=30).map(|number| alert(number, "firing"));
    notification("firing", &alerts.collect::<Vec<_>>())
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
            assert!(one.contains("It failed 3 times in a row."), "{one}");
            assert!(thirty.contains("and more, 30 in all"), "{thirty}");
            assert_eq!(
                thirty.matches("It failed 3 times").count(),
                10,
                "{template}: ten are told, the rest is counted"
            );
            assert!(nothing.contains("No description."), "{template}: {nothing}");
        } else {
            assert!(!one.contains('\n'), "{template} is one line: {one}");
            assert!(thirty.len() < 1024, "{template}: {thirty}");
        }
    }
}

#[test]
fn a_title_says_state_count_alert_severity_and_whose_it_is() {
    assert_eq!(
        render("ci.title", &with_thirty()),
        "[FIRING 30] CIJobFailingRepeatedly (critical) acme/shop, team payments"
    );
    let over = notification("resolved", &[alert(1, "resolved"), alert(2, "resolved")]);
    assert_eq!(
        render("ci.title", &over),
        "[RESOLVED] CIJobFailingRepeatedly (critical) acme/shop, team payments"
    );
    assert_eq!(
        render("ci.title", &with_nothing()),
        "[FIRING 1] Several alerts"
    );
    assert!(render("ci.text", &over).contains("* resolved: acme/shop unit-2"));
    assert_eq!(render("ci.slack.color", &over), "good");
    assert_eq!(render("ci.slack.color", &with_one()), "danger");
    assert_eq!(render("ci.slack.color", &with_nothing()), "warning");
}

#[test]
fn a_name_in_gitlab_can_neither_call_a_channel_nor_script_a_mail() {
    for template in ["ci.slack.title", "ci.slack.text", "ci.msteams.text"] {
        let text = render(template, &with_one());
        assert!(text.contains("&lt;!channel&gt;"), "{template}: {text}");
        assert!(!text.contains("<!channel>"), "{template}: {text}");
    }
    let mail = render("ci.email.html", &with_one());
    assert!(!mail.contains("<script>"), "{mail}");
    assert!(mail.contains("&lt;script&gt;"), "{mail}");
}

#[test]
fn the_link_to_a_silence_is_filled_in_with_the_job() {
    let text = render("ci.slack.text", &with_one());
    let wanted = "/#/silences/new?filter=%7Balertname%3D%22CIJobFailingRepeatedly%22%2C%20job_name%3D%22unit-1%20";
    assert!(text.contains(wanted), "{text}");
}
