//! What Grafana makes of a dashboard before it asks Prometheus: values of variables, steps of panels.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use regex::{Captures, Regex};
use serde_json::Value;
use testkit::daemon::folder;

use super::history::{DAY, Selected};
use super::prometheus::INTERVAL;

/// Pixels of the 24 columns of a dashboard on a usual screen.
const WIDTH: u64 = 1880;

/// Upper limits of intervals with what Grafana rounds them to, in seconds.
const ROUNDED: [(f64, u64); 9] = [
    (25.0, 20),
    (45.0, 30),
    (90.0, 60),
    (210.0, 120),
    (450.0, 300),
    (750.0, 600),
    (1050.0, 900),
    (1500.0, 1200),
    (2700.0, 1800),
];

pub(super) struct Board {
    pub(super) name: String,
    json: Value,
}

/// A panel that asks something.
pub(super) struct Panel<'a> {
    pub(super) title: &'a str,
    pub(super) step: Duration,
    pub(super) targets: Vec<Target<'a>>,
}

pub(super) struct Target<'a> {
    pub(super) expr: &'a str,
    pub(super) is_instant: bool,
}

pub(super) fn boards(path: &Path) -> Vec<Board> {
    let files = folder(path).into_iter();
    let files = files.filter(|file| file.extension().is_some_and(|it| it == "json"));
    let read = |file: std::path::PathBuf| Board {
        name: file.file_stem().unwrap().to_str().unwrap().to_owned(),
        json: serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap(),
    };
    files.map(read).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl Board {
    pub(super) fn variables(&self) -> &[Value] {
        list(&self.json["templating"]["list"])
    }

    /// Also those in rows that are folded.
    pub(super) fn panels(&self) -> Vec<Panel<'_>> {
        let outer = list(&self.json["panels"]).iter();
        let all = outer.flat_map(|panel| std::iter::once(panel).chain(list(&panel["panels"])));
        all.filter_map(panel).collect()
    }
}

fn panel(json: &Value) -> Option<Panel<'_>> {
    let target = |target: &'_ Value| -> Option<(bool, bool)> {
        let is_shown = target["hide"] != true;
        is_shown.then_some((target["instant"] == true, target["range"] == true))
    };
    let targets: Vec<_> = list(&json["targets"])
        .iter()
        .filter_map(|json| {
            let (instant, range) = target(json)?;
            Some(Target {
                expr: json["expr"].as_str()?,
                is_instant: instant && !range,
            })
        })
        .collect();
    (!targets.is_empty()).then(|| Panel {
        title: json["title"].as_str().unwrap_or_default(),
        step: step(json),
        targets,
    })
}

/// The step of a panel's range queries: a point for each pixel, rounded, or the least step that the panel sets.
fn step(panel: &Value) -> Duration {
    let columns = panel["gridPos"]["w"].as_u64().unwrap();
    let points = panel["maxDataPoints"]
        .as_u64()
        .unwrap_or(WIDTH * columns / 24);
    let exact = DAY.as_secs_f64() / points as f64;
    let rounded = ROUNDED.iter().find(|(limit, _)| exact < *limit);
    let rounded = Duration::from_secs(rounded.map_or(3600, |(_, rounded)| *rounded));
    let least = panel["interval"]
        .as_str()
        .and_then(|text| ci_history::duration::parse(text).ok());
    rounded.max(least.unwrap_or(INTERVAL))
}

/// A value of each variable as it stands in a query.
pub(super) type Choice = BTreeMap<String, Chosen>;

#[derive(Debug, Clone)]
pub(super) enum Chosen {
    /// A pattern that stands there as it is.
    All(String),
    One(String),
}

/// The query with its variables filled in.
pub(super) fn interpolated(query: &str, choice: &Choice, step: Duration) -> String {
    let reference =
        Regex::new(r"\$(?:\{(?<braced>\w+)(?::(?<format>\w+))?\}|(?<bare>[A-Za-z_]\w*))");
    let seconds = step.as_secs();
    let filled = reference
        .unwrap()
        .replace_all(query, |found: &Captures<'_>| {
            let name = found
                .name("braced")
                .or_else(|| found.name("bare"))
                .unwrap()
                .as_str();
            let format = found.name("format").map(|format| format.as_str());
            match (name, choice.get(name)) {
                ("__interval", _) => format!("{seconds}s"),
                ("__range", _) => format!("{}s", DAY.as_secs()),
                ("__range_s", _) => DAY.as_secs().to_string(),
                ("__rate_interval", _) => {
                    format!(
                        "{}s",
                        (seconds + INTERVAL.as_secs()).max(4 * INTERVAL.as_secs())
                    )
                }
                (_, Some(Chosen::All(pattern))) => pattern.clone(),
                (_, Some(Chosen::One(value))) if format == Some("doublequote") => {
                    format!("\"{value}\"")
                }
                (_, Some(Chosen::One(value))) => value.clone(),
                // Such as a group of `label_replace`.
                (_, None) => found[0].to_owned(),
            }
        });
    filled.into_owned()
}

/// The selector, if there is one, and the label of `label_values(..)`.
pub(super) fn label_values(query: &str) -> Option<(&str, &str)> {
    let inner = query
        .trim()
        .strip_prefix("label_values(")?
        .strip_suffix(')')?;
    let (selector, label) = inner.rsplit_once(',').unwrap_or(("", inner));
    Some((selector.trim(), label.trim()))
}

/// The names that the queries of the dashboards select.
pub(super) fn selected(boards: &[Board]) -> Selected {
    let variable = Regex::new(r"\$\{[^}]*\}").unwrap();
    let mut queries = String::new();
    for board in boards {
        let panels = board.panels();
        let exprs = panels
            .iter()
            .flat_map(|panel| panel.targets.iter().map(|target| target.expr));
        let variables = board.variables().iter();
        let variables = variables.filter_map(|json| json["query"]["query"].as_str());
        for query in exprs.chain(variables) {
            queries.push_str(&variable.replace_all(query, "x"));
            queries.push('\n');
        }
    }
    let found = |pattern: &str| -> BTreeSet<String> {
        let pattern = Regex::new(pattern).unwrap();
        pattern
            .captures_iter(&queries)
            .map(|found| found[1].to_owned())
            .collect()
    };
    Selected {
        names: found(r"([a-zA-Z_:][\w:]*)"),
        ranges: found(r"([a-zA-Z_:][\w:]*)\s*(?:\{[^}]*\})?\s*\["),
    }
}
