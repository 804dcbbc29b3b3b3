//! Whole exporters with many jobs: loading, memory, scrapes, and saving to a slow store.
//!
//! `cargo test --release --test soak -- scale`; fails if a figure of this exporter exceeds its budget. `SCALE_JOBS=20000`
//! sets the number of jobs, `SCALE_BEFORE=/path` another exporter, which is measured in turn with this one.

mod loading;
mod saving;
mod scraping;
mod static_page;

use std::process::ExitCode;

use crate::scene::{Scene, exporters};

pub(crate) async fn run() -> ExitCode {
    let scene = Scene::build().await;
    let mut kept = loading::measure(&scene).await;
    kept &= scraping::measure(&scene).await;
    println!(
        "\n| exporter | first round | memory a job | saving to a slow store | memory meanwhile | a minute later |\n\
         | --- | --- | --- | --- | --- | --- |"
    );
    for exporter in exporters() {
        let saved = saving::measure(&scene, &exporter).await;
        println!("| {} | {saved} |", exporter.name);
        saved.report(exporter.name);
        kept &= !exporter.is_ours || saved.is_within_budget();
    }
    if kept {
        ExitCode::SUCCESS
    } else {
        println!("a budget is exceeded");
        ExitCode::FAILURE
    }
}
