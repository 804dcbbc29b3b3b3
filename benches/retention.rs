//! A simulated year of new and dying branches and jobs, day by day, and what the exporter keeps of it.
//!
//! `cargo bench --bench retention`; `BENCH_PROJECTS` says how many projects there are (2).

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "it is a program that reports")]

#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/suite/daemon.rs"]
mod daemon;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/suite/s3_servers.rs"]
mod s3_servers;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/suite/samples.rs"]
mod samples;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/suite/truth.rs"]
mod truth;
#[path = "../tests/suite/year.rs"]
mod year;

mod http_serving {
    //! As the tests ask.

    pub(crate) fn client() -> reqwest::Client {
        let client = reqwest::Client::builder().no_gzip().no_proxy();
        let patience = std::time::Duration::from_secs(30);
        client.timeout(patience).build().unwrap()
    }
}

use crate::year::{is_bounded, lived, most};

#[tokio::main]
async fn main() {
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
}
