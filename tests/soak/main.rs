//! Soaks: long runs that are not benchmarks. `cargo test --test soak -- NAME`, or `make soak` for all of them.

#![expect(clippy::unwrap_used, reason = "a soak fails by panicking")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports to the terminal"
)]

mod attack;
mod chaos;
mod remediation;
mod requests;
mod retention;
mod rules;
mod scale;
mod scene;
mod shards;
mod webhooks;

use std::future::Future;
use std::process::ExitCode;

use tokio::runtime::Builder;

fn main() -> ExitCode {
    // `cargo test` may add flags before or after the name.
    let name = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    match name.as_deref() {
        Some("attack") => on_threads(attack::run()),
        Some("chaos") => on_threads(chaos::run()),
        Some("remediation") => on_threads(remediation::run()),
        Some("requests") => on_paused_time(requests::run()),
        Some("retention") => on_threads(retention::run()),
        Some("rules") => on_threads(rules::run()),
        Some("scale") => on_threads(scale::run()),
        Some("shards") => on_threads(shards::run()),
        Some("webhooks") => on_threads(webhooks::run()),
        other => {
            eprintln!(
                "found {other:?}, wanted one of: attack, chaos, remediation, requests, retention, rules, scale, shards, webhooks"
            );
            ExitCode::FAILURE
        }
    }
}

fn on_threads(run: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run)
}

/// Runs with paused time, which only the soak advances.
fn on_paused_time(run: impl Future<Output = ExitCode>) -> ExitCode {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(run)
}
