//! Time from a job's webhook to the job at `/metrics`.
//!
//! `cargo test --release --test soak -- webhooks`; fails if the median is 100 ms or more.

use std::process::ExitCode;

use testkit::promptness::{self, LIMIT};

/// Number of exporters, one after the other.
const ROUNDS: usize = 10;

pub(crate) async fn run() -> ExitCode {
    let mut all = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let times = promptness::measure(2).await;
        let of_round = [times.passed, times.failed, times.in_a_child];
        for (times, of_round) in all.iter_mut().zip(of_round) {
            times.extend(of_round);
        }
    }
    println!("| webhook of a job that | median | slowest | jobs |\n| --- | --- | --- | --- |");
    for (kind, mut times) in ["passes", "fails", "fails in a child"].into_iter().zip(all) {
        times.sort();
        let median = times[times.len() / 2];
        let slowest = times.last().unwrap();
        println!(
            "| {kind} | {median:.1?} | {slowest:.1?} | {} |",
            times.len()
        );
        assert!(median < LIMIT, "{times:?}");
    }
    ExitCode::SUCCESS
}
