//! The command line: the daemon's flags, named as other exporters name theirs, and the commands.

use std::path::PathBuf;
use std::time::Duration;

use ci_history::duration;
use clap::{Args, Parser, Subcommand};

use super::assets::AssetsArgs;
use super::backfill::BackfillArgs;
use super::circuit::CircuitArgs;
use super::common::{ConfigArgs, LogArgs};
use super::explain::ExplainArgs;
use super::generate::{CompletionsArgs, ManArgs};
use super::healthcheck::HealthcheckArgs;
use super::init::InitArgs;
use super::replay::ReplayArgs;
use super::retry::RetryArgs;
use super::state::StateArgs;
use crate::base::build_info;

/// Says which GitLab CI jobs fail consistently, since when, and why, as Prometheus metrics.
///
/// Without a command it runs the exporter: it polls GitLab, keeps every job's history and serves
/// /metrics. An access token (scope `read_api`) comes from the environment, `GITLAB_TOKEN`, or
/// from the file that `gitlab.token_file` names.
#[derive(Debug, Parser)]
#[command(
    name = "job-failure-exporter",
    version = build_info::VERSION,
    long_version = build_info::LONG_VERSION,
    args_conflicts_with_subcommands = true,
    subcommand_help_heading = "Commands",
    after_help = EXAMPLES
)]
pub struct Cli {
    /// Flags of the daemon.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Flags of every command.
    #[command(flatten)]
    pub log: LogArgs,
    /// Runs in place of the daemon.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  Watch one project, without a file:
    GITLAB_TOKEN=.. job-failure-exporter --project group/app

  Check a configuration, then run it:
    job-failure-exporter check-config config.yml
    job-failure-exporter --config.file config.yml

  Count past pipelines:
    job-failure-exporter replay pipelines.json";

/// A command that runs in place of the daemon.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first configuration, with the rules, the routes and the scrape configuration that fit it.
    Init(Box<InitArgs>),
    /// Check a configuration and print what it would watch.
    CheckConfig(CheckConfigArgs),
    /// Read past pipelines of the watched projects into the saved state.
    Backfill(BackfillArgs),
    /// Show, export or import the saved state.
    State(StateArgs),
    /// Explain one job: whether it fails, since when and why, its owner, its alerts and who receives them.
    Explain(ExplainArgs),
    /// Bring failed jobs back, through a running exporter.
    Retry(RetryArgs),
    /// List, reset or open the circuits of jobs that are no longer brought back.
    Circuit(CircuitArgs),
    /// Ask a running exporter whether it works.
    Healthcheck(HealthcheckArgs),
    /// Count recorded pipelines and print the result.
    Replay(ReplayArgs),
    /// Write the rules, the Alertmanager configuration and the dashboards, with your addresses and thresholds.
    Assets(Box<AssetsArgs>),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Print a JSON Schema of the configuration, for editors.
    ConfigSchema,
    /// Write the manual pages.
    Man(ManArgs),
}

/// Arguments of `check-config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints every problem and exits with 1, or prints what would be watched and exits with 0. \
Without --online no server is asked. With it, GitLab, the store, Prometheus and Alertmanager are: what is not as the \
exporter needs it is an error and makes the exit code 1. Nothing is changed. Of many projects 50 are looked at, with two \
requests each.

Examples:
  job-failure-exporter check-config /etc/job-failure-exporter/config.yml
  job-failure-exporter check-config --online config.yml
  job-failure-exporter check-config --print config.yml | grep -v '# default$'
  job-failure-exporter check-config --json config.yml | jq '.problems[].message'")]
pub struct CheckConfigArgs {
    /// YAML file to check; the same as --config.file.
    #[arg(value_name = "FILE", conflicts_with = "config_file")]
    pub file: Option<PathBuf>,
    /// Print every key with the value in force, without secrets, as YAML.
    #[arg(long)]
    pub print: bool,
    /// Print problems, warnings, the summary and the values in force as one JSON object.
    #[arg(long, conflicts_with = "print")]
    pub json: bool,
    /// Ask the servers too: token, rights, projects, refs, the store, Prometheus and Alertmanager.
    #[arg(long, conflicts_with = "print")]
    pub online: bool,
    /// Longest time for asking the servers.
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration::parse, requires = "online")]
    pub timeout: Duration,
    /// The daemon's flags, checked together with the file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

