//! Entry point: the command line, the command, one error, the exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use job_failure_exporter::base::error_chain::error_chain;
use job_failure_exporter::cli::args::Cli;
use job_failure_exporter::cli::{self, Console};

#[tokio::main]
async fn main() -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let mut console = Console {
        out: &mut out,
        err: &mut err,
    };
    let env = |name: &str| std::env::var(name).ok();
    match Box::pin(cli::run(Cli::parse(), &env, &mut console)).await {
        Ok(code) => code,
        Err(error) if reader_is_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done where even this cannot be written.
            let _ = writeln!(
                io::stderr(),
                "job-failure-exporter: {}",
                error_chain(error.as_ref())
            );
            ExitCode::FAILURE
        }
    }
}

/// Whether somebody closed the pipe early, as `| head` does.
fn reader_is_gone(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
