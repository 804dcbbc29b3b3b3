//! `deploy/grafana/`: what Grafana is told at its start.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{boards, text};

fn read(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/provisioning");
    serde_yaml::from_str(&fs::read_to_string(path.join(file)).unwrap()).unwrap()
}

#[test]
fn the_data_source_is_a_prometheus_that_asks_as_often_as_it_scrapes() {
    let shipped = include_str!("../../../deploy/prometheus/prometheus.yml");
    let prometheus: Value = serde_yaml::from_str(shipped).unwrap();
    let config = read("datasources/prometheus.yml");
    assert_eq!(config["apiVersion"], 1);
    let source = &config["datasources"][0];
    assert_eq!(source["type"], "prometheus");
    assert_eq!(source["access"], "proxy");
    let interval = &source["jsonData"]["timeInterval"];
    assert_eq!(*interval, prometheus["global"]["scrape_interval"]);
}

#[test]
fn the_dashboards_are_read_from_the_folder_the_documentation_mounts_them_at() {
    let config = read("dashboards/job-failure-exporter.yml");
    assert_eq!(config["apiVersion"], 1);
    let provider = &config["providers"][0];
    assert_eq!(provider["type"], "file");
    assert_eq!(provider["allowUiUpdates"], false);
    let path = provider["options"]["path"].as_str().unwrap();
    let page = include_str!("../../../docs/dashboards.md");
    assert!(page.contains(&format!(":{path}:ro")), "{path}");
}

#[test]
fn the_documentation_has_a_row_for_every_panel() {
    let page = include_str!("../../../docs/dashboards.md");
    for board in boards() {
        let file = format!(
            "| `dashboards/{}.json` | `/d/{}` |",
            board.stem,
            board.uid()
        );
        assert!(page.contains(&file), "{file}");
        for panel in board.views() {
            let [title, says] = ["title", "description"].map(|key| text(&panel[key]));
            let row = format!("| {title} | {says} |");
            assert!(page.contains(&row), "{row}");
        }
    }
}
