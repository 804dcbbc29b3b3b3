//! Size of the exporter's state over a simulated year in which branches and jobs come and go.
//!
//! `cargo test --release --test soak -- retention`; `BENCH_PROJECTS` sets the number of projects (default 2).

use std::process::ExitCode;

use testkit::environment::setting;
use testkit::year::{assert_bounded, max, play};

pub(crate) async fn run() -> ExitCode {
    let projects = setting("BENCH_PROJECTS", 2);
    let sizes = play(projects, 1).await;
    println!("  day  timelines    jobs   series  documents  memory");
    for it in sizes.iter().filter(|it| it.day % 30 == 0 || it.day == 365) {
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
    assert_bounded(&sizes, projects, 1);
    let memory = |days| max(&sizes, days, |it| it.kibibytes);
    let (before, after) = (memory((150, 250)), memory((251, 365)));
    println!("maximum memory, days 150 to 250: {before} KiB; days 251 to 365: {after} KiB");
    ExitCode::SUCCESS
}
