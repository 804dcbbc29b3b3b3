//! The command line: flags of the daemon as exporters have them, and the sub-commands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::backfill::BackfillArgs;
use super::explain::ExplainArgs;
use super::state::StateArgs;
use crate::config::Overrides;
use crate::model::Rules;

/// Says which GitLab CI jobs fail consistently, since when, and why, as Prometheus metrics.
///
/// Without a command it runs the exporter: it polls GitLab, keeps every job's history and serves
/// /metrics. An access token (scope `read_api`) comes from the environment, `GITLAB_TOKEN`, or
/// from the file that `gitlab.token_file` names.
#[derive(Debug, Parser)]
#[command(
    name = "job-failure-exporter",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_help_heading = "Commands",
    after_help = EXAMPLES
)]
pub struct Cli {
    /// What the daemon takes.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// What every command takes.
    #[command(flatten)]
    pub log: LogArgs,
    /// What to do instead of running the daemon.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  Watch one project, without a file:
    GITLAB_TOKEN=.. job-failure-exporter --project group/app

  Watch what a file says, after a look at it:
    job-failure-exporter check-config config.yml
    job-failure-exporter --config.file config.yml

  See what past pipelines would have shown:
    job-failure-exporter replay pipelines.json";

/// What to do instead of running the daemon.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a configuration and say what it would watch.
    CheckConfig(CheckConfigArgs),
    /// Read what the watched projects did before, into the saved state.
    Backfill(BackfillArgs),
    /// Look into the saved state, take it out, or take datadog-agent's in.
    State(StateArgs),
    /// Explain one job: whether it fails and why, since when, whose it is, which alerts fire.
    Explain(ExplainArgs),
    /// Count recorded pipelines and print what comes out.
    Replay(ReplayArgs),
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigArgs {
    /// YAML file to read. None is needed where flags say what to watch.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Project to watch, by path or id. Can be repeated; with --group, replaces what the file
    /// watches.
    #[arg(long = "project", value_name = "PROJECT")]
    pub projects: Vec<String>,
    /// Group to watch, with its subgroups, by path or id. Can be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// GitLab to ask.
    #[arg(
        long = "gitlab.url",
        value_name = "URL",
        help = "GitLab to ask [default: https://gitlab.com]"
    )]
    pub gitlab_url: Option<String>,
    /// Part of the projects that is this process' own: 2/8 is the second of eight [default: 1/1].
    #[arg(long = "shard", value_name = "NUMBER/COUNT")]
    pub shard: Option<String>,
    /// Directory that keeps the state [default: ./state].
    #[arg(long = "store.directory", value_name = "DIR")]
    pub store_directory: Option<String>,
    /// Address to serve on; no host means all interfaces [default: :10141].
    #[arg(long = "web.listen-address", value_name = "[HOST]:PORT")]
    pub listen_address: Option<String>,
}

/// How to log, to standard error.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// Least severe messages to log.
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        default_value = "info",
        global = true
    )]
    pub level: LogLevel,
    /// Form of the messages.
    #[arg(
        long = "log.format",
        value_name = "FORMAT",
        default_value = "text",
        global = true
    )]
    pub format: LogFormat,
}

/// How severe a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "each would say its name")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Form of a log message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line for people, with `key=value` pairs.
    Text,
    /// One JSON object a line.
    Json,
}

/// Arguments of `check-config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints every problem and exits with 1, or prints what would be watched and exits with 0.
GitLab is not asked.

Example:
  job-failure-exporter check-config /etc/job-failure-exporter/config.yml")]
pub struct CheckConfigArgs {
    /// YAML file to check; the same as --config.file.
    #[arg(value_name = "FILE", conflicts_with = "config_file")]
    pub file: Option<PathBuf>,
    /// The daemon's flags, checked together with the file.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
The input is a JSON array, or one object a line, of
  {\"pipeline\": <pipeline as GitLab's API gives it>, \"jobs\": [<its jobs, every attempt>]}
in the order in which the pipelines are to be counted. Each is taken as finished.

Examples:
  job-failure-exporter replay pipelines.json
  cat runs.jsonl | job-failure-exporter replay --counting.preset datadog-agent --output datadog-v2")]
pub struct ReplayArgs {
    /// File to read; none or - is standard input.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Rules to count by.
    #[arg(
        long = "counting.preset",
        value_name = "PRESET",
        default_value = "default"
    )]
    pub counting_preset: Preset,
    /// State to start from: a `job_executions.v2.json` or a later document.
    #[arg(long = "initial-state", value_name = "FILE")]
    pub initial_state: Option<PathBuf>,
    /// What to print.
    #[arg(long = "output", value_name = "OUTPUT", default_value = "table")]
    pub output: ReplayOutput,
}

/// A set of counting rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// The exporter's own.
    Default,
    /// As datadog-agent's notify task counted.
    DatadogAgent,
}

/// What `replay` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayOutput {
    /// A table of streaks and ratios, and where a threshold was crossed.
    Table,
    /// The state as a v2 document, one line after each pipeline.
    #[value(name = "datadog-v2")]
    DatadogV2,
}

impl Preset {
    /// The rules it stands for.
    pub fn rules(self) -> Rules {
        match self {
            Self::Default => Rules::default(),
            Self::DatadogAgent => Rules::datadog_agent(),
        }
    }
}

impl ConfigArgs {
    /// What goes over the file.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            projects: self.projects.clone(),
            groups: self.groups.clone(),
            gitlab_url: self.gitlab_url.clone(),
            shard: self.shard.clone(),
            store_directory: self.store_directory.clone(),
            listen_address: self.listen_address.clone(),
        }
    }
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

    use super::*;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(["job-failure-exporter"].iter().chain(args))
    }

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
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
