//! The rules of Grafana's dashboard-linter, as far as `form` does not check the same more strictly.
//!
//! `template-job-rule`, `template-instance-rule`, `target-job-rule` and `target-instance-rule` hold for the dashboard of
//! the exporter. They do not fit the others: a job of GitLab is no target. Its series come from the replica that polled
//! it last, and the rules drop `job` and `instance`, so that another replica does not change them. There `gitlab` and
//! `cluster` take their place (`target-required-matchers-rule`).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::form::{expressions, read_metrics, title, unless};
use super::{Board, text};

/// Series that say nothing about a GitLab, or that only exclude others.
const EVERYWHERE: [&str; 3] = ["ci_default:", "ci_override:", "ci_instance:outdated"];

static SELECTOR: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"([A-Za-z_:][A-Za-z0-9_:]*)(?:\{([^{}]*(?:\$\{[^}]*\}[^{}]*)*)\})?").unwrap()
});

/// Each metric that an expression selects, with its matchers.
pub(super) fn selectors(expr: &str) -> Vec<(String, String)> {
    let metrics = read_metrics(expr);
    SELECTOR
        .captures_iter(expr)
        .filter(|found| metrics.contains(&found[1]))
        .map(|found| {
            let matchers = found.get(2).map_or("", |matchers| matchers.as_str());
            (found[1].to_owned(), matchers.to_owned())
        })
        .collect()
}

/// `template-job-rule`, `template-instance-rule`.
fn template(board: &Board, name: &str) -> Option<String> {
    let variable = board.variables().iter().find(|v| v["name"] == name);
    let Some(variable) = variable else {
        return Some(format!("no variable {name}"));
    };
    let label = text(&variable["label"]).to_lowercase();
    let holds = label == name && variable["multi"] == true && variable["allValue"] == ".+";
    unless(holds, format!("variable {name}"))
}

/// `target-job-rule`, `target-instance-rule`, `target-required-matchers-rule`.
fn required_matchers(board: &Board) -> Vec<String> {
    let mut problems = Vec::new();
    for (panel, _, expr) in expressions(board) {
        for (metric, matchers) in selectors(expr) {
            if EVERYWHERE.iter().any(|start| metric.starts_with(start)) {
                continue;
            }
            let mut wanted = vec!["gitlab", "cluster"];
            let is_scraped = !["ci_", "ci:", "ALERTS"]
                .iter()
                .any(|it| metric.starts_with(it));
            if board.stem == "exporter" && is_scraped {
                wanted.extend(["job", "instance"]);
            }
            for label in wanted {
                let holds = matchers.contains(&format!("{label}=~\"${label}\""));
                let problem = format!("{}: {metric} without {label}", title(panel));
                problems.extend(unless(holds, problem));
            }
        }
    }
    problems
}

/// `target-counter-agg-rule`.
fn counters(board: &Board) -> Vec<String> {
    let inside = Regex::new(r"\b(?:rate|increase)\([^\[\]]*\[[^\]]*\]\)").unwrap();
    let mut problems = Vec::new();
    for (panel, _, expr) in expressions(board) {
        let rest = inside.replace_all(expr, "");
        for (metric, _) in selectors(&rest) {
            let holds = !metric.ends_with("_total");
            problems.extend(unless(holds, format!("{}: {metric}", title(panel))));
        }
    }
    problems
}

/// `panel-no-targets-rule`, `panel-title-description-rule` and the like are in `form`; titles tell panels apart.
fn titles(board: &Board) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let again = board
        .views()
        .filter(|panel| !seen.insert(text(&panel["title"]).to_owned()));
    again
        .map(|panel| format!("{} is there twice", title(panel)))
        .collect()
}

/// Nothing depends on the name of the scrape job.
fn scrape_jobs(board: &Board) -> Vec<String> {
    let name = Regex::new(r#"\bjob\s*!?=~?\s*"[^$"]"#).unwrap();
    let named = expressions(board).filter(|(.., expr)| name.is_match(expr));
    named
        .map(|(panel, ..)| format!("{}: a scrape job", title(panel)))
        .collect()
}

fn problems(board: &Board) -> Vec<String> {
    let mut problems = required_matchers(board);
    problems.extend(counters(board));
    problems.extend(titles(board));
    problems.extend(scrape_jobs(board));
    if board.stem == "exporter" {
        problems.extend(
            ["job", "instance"]
                .iter()
                .filter_map(|it| template(board, it)),
        );
    }
    problems
}

/// Makes a dashboard faulty.
type Fault = fn(&mut Value);

/// Faults of the dashboard of the exporter.
const FAULTS: [Fault; 7] = [
    |b| {
        expr(
            b,
            "up{gitlab=~\"$gitlab\",cluster=~\"$cluster\",job=~\"$job\"}",
        );
    },
    |b| expr(b, "ci_project:poll_age_seconds{gitlab=~\"$gitlab\"}"),
    |b| {
        let site =
            "gitlab=~\"$gitlab\",cluster=~\"$cluster\",job=~\"$job\",instance=~\"$instance\"";
        expr(
            b,
            &format!("max(job_failure_exporter_polls_total{{{site}}})"),
        );
    },
    |b| {
        let site =
            "gitlab=~\"$gitlab\",cluster=~\"$cluster\",job=~\"$job\",instance=~\"$instance\"";
        expr(b, &format!("up{{{site},job=\"job-failure-exporter\"}}"));
    },
    |b| b["templating"]["list"][3]["allValue"] = json!(".*"),
    |b| b["templating"]["list"][4]["name"] = json!("pod"),
    |b| b["panels"][1]["title"] = b["panels"][0]["title"].clone(),
];

fn expr(board: &mut Value, expr: &str) {
    board["panels"][0]["targets"][0]["expr"] = json!(expr);
}

#[test]
fn the_dashboards_keep_the_rules_of_the_dashboard_linter() {
    let boards = super::boards();
    for board in &boards {
        let problems = problems(board);
        assert!(problems.is_empty(), "{}: {problems:#?}", board.stem);
    }
    let exporter = boards.iter().find(|board| board.stem == "exporter");
    for (at, fault) in FAULTS.iter().enumerate() {
        let mut faulty = exporter.unwrap().clone();
        fault(&mut faulty.json);
        assert!(!problems(&faulty).is_empty(), "fault {at} is not noticed");
    }
}
