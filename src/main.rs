//! Entry point: the command line, the command, one error, the exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Parser as _;
use job_failure_exporter::cli::args::Cli;
use job_failure_exporter::cli::common::{Console, LogFormat};
use job_failure_exporter::cli::{self, logging};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let format = cli.log.format;
    let mut err: Box<dyn Write> = match format {
        LogFormat::Text => Box::new(io::stderr()),
        LogFormat::Json => Box::new(logging::JsonLines::new(io::stderr())),
    };
    let mut console = Console {
        out: &mut io::stdout(),
        err: &mut err,
    };
    let env = |name: &str| std::env::var(name).ok();
    match Box::pin(cli::run(cli, &env, &mut console)).await {
        Ok(code) => code,
        Err(error) if reader_is_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&logging::fatal(&error, format));
            ExitCode::FAILURE
        }
    }
}

/// Help and version, or what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    let mut words = std::env::args().skip_while(|word| !word.starts_with("--log.format"));
    let is_json = match words.next().as_deref() {
        Some("--log.format=json") => true,
        Some("--log.format") => words.next().as_deref() == Some("json"),
        _ => false,
    };
    if is_json && error.use_stderr() {
        let error = anyhow!("{}", error.to_string().trim_end());
        say(&logging::fatal(&error, LogFormat::Json));
    } else {
        // Nothing is left to do if even this fails.
        let _ = error.print();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn say(line: &str) {
    // Nothing is left to do if even this fails.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether somebody closed the pipe early, as `| head` does.
fn reader_is_gone(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
