//! The tables, in Markdown.

use std::collections::{BTreeMap, BTreeSet};

use super::Measured;
use super::evaluation::Cost;
use super::panels::PanelCost;
use super::world::Scene;

/// Rules that are listed, of each scene.
const DEAREST: usize = 12;

/// A column of each kind of measured thing.
type Column = BTreeMap<String, String>;

pub(super) fn print(jobs: u64, all: &[Measured]) {
    for scene in [Scene::Usual, Scene::MassFailure] {
        let costs: Vec<_> = all
            .iter()
            .filter_map(|measured| {
                let (_, cost) = measured.scenes.iter().find(|(it, _)| *it == scene)?;
                Some((&*measured.title, cost))
            })
            .collect();
        if !costs.is_empty() {
            print_scene(jobs, scene, &costs);
        }
    }
    let panels: Vec<_> = all.iter().filter(|it| !it.panels.is_empty()).collect();
    if !panels.is_empty() {
        println!(
            "\n### {jobs} jobs, dashboards over 24 h: seconds of the slowest query / of all, series\n"
        );
        let columns = panels
            .iter()
            .map(|it| (&*it.title, it.panels.iter().map(panel).collect()));
        table("panel", &columns.collect::<Vec<_>>());
    }
}

fn print_scene(jobs: u64, scene: Scene, costs: &[(&str, &Cost)]) {
    println!("\n### {jobs} jobs, {scene:?}\n");
    let columns: Vec<_> = costs
        .iter()
        .map(|(title, cost)| (*title, figures(jobs, cost)))
        .collect();
    table("figure", &columns);
    let numbers = |of: fn(&Cost) -> &BTreeMap<String, f64>, digits: usize| {
        let column = |cost| -> Column {
            let figures = of(cost).iter();
            figures
                .map(|(name, value)| (name.clone(), format!("{value:.digits$}")))
                .collect()
        };
        costs
            .iter()
            .map(|(title, cost)| (*title, column(cost)))
            .collect::<Vec<_>>()
    };
    println!("\nSeconds of evaluation a minute, by group:\n");
    table("group", &numbers(|cost| &cost.groups, 3));
    println!("\nAlerts that are pending or fire:\n");
    table("alert", &numbers(|cost| &cost.active, 0));
    for (title, cost) in costs {
        println!("\nDearest rules of {title}, seconds of one evaluation:\n");
        let mut rules: Vec<_> = cost.rules.iter().collect();
        rules.sort_by(|one, other| other.1.total_cmp(one.1));
        for (rule, took) in rules.iter().take(DEAREST) {
            println!("- {took:.3}  {rule}");
        }
        let mut recorded: Vec<_> = cost.recorded.iter().collect();
        recorded.sort_by(|one, other| other.1.total_cmp(one.1));
        println!("\nMost recorded series of {title}:\n");
        for (name, count) in recorded.iter().take(DEAREST) {
            println!("- {count}  {name}");
        }
        for error in &cost.errors {
            println!("\nFAILED: {error}");
        }
    }
}

fn figures(jobs: u64, cost: &Cost) -> Column {
    let recorded: f64 = cost.recorded.values().sum();
    let seconds: f64 = cost.groups.values().sum();
    let rows = [
        ("1 series exposed", format!("{:.0}", cost.exposed)),
        ("2 series recorded", format!("{recorded:.0}")),
        ("3 recorded a job", format!("{:.2}", recorded / jobs as f64)),
        ("4 series of alerts", format!("{:.0}", cost.alerts)),
        ("5 seconds of evaluation a minute", format!("{seconds:.2}")),
        ("6 seconds of CPU a minute", format!("{:.1}", cost.cpu)),
        ("7 memory, MiB", format!("{:.0}", cost.memory / 1_048_576.0)),
    ];
    rows.into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect()
}

fn panel(cost: &PanelCost) -> (String, String) {
    let text = format!(
        "{:.2} / {:.2}, {}{}",
        cost.slowest.as_secs_f64(),
        cost.all.as_secs_f64(),
        cost.series,
        cost.error
            .as_ref()
            .map(|error| format!(" FAILED {error}"))
            .unwrap_or_default()
    );
    (cost.name.clone(), text)
}

fn table(what: &str, columns: &[(&str, Column)]) {
    let titles: Vec<_> = columns.iter().map(|(title, _)| *title).collect();
    println!("| {what} | {} |", titles.join(" | "));
    println!("| --- |{}", " ---: |".repeat(columns.len()));
    let names: BTreeSet<_> = columns
        .iter()
        .flat_map(|(_, column)| column.keys())
        .collect();
    for name in names {
        let cells = columns
            .iter()
            .map(|(_, column)| column.get(name).map_or("", String::as_str));
        println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}
