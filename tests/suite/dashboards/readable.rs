//! Whether people can read what a panel shows: names stay names, counts stay whole, empty cells say nothing wrong, and
//! the number of rows and series is limited.

use regex::Regex;
use serde_json::{Value, json};

use super::form::{expressions, read_metrics, title, unless};
use super::{Board, boards, list, text};

/// Targets without `topk` that have few rows by themselves: of one job, or of what is filtered by another target.
const ONE_JOB: &str = "jfe-job";

fn overrides(panel: &Value) -> impl Iterator<Item = (&str, &Value)> {
    list(&panel["fieldConfig"]["overrides"])
        .iter()
        .map(|with| (text(&with["matcher"]["options"]), with))
}

fn property<'a>(with: &'a Value, id: &str) -> Option<&'a Value> {
    let found = list(&with["properties"]).iter().find(|it| it["id"] == id);
    found.map(|property| &property["value"])
}

/// Grafana formats names that look like numbers: a ref called 2024 becomes "2.02 K", unless the unit is `string`.
fn names_are_text(panel: &Value) -> Vec<String> {
    let title = title(panel);
    let default = &panel["fieldConfig"]["defaults"]["unit"];
    let mut problems: Vec<_> = unless(default != "short", format!("{title}: unit short"))
        .into_iter()
        .collect();
    let is_table = panel["type"] == "table";
    problems.extend(unless(
        !is_table || default == "string",
        format!("{title}: text has the unit {default}"),
    ));
    for (name, with) in overrides(panel) {
        let unit = property(with, "unit");
        let is_value = name == "Value" || name.starts_with("Value #");
        let holds = match unit {
            Some(unit) => unit != "short" && (!is_table || is_value),
            None => !is_table || !is_value,
        };
        problems.extend(unless(holds, format!("{title}: unit {unit:?} of {name}")));
    }
    problems
}

/// `noValue` of a table also stands in its empty cells, unless its columns have their own.
fn empty_cells_are_empty(panel: &Value) -> Option<String> {
    if panel["type"] != "table" {
        return None;
    }
    let first = &panel["fieldConfig"]["overrides"][0];
    let every = json!({"id": "byRegexp", "options": "/.*/"});
    let holds = first["matcher"] == every && property(first, "noValue") == Some(&json!("–"));
    unless(holds, format!("{}: empty cells", title(panel)))
}

/// `increase` extrapolates, so that three failures become 2.97.
fn counts_are_whole(panel: &Value) -> Vec<String> {
    let increase = Regex::new(r"\bincrease\(").unwrap();
    let rounded = Regex::new(r"round\((?:(?:sum|max)(?: by \([^)]*\))? ?\()?increase\(").unwrap();
    let targets = list(&panel["targets"]).iter();
    targets
        .filter(|target| {
            let expr = text(&target["expr"]);
            increase.find_iter(expr).count() != rounded.find_iter(expr).count()
        })
        .map(|target| format!("{}: fractions in {}", title(panel), target["expr"]))
        .collect()
}

/// Of times of several instances the worst one is shown: the newest save of a shard says nothing about the others.
fn the_worst_instance_is_shown(panel: &Value) -> Vec<String> {
    let newest = Regex::new(r"\bmax\(job_failure_exporter_\w+_timestamp_seconds").unwrap();
    let targets = list(&panel["targets"]).iter();
    targets
        .filter(|target| newest.is_match(text(&target["expr"])))
        .map(|target| format!("{}: {}", title(panel), target["expr"]))
        .collect()
}

fn rows_are_limited(board: &Board, panel: &Value) -> Vec<String> {
    if panel["type"] != "table" || board.uid() == ONE_JOB {
        return Vec::new();
    }
    let targets = list(&panel["targets"]).iter();
    targets
        .filter(|target| !text(&target["expr"]).contains("topk("))
        .map(|target| format!("{}: any number of rows, {}", title(panel), target["expr"]))
        .collect()
}

/// Over a day, series of every job are more than Prometheus reads in two seconds.
fn ranges_are_cheap(board: &Board) -> Vec<String> {
    let mut problems = Vec::new();
    for (panel, target, expr) in expressions(board) {
        if board.uid() == ONE_JOB || target["range"] != true {
            continue;
        }
        let of_jobs = read_metrics(expr)
            .into_iter()
            .filter(|name| name.starts_with("job_") && !name.starts_with("job_failure_exporter_"));
        problems.extend(of_jobs.map(|name| format!("{}: {name} over time", title(panel))));
    }
    problems
}

fn problems(board: &Board) -> Vec<String> {
    let mut problems = ranges_are_cheap(board);
    for panel in board.views() {
        problems.extend(names_are_text(panel));
        problems.extend(empty_cells_are_empty(panel));
        problems.extend(counts_are_whole(panel));
        problems.extend(the_worst_instance_is_shown(panel));
        problems.extend(rows_are_limited(board, panel));
    }
    problems
}

/// Makes one panel faulty.
type Fault = (&'static str, fn(&mut Value));

/// Faults of panels of the overview.
const FAULTS: [Fault; 10] = [
    ("Jobs", |p| {
        p["fieldConfig"]["defaults"]["unit"] = json!("short");
    }),
    ("Failing jobs", |p| {
        p["fieldConfig"]["defaults"]["unit"] = json!("none");
    }),
    ("Failing jobs", |p| {
        let ref_ = json!({"matcher": {"id": "byName", "options": "ref"}, "properties": [{"id": "unit", "value": "none"}]});
        p["fieldConfig"]["overrides"]
            .as_array_mut()
            .unwrap()
            .push(ref_);
    }),
    ("Failing jobs", |p| {
        let value = json!({"matcher": {"id": "byName", "options": "Value #Z"}, "properties": []});
        p["fieldConfig"]["overrides"]
            .as_array_mut()
            .unwrap()
            .push(value);
    }),
    ("Failing jobs", |p| {
        p["fieldConfig"]["overrides"]
            .as_array_mut()
            .unwrap()
            .remove(0);
    }),
    ("Failing jobs", |p| {
        p["targets"][0]["expr"] = json!("ci_job:consecutive_failures");
    }),
    ("Failing jobs over time", |p| {
        p["targets"][0]["expr"] = json!("count(job_info)");
    }),
    ("Jobs", |p| {
        p["targets"][0]["expr"] = json!("sum(increase(job_retries_total[$__range]))");
    }),
    ("Jobs", |p| {
        p["targets"][0]["expr"] =
            json!("round(sum(increase(a_total[1h]))) + sum(increase(a_total[1h]))");
    }),
    ("Jobs", |p| {
        let newest =
            "max(job_failure_exporter_state_last_successful_save_timestamp_seconds{a=\"b\"})";
        p["targets"][0]["expr"] = json!(format!("time() - {newest}"));
    }),
];

#[test]
fn people_can_read_what_the_panels_show() {
    let boards = boards();
    for board in &boards {
        let problems = problems(board);
        assert!(problems.is_empty(), "{}: {problems:#?}", board.stem);
    }
    let overview = boards
        .iter()
        .find(|board| board.stem == "overview")
        .unwrap();
    for (at, (title, fault)) in FAULTS.iter().enumerate() {
        let mut faulty = overview.clone();
        let panels = faulty.json["panels"].as_array_mut().unwrap();
        fault(
            panels
                .iter_mut()
                .find(|panel| panel["title"] == *title)
                .unwrap(),
        );
        assert!(
            !problems(&faulty).is_empty(),
            "fault {at} of {title} is not noticed"
        );
    }
}
