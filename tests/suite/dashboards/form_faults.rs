//! What the checks of the form have to notice: each is shown dashboards that are faulty on purpose.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::boards;
use super::form::CHECKS;

/// Makes a dashboard faulty.
type Fault = fn(&mut Value);

/// For each check what it has to notice, in the overview.
const FAULTS: [(&str, Fault); 34] = [
    ("head", |b| b["uid"] = json!("overview")),
    ("head", |b| b["tags"] = json!(["ci"])),
    ("head", |b| b["editable"] = json!(true)),
    ("head", |b| b["schemaVersion"] = json!(36)),
    ("head", |b| b["id"] = json!(7)),
    ("panels", |b| {
        b["panels"][1]["id"] = b["panels"][0]["id"].clone();
    }),
    ("panels", |b| b["panels"][1]["title"] = json!("")),
    ("panels", |b| b["panels"][1]["description"] = json!("")),
    ("panels", |b| b["panels"][1]["type"] = json!("graph")),
    ("panels", |b| b["panels"][1]["targets"] = json!([])),
    ("panels", |b| {
        b["panels"][1]["targets"][0]["format"] = json!("table");
    }),
    ("panels", |b| {
        b["panels"][1]["fieldConfig"]["defaults"]["noValue"] = Value::Null;
    }),
    ("panels", |b| {
        b["panels"][1]["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"] = Value::Null;
    }),
    ("units", |b| {
        b["panels"][1]["fieldConfig"]["defaults"]["unit"] = json!("seconds");
    }),
    ("units", |b| {
        let overrides = &mut b["panels"][1]["fieldConfig"]["overrides"];
        *overrides = json!([{"properties": [{"id": "unit", "value": "ago"}]}]);
    }),
    ("grid", |b| b["panels"][1]["gridPos"]["x"] = json!(1)),
    ("grid", |b| b["panels"][1]["gridPos"]["w"] = json!(22)),
    ("data source", |b| {
        b["templating"]["list"][0]["name"] = json!("prometheus");
    }),
    ("data source", |b| {
        b["panels"][1]["datasource"]["uid"] = json!("P1");
    }),
    ("data source", |b| {
        b["panels"][1]["targets"][0]["datasource"] = Value::Null;
    }),
    ("variables", |b| {
        b["templating"]["list"][1]["name"] = json!("owner");
    }),
    ("variables", |b| {
        b["templating"]["list"][1]["allValue"] = Value::Null;
    }),
    ("variables", |b| {
        b["templating"]["list"][1]["definition"] = json!("x");
    }),
    ("variables", |b| b["panels"][1]["title"] = json!("$pod")),
    ("matchers", |b| {
        b["panels"][1]["targets"][0]["expr"] = json!("x{project=\"$project\"}");
    }),
    ("matchers", |b| {
        b["panels"][1]["targets"][0]["expr"] = json!("x{project=~\"${project:raw}.*\"}");
    }),
    ("rates", |b| {
        b["panels"][1]["targets"][0]["expr"] = json!("rate(x[5m])");
    }),
    ("rates", |b| {
        b["panels"][1]["targets"][0]["expr"] = json!("increase(x[$__range])");
        b["panels"][1]["targets"][0]["instant"] = json!(false);
    }),
    ("links", |b| b["links"][0]["keepTime"] = json!(false)),
    ("links", |b| b["links"][0]["includeVars"] = json!(false)),
    ("links", |b| {
        link(
            b,
            "/d/jfe-jobs?var-project=${__data.fields.project:percentencode}&${datasource:queryparam}&${__url_time_range}",
        );
    }),
    ("links", |b| {
        link(
            b,
            "/d/jfe-job?var-project=${__data.fields.project:percentencode}",
        );
    }),
    ("links", |b| {
        link(
            b,
            "/d/jfe-job?var-team=${__data.fields.team:percentencode}&${datasource:queryparam}&${__url_time_range}",
        );
    }),
    ("metrics", |b| {
        b["panels"][1]["targets"][0]["expr"] = json!("max by (ref) (ci_job:failures{a=\"b\"})");
    }),
];

fn link(board: &mut Value, url: &str) {
    let links = &mut board["panels"][1]["fieldConfig"]["defaults"]["links"];
    *links = json!([{"title": "Somewhere", "url": url}]);
}

#[test]
fn each_check_of_the_form_notices_the_faults_it_is_for() {
    let boards = boards();
    let overview = boards.iter().find(|b| b.stem == "overview").unwrap();
    let named: BTreeSet<_> = FAULTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, CHECKS.iter().map(|(name, _)| *name).collect());
    for (at, (name, fault)) in FAULTS.iter().enumerate() {
        let mut faulty = overview.clone();
        fault(&mut faulty.json);
        let (_, check) = CHECKS.iter().find(|(check, _)| check == name).unwrap();
        let problems = check(&faulty, &boards);
        assert!(!problems.is_empty(), "fault {at} of {name} is not noticed");
    }
}