impl CheckConfigArgs {
    /// The file, however it was named.
    pub fn config_file(&self) -> Option<&PathBuf> {
        self.file.as_ref().or(self.config.config_file.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::error::ErrorKind;

    use super::super::common::{LogFormat, LogLevel};
    use super::super::replay::ReplayOutput;
    use super::*;
    use ci_history::Rules;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["job-failure-exporter"].iter().chain(args))
    }

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_line_of_an_example_is_broken() {
        fn look(command: &clap::Command, looked_at: &mut usize) {
            let help = command.get_after_help().map(ToString::to_string);
            for line in help.unwrap_or_default().lines() {
                // clap breaks lines behind 100 characters. An example is indented.
                assert!(
                    !line.starts_with(' ') || line.chars().count() <= 100,
                    "{line}"
                );
                *looked_at += 1;
            }
            command.get_subcommands().for_each(|it| look(it, looked_at));
        }
        let mut looked_at = 0;
        look(&Cli::command(), &mut looked_at);
        assert!(looked_at > 50);
    }

    #[test]
    fn without_a_command_the_daemons_flags_are_read() {
        let cli = parse(&[
            "--project",
            "a/b",
            "--project=7",
            "--group",
            "g",
            "--gitlab.url",
            "http://x",
            "--shard",
            "2/8",
            "--store.directory",
            "s",
            "--web.listen-address",
            ":0",
            "--log.level",
            "debug",
        ])
        .unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.log.level, LogLevel::Debug);
        let overrides = cli.config.overrides();
        assert_eq!(overrides.projects, ["a/b", "7"]);
        assert_eq!(overrides.groups, ["g"]);
        assert_eq!(overrides.gitlab_url.as_deref(), Some("http://x"));
        assert_eq!(overrides.shard.as_deref(), Some("2/8"));
        assert_eq!(overrides.store_directory.as_deref(), Some("s"));
        assert_eq!(overrides.listen_address.as_deref(), Some(":0"));
    }

    #[test]
    fn a_flag_of_the_daemon_before_a_command_is_refused_and_not_forgotten() {
        let error = parse(&["--project", "a/b", "replay"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
    }

    #[test]
    fn logging_can_be_set_for_every_command() {
        let cli = parse(&["replay", "--log.level", "trace", "--log.format", "json"]).unwrap();
        assert_eq!(
            (cli.log.level, cli.log.format),
            (LogLevel::Trace, LogFormat::Json)
        );
    }

    #[test]
    fn replay_counts_by_the_default_rules_into_a_table() {
        let Some(Command::Replay(args)) = parse(&["replay"]).unwrap().command else {
            panic!("not replay")
        };
        assert_eq!(args.file, None);
        assert_eq!(args.counting_preset.rules(), Rules::default());
        assert_eq!(args.output, ReplayOutput::Table);
        let line = [
            "replay",
            "-",
            "--counting.preset",
            "datadog-agent",
            "--output",
            "datadog-v2",
        ];
        let Some(Command::Replay(args)) = parse(&line).unwrap().command else {
            panic!("not replay")
        };
        assert_eq!(args.counting_preset.rules(), Rules::datadog_agent());
        assert_eq!(args.output, ReplayOutput::DatadogV2);
    }

    #[test]
    fn check_config_takes_its_file_once() {
        let args = ["check-config", "a.yml", "--config.file", "b.yml"];
        assert_eq!(
            parse(&args).unwrap_err().kind(),
            ErrorKind::ArgumentConflict
        );
        for args in [
            ["check-config", "a.yml"],
            ["check-config", "--config.file=a.yml"],
        ] {
            let Some(Command::CheckConfig(args)) = parse(&args).unwrap().command else {
                panic!("not check-config")
            };
            assert_eq!(args.config_file(), Some(&PathBuf::from("a.yml")));
        }
    }
}
