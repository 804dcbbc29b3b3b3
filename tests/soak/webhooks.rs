//! Time from a job's webhook to the job at `/metrics`, and a burst of webhooks.
//!
//! `cargo test --release --test soak -- webhooks`; fails if the median is 100 ms or more. `SCALE_BEFORE=/path` gives
//! the burst to another exporter, too.

use std::process::ExitCode;

use testkit::figures::{figure, figure_of, median};
use testkit::hook_burst::{HOOKS, JOBS, burst};
use testkit::promptness::{self, LIMIT};

use crate::scene::exporters;

/// Bursts of each exporter.
const BURSTS: usize = 5;

/// Listings of the jobs after a burst at most: those that came while the first listing was read are in the second.
const LISTINGS: usize = 2;

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
        let what = format!("webhook of a job that {kind}, until it is scraped");
        figure(&what, format!("{median:.0?}"), format!("{LIMIT:.0?}"));
        assert!(median < LIMIT, "{times:?}");
    }
    bursts().await;
    ExitCode::SUCCESS
}

async fn bursts() {
    println!(
        "\n| exporter | {HOOKS} webhooks of a ref with {JOBS} jobs: answered | all shown | CPU time | listings |\n\
         | --- | --- | --- | --- | --- |"
    );
    for exporter in exporters() {
        let mut bursts = Vec::new();
        for _ in 0..BURSTS {
            bursts.push(burst(exporter.program.clone()).await);
        }
        let answered = median(bursts.iter().map(|it| it.answered).collect());
        let shown = median(bursts.iter().map(|it| it.shown).collect());
        let cpu = median(bursts.iter().map(|it| it.cpu).collect());
        let most = bursts.iter().map(|it| it.listings).max().unwrap();
        println!(
            "| {} | {answered:.1?} | {shown:.1?} | {cpu:.1?} | {most} |",
            exporter.name
        );
        let what = format!("{HOOKS} webhooks of a ref with {JOBS} jobs, until all are scraped");
        let measured = format!("{shown:.0?}, {most} readings");
        figure_of(
            exporter.name,
            &what,
            measured,
            format!("{LISTINGS} readings"),
        );
        assert!(!exporter.is_ours || most <= LISTINGS, "{bursts:?}");
    }
}
