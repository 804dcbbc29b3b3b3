//! Long runs that are no benchmarks: `cargo test --test soak -- NAME`, or `make soak` for all of them.

#![expect(clippy::unwrap_used, reason = "a soak that cannot go on fails")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program that reports"
)]

mod chaos;
mod requests;
mod retention;
mod webhooks;

use std::future::Future;
use std::process::ExitCode;

use tokio::runtime::Builder;

fn main() -> ExitCode {
    // `cargo test` may put flags of its own before or after the name.
    let name = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    match name.as_deref() {
        Some("chaos") => on_threads(chaos::run()),
        Some("requests") => on_standing_time(requests::run()),
        Some("retention") => on_threads(retention::run()),
        Some("webhooks") => on_threads(webhooks::run()),
        other => {
            eprintln!("found {other:?}, wanted one of: chaos, requests, retention, webhooks");
            ExitCode::FAILURE
        }
    }
}

fn on_threads(run: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run)
}

/// Time passes only where the soak advances it.
fn on_standing_time(run: impl Future<Output = ExitCode>) -> ExitCode {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(run)
}
