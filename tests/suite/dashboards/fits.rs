//! Whether what Prometheus answered has the rows, labels and names that a panel goes by.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use super::{Board, data_links, list, text};

/// Labels of one series.
type Labels = BTreeMap<String, String>;

/// One series of an answer.
pub(super) struct Row {
    pub(super) labels: Labels,
    values: Vec<f64>,
}

impl Row {
    /// A series as Prometheus answers it.
    pub(super) fn of(series: &Value) -> Self {
        let number = |point: &Value| text(&point[1]).parse().unwrap();
        let points = [&series["value"]].into_iter().filter(|it| it.is_array());
        Self {
            labels: serde_json::from_value(series["metric"].clone()).unwrap(),
            values: points.chain(list(&series["values"])).map(number).collect(),
        }
    }

    pub(super) fn latest(&self) -> f64 {
        *self.values.last().unwrap()
    }
}

/// Panels that rightly show nothing of the scene: dashboard, title, target, why.
const EMPTY: [(&str, &str, &str, &str); 3] = [
    (
        "jfe-exporter",
        "Poll errors",
        "A",
        "every project can be polled",
    ),
    (
        "jfe-exporter",
        "Projects by poll age",
        "C",
        "every project can be polled",
    ),
    (
        "jfe-exporter",
        "Records rejected",
        "A",
        "every record is valid",
    ),
];

/// Labels that depend on the configuration and on the scrape, and an outcome that no job of the scene has.
const OPTIONAL: [&str; 7] = [
    "canceled",
    "track",
    "gitlab",
    "cluster",
    "line",
    "commit_title",
    "commit_author",
];

/// What one target of one panel answered, over all choices.
#[derive(Default)]
pub(super) struct Seen {
    rows: usize,
    /// Labels that some series had, and that every series had.
    some: BTreeSet<String>,
    every: BTreeSet<String>,
    /// What series are called in the legend.
    names: BTreeSet<String>,
    /// A value that is no whole number.
    fraction: Option<f64>,
}

impl Seen {
    pub(super) fn add(&mut self, rows: &[Row], legend: &str) {
        for Row {
            labels: row,
            values,
        } in rows
        {
            let fraction = values.iter().find(|it| it.is_finite() && it.fract() != 0.0);
            self.fraction = self.fraction.or(fraction.copied());
            let labels: BTreeSet<_> = row.keys().cloned().collect();
            if self.rows == 0 {
                self.every.clone_from(&labels);
            }
            self.every.retain(|label| labels.contains(label));
            self.some.extend(labels);
            self.names.insert(named(legend, row));
            self.rows += 1;
        }
    }
}

fn legend_labels(legend: &str) -> Vec<String> {
    let label = Regex::new(r"\{\{\s*(\w+)\s*\}\}").unwrap();
    let found = label.captures_iter(legend);
    found.map(|found| found[1].to_owned()).collect()
}

fn named(legend: &str, labels: &Labels) -> String {
    legend_labels(legend)
        .iter()
        .fold(legend.to_owned(), |name, label| {
            let value = labels.get(label).map_or("", String::as_str);
            name.replace(&format!("{{{{{label}}}}}"), value)
        })
}

/// By panel and target.
pub(super) type Answers = BTreeMap<(u64, String), Seen>;

/// What does not fit together between a panel and the answers to it.
pub(super) fn misfits(board: &Board, answers: &Answers) -> Vec<String> {
    let mut problems = Vec::new();
    for panel in board.views() {
        let seen: Vec<_> = list(&panel["targets"])
            .iter()
            .map(|target| {
                let key = (panel["id"].as_u64().unwrap(), text(&target["refId"]));
                (target, &answers[&(key.0, key.1.to_owned())])
            })
            .collect();
        let title = text(&panel["title"]);
        let found = [
            emptiness(board, title, &seen),
            legends(&seen),
            names(panel, &seen),
            linked(panel, &seen),
            fractions(panel, &seen),
        ];
        let found = found.into_iter().flatten();
        problems.extend(found.map(|problem| format!("{}, {title:?}: {problem}", board.stem)));
    }
    problems
}

fn emptiness(board: &Board, title: &str, seen: &[(&Value, &Seen)]) -> Vec<String> {
    let mut problems = Vec::new();
    for (target, seen) in seen {
        let id = text(&target["refId"]);
        let rightly = EMPTY
            .iter()
            .find(|(uid, panel, target, _)| (*uid, *panel, *target) == (board.uid(), title, id));
        match (rightly, seen.rows) {
            (None, 0) => problems.push(format!("no rows for {}", target["expr"])),
            (Some((.., why)), 1..) => problems.push(format!("rows of {id}, although {why}")),
            _ => {}
        }
    }
    problems
}

fn legends(seen: &[(&Value, &Seen)]) -> Vec<String> {
    let mut problems = Vec::new();
    for (target, seen) in seen.iter().filter(|(_, seen)| seen.rows > 0) {
        for label in legend_labels(text(&target["legendFormat"])) {
            if !seen.every.contains(&label) && !OPTIONAL.contains(&&*label) {
                problems.push(format!("legend label {label} is not in {:?}", seen.every));
            }
        }
    }
    problems
}

