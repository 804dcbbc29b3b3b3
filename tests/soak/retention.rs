//! A simulated year of new and dying branches and jobs, day by day, and what the exporter keeps of it.
//!
//! `cargo test --release --test soak -- retention`; `BENCH_PROJECTS` says how many projects there are (2).

use std::process::ExitCode;

use testkit::year::{is_bounded, lived, most};

pub(crate) async fn run() -> ExitCode {
    let projects = std::env::var("BENCH_PROJECTS").map_or(2, |text| text.parse().unwrap());
    let kept = lived(projects, 1).await;
    println!("  day  timelines    jobs   series  documents  memory");
    for it in kept.iter().filter(|it| it.day % 30 == 0 || it.day == 365) {
        println!(
            "{:5}  {:9}  {:6}  {:7}  {:9}  {:4.1} MiB",
            it.day,
            it.timelines,
            it.jobs,
            it.series,
            it.documents,
            it.kibibytes as f64 / 1024.0
        );
    }
    is_bounded(&kept, projects, 1);
    let memory = |days| most(&kept, days, |it| it.kibibytes);
    let (before, after) = (memory((60, 180)), memory((181, 365)));
    println!("most memory, days 60 to 180: {before} KiB; days 181 to 365: {after} KiB");
    ExitCode::SUCCESS
}
