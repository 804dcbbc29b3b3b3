//! The tables, in Markdown, and what exceeds its budget.

use std::collections::BTreeMap;
use std::time::Duration;

use testkit::company::Scene;

use super::Measured;
use super::evaluation::Cost;
use super::panels::PanelCost;

/// Seconds of evaluation a minute with 20,000 jobs of which 8 % fail.
const EVALUATION: f64 = 2.0;

/// Recorded series a job.
const RECORDED: f64 = 1.0;

/// Of the slowest query of a panel.
const QUERY: Duration = Duration::from_secs(2);

/// Rules and names of recorded series that are listed, of each scene.
const LISTED: usize = 40;

/// Cells by the names of their rows, in the order of the table.
type Column = Vec<(String, String)>;

pub(super) fn print(jobs: u64, all: &[Measured]) {
    for scene in [Scene::Usual, Scene::MassFailure] {
        let cost = |measured| Some((title(measured), measured.cost(scene)?));
        let costs: Vec<_> = all.iter().filter_map(cost).collect();
        if !costs.is_empty() {
            print_scene(jobs, scene, &costs);
        }
    }
    if all.iter().any(|measured| !measured.panels.is_empty()) {
        println!(
            "\n### {jobs} jobs, dashboards over 24 h: seconds of the slowest query / of all, series\n"
        );
        let columns = all
            .iter()
            .map(|it| (title(it), it.panels.iter().map(panel).collect()));
        table("panel", &columns.collect::<Vec<_>>());
    }
}

fn title(measured: &Measured) -> &str {
    &measured.title
}

/// What failed or exceeds its budget, a line each. The budget of evaluation is for 20,000 jobs and less.
pub(super) fn faults(jobs: u64, measured: &Measured) -> Vec<String> {
    let mut faults = Vec::new();
    for (scene, cost) in &measured.scenes {
        faults.extend(
            cost.errors
                .iter()
                .map(|error| format!("{scene:?}: {error}")),
        );
    }
    if let Some(cost) = measured.cost(Scene::Usual) {
        let (seconds, recorded) = (cost.seconds(), cost.recorded_series() / jobs as f64);
        if jobs <= 20_000 && seconds > EVALUATION {
            faults.push(format!(
                "{seconds:.2} s of evaluation a minute, budget {EVALUATION} s"
            ));
        }
        if recorded > RECORDED {
            faults.push(format!(
                "{recorded:.2} recorded series a job, budget {RECORDED}"
            ));
        }
    }
    for panel in &measured.panels {
        let (name, seconds) = (&panel.name, panel.slowest.as_secs_f64());
        if let Some(error) = &panel.error {
            faults.push(format!("{name}: {error}"));
        } else if panel.slowest > QUERY {
            faults.push(format!(
                "{name}: {seconds:.2} s for a query, budget {QUERY:?}"
            ));
        }
    }
    faults
}

fn print_scene(jobs: u64, scene: Scene, costs: &[(&str, &Cost)]) {
    println!("\n### {jobs} jobs, {scene:?}\n");
    let columns: Vec<_> = costs
        .iter()
        .map(|(title, cost)| (*title, figures(jobs, cost)))
        .collect();
    table("figure", &columns);
    let numbers = |of: fn(&Cost) -> &BTreeMap<String, f64>, digits: usize| -> Vec<_> {
        let text = |(name, value): (&String, &f64)| (name.clone(), format!("{value:.digits$}"));
        let columns = costs.iter();
        columns
            .map(|(title, cost)| (*title, of(cost).iter().map(text).collect()))
            .collect()
    };
    println!("\nSeconds of evaluation a minute, by group:\n");
    table("group", &numbers(|cost| &cost.groups, 3));
    println!("\nAlerts that are pending or fire:\n");
    table("alert", &numbers(|cost| &cost.active, 0));
    for (title, cost) in costs {
        println!("\nDearest rules of {title}, seconds of evaluation a minute:\n");
        list(&cost.rules, 3);
        println!("\nMost recorded series of {title}:\n");
        list(&cost.recorded, 0);
    }
}

fn list(values: &BTreeMap<String, f64>, digits: usize) {
    let mut values: Vec<_> = values.iter().collect();
    values.sort_by(|one, other| other.1.total_cmp(one.1));
    for (name, value) in values.iter().take(LISTED) {
        println!("- {value:.digits$} {name}");
    }
}

fn figures(jobs: u64, cost: &Cost) -> Column {
    let recorded = cost.recorded_series();
    let rows = [
        ("series exposed", format!("{:.0}", cost.exposed)),
        ("series recorded", format!("{recorded:.0}")),
        (
            "series recorded a job",
            format!("{:.2}", recorded / jobs as f64),
        ),
        ("series of alerts", format!("{:.0}", cost.alerts)),
        (
            "seconds of evaluation a minute",
            format!("{:.2}", cost.seconds()),
        ),
        ("seconds of CPU a minute", format!("{:.1}", cost.cpu)),
        ("of these without rules", format!("{:.1}", cost.idle_cpu)),
        ("memory, MiB", format!("{:.0}", cost.memory / 1_048_576.0)),
    ];
    rows.into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect()
}

fn panel(cost: &PanelCost) -> (String, String) {
    let (slowest, all) = (cost.slowest.as_secs_f64(), cost.all.as_secs_f64());
    let error = cost.error.as_ref().map(|_| ", failed").unwrap_or_default();
    let text = format!("{slowest:.2} / {all:.2}, {}{error}", cost.series);
    (cost.name.clone(), text)
}

fn table(what: &str, columns: &[(&str, Column)]) {
    let titles: Vec<_> = columns.iter().map(|(title, _)| *title).collect();
    println!("| {what} | {} |", titles.join(" | "));
    println!("| --- |{}", " ---: |".repeat(columns.len()));
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in columns.iter().flat_map(|(_, column)| column) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for name in names {
        let cell = |(_, column): &(&str, Column)| -> String {
            let found = column.iter().find(|(row, _)| row == name);
            found.map(|(_, text)| text.clone()).unwrap_or_default()
        };
        println!(
            "| {name} | {} |",
            columns.iter().map(cell).collect::<Vec<_>>().join(" | ")
        );
    }
}
