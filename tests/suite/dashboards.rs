//! The shipped Grafana dashboards: their form, and what a real Prometheus answers to every panel.

mod alert_links;
mod answers;
mod fits;
mod form;
mod form_faults;
mod grafana;
mod lint;
mod prometheus;
mod provisioning;
mod readable;
mod scene;

use std::fs;
use std::path::Path;

use serde_json::Value;

use testkit::daemon::folder;

/// One dashboard, as its file has it.
#[derive(Clone)]
struct Board {
    /// The file's name without its ending.
    stem: String,
    json: Value,
}

impl Board {
    /// Everything on the grid.
    fn panels(&self) -> &[Value] {
        self.json["panels"].as_array().unwrap()
    }

    /// Those that show something.
    fn views(&self) -> impl Iterator<Item = &Value> {
        self.panels().iter().filter(|panel| panel["type"] != "row")
    }

    fn variables(&self) -> &[Value] {
        self.json["templating"]["list"].as_array().unwrap()
    }

    fn uid(&self) -> &str {
        text(&self.json["uid"])
    }
}

/// Text, or nothing where it is none.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The elements of a list, none where it is no list.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn boards() -> Vec<Board> {
    let files = folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards"));
    let read = |path: &std::path::PathBuf| Board {
        stem: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        json: serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap(),
    };
    files.iter().map(read).collect()
}

/// Where each link is: of panels, of fields, of columns.
fn data_links(panel: &Value) -> Vec<&Value> {
    let config = &panel["fieldConfig"];
    let of_fields = list(&config["defaults"]["links"]).iter();
    let properties = list(&config["overrides"])
        .iter()
        .flat_map(|with| list(&with["properties"]));
    let of_columns = properties
        .filter(|property| property["id"] == "links")
        .flat_map(|property| list(&property["value"]));
    of_fields
        .chain(of_columns)
        .chain(list(&panel["links"]))
        .collect()
}
