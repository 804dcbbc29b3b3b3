//! How many requests polling takes over a simulated hour of 200 projects, by what goes on in them.
//!
//! `cargo bench --bench requests`; it fails where the budget is not kept.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "it is a program that reports")]

#[path = "../tests/suite/economy.rs"]
mod economy;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let hour = economy::hour().await;
    print!("{}", hour.table());
    hour.is_within_the_budget();
}
