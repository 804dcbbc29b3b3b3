//! `completions`, `man` and `config-schema`: files that packages and editors use.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::base::build_info;
use crate::config::schema;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  job-failure-exporter completions bash > /etc/bash_completion.d/job-failure-exporter")]
pub struct CompletionsArgs {
    /// Shell to complete for.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  job-failure-exporter man /usr/local/share/man/man1")]
pub struct ManArgs {
    /// Directory to write a page for each command to. It is created if it is missing.
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
}

/// Runs `completions`.
/// `command` is the whole program.
pub fn completions(
    args: &CompletionsArgs,
    mut command: Command,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let name = command.get_name().to_owned();
    // The generator panics where it cannot write, as it can into memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    out.write_all(&script)?;
    Ok(())
}

/// Runs `man`.
pub fn man(args: &ManArgs, command: Command) -> anyhow::Result<()> {
    let directory = &args.directory;
    // The pages of one version are the same, whatever compiler and commit.
    let command = command.long_version(build_info::VERSION);
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(command, directory));
    written.with_context(|| format!("cannot write manual pages to {}", directory.display()))
}

/// Runs `config-schema`.
pub fn config_schema(out: &mut dyn Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &schema())?;
    writeln!(out)?;
    Ok(())
}
