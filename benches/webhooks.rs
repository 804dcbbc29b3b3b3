//! How soon a finished job is visible at `/metrics` once its webhook is sent.
//!
//! `cargo bench --bench webhooks`; it fails where that takes a tenth of a second or more.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "it is a program that reports")]

#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/suite/daemon.rs"]
mod daemon;
#[path = "../tests/suite/promptness.rs"]
mod promptness;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/suite/s3_servers.rs"]
mod s3_servers;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../tests/suite/samples.rs"]
mod samples;

mod http_serving {
    //! As the tests ask.

    pub(crate) fn client() -> reqwest::Client {
        let client = reqwest::Client::builder().no_gzip().no_proxy();
        let patience = std::time::Duration::from_secs(30);
        client.timeout(patience).build().unwrap()
    }
}

use crate::promptness::LIMIT;

/// Exporters, one after the other.
const ROUNDS: usize = 10;

#[tokio::main]
async fn main() {
    let mut all = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let times = promptness::measured(2).await;
        let of_round = [times.passed, times.failed, times.in_a_child];
        for (times, of_round) in all.iter_mut().zip(of_round) {
            times.extend(of_round);
        }
    }
    println!("| webhook of a job that | median | slowest | of |\n| --- | --- | --- | --- |");
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
}