/// Names that overrides, sorting and transformations go by: columns of a table, else series.
fn names(panel: &Value, seen: &[(&Value, &Seen)]) -> Vec<String> {
    let is_table = panel["type"] == "table";
    let mut known = BTreeSet::new();
    for (target, answer) in seen {
        if !is_table {
            known.extend(answer.names.iter().cloned());
            continue;
        }
        known.extend(answer.some.iter().cloned());
        known.insert("Time".to_owned());
        known.insert(if seen.len() == 1 {
            "Value".to_owned()
        } else {
            format!("Value #{}", text(&target["refId"]))
        });
    }
    let mut wanted = Vec::new();
    let mut problems = Vec::new();
    let mut shown = known.clone();
    for with in list(&panel["fieldConfig"]["overrides"]) {
        let name = text(&with["matcher"]["options"]);
        match text(&with["matcher"]["id"]) {
            "byName" => wanted.push(name),
            "byFrameRefID" => {
                if !seen.iter().any(|(target, _)| target["refId"] == name) {
                    problems.push(format!("no target {name}"));
                }
            }
            // For the empty cells of every column.
            "byRegexp" => {}
            other => problems.push(format!("matcher {other} is not known")),
        }
        let renamed = list(&with["properties"]).iter();
        let renamed = renamed.filter(|property| property["id"] == "displayName");
        shown.extend(renamed.map(|property| text(&property["value"]).to_owned()));
    }
    for transformation in list(&panel["transformations"]) {
        let options = &transformation["options"];
        match text(&transformation["id"]) {
            "merge" => {}
            "organize" => {
                for part in ["excludeByName", "indexByName", "renameByName"] {
                    let names = options[part].as_object().unwrap();
                    wanted.extend(names.keys().map(String::as_str));
                }
            }
            other => problems.push(format!("transformation {other} is not known")),
        }
    }
    let is_known = |name: &str| known.contains(name) || OPTIONAL.contains(&name);
    let missing = wanted.into_iter().filter(|name| !is_known(name));
    problems.extend(missing.map(|name| format!("nothing is called {name:?}: {known:?}")));
    let sorted = list(&panel["options"]["sortBy"]).iter();
    let missing = sorted.filter(|by| !shown.contains(text(&by["displayName"])));
    problems.extend(missing.map(|by| format!("sorted by {by}, which is not shown")));
    if is_table {
        problems.extend(columns(panel, &known));
    }
    problems
}

/// Every column of a table is given its name, hidden, or left out.
fn columns(panel: &Value, known: &BTreeSet<String>) -> Vec<String> {
    let overrides = list(&panel["fieldConfig"]["overrides"]).iter();
    let named: BTreeSet<_> = overrides
        .map(|with| text(&with["matcher"]["options"]))
        .collect();
    let transformations = list(&panel["transformations"]).iter();
    let organized = transformations.filter(|step| step["id"] == "organize");
    let out: BTreeSet<_> = organized
        .filter_map(|step| step["options"]["excludeByName"].as_object())
        .flat_map(|names| names.keys().map(String::as_str))
        .collect();
    let stray = known
        .iter()
        .filter(|name| !named.contains(name.as_str()) && !out.contains(name.as_str()));
    stray
        .map(|name| format!("column {name} is shown as it is"))
        .collect()
}

fn linked(panel: &Value, seen: &[(&Value, &Seen)]) -> Vec<String> {
    let used = Regex::new(r"\$\{__(data\.fields|field\.labels)\.(\w+)").unwrap();
    let mut problems = Vec::new();
    for link in data_links(panel) {
        for found in used.captures_iter(text(&link["url"])) {
            let label = &found[2];
            // A column may come from any target, a label has to be on every series.
            let known = if &found[1] == "data.fields" {
                panel["type"] == "table" && seen.iter().any(|(_, seen)| seen.some.contains(label))
            } else {
                seen.iter().all(|(_, seen)| seen.every.contains(label))
            };
            if !known && !OPTIONAL.contains(&label) {
                problems.push(format!("{label} of {} is not there", link["url"]));
            }
        }
    }
    problems
}

/// Counts that are no whole numbers.
fn fractions(panel: &Value, seen: &[(&Value, &Seen)]) -> Vec<String> {
    let defaults = &panel["fieldConfig"]["defaults"];
    let mut problems = Vec::new();
    for (target, seen) in seen {
        let id = text(&target["refId"]);
        let names = ["Value".to_owned(), format!("Value #{id}"), id.to_owned()];
        let (mut unit, mut decimals) = (&defaults["unit"], &defaults["decimals"]);
        for with in list(&panel["fieldConfig"]["overrides"]) {
            if names
                .iter()
                .any(|name| with["matcher"]["options"] == **name)
            {
                for property in list(&with["properties"]) {
                    match text(&property["id"]) {
                        "unit" => unit = &property["value"],
                        "decimals" => decimals = &property["value"],
                        _ => {}
                    }
                }
            }
        }
        let is_count = (unit == "none" || unit == "locale") && decimals.as_u64().unwrap_or(0) == 0;
        if let (true, Some(fraction)) = (is_count, seen.fraction) {
            problems.push(format!("{fraction} is no count: {}", target["expr"]));
        }
    }
    problems
}
