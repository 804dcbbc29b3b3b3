//! What several commands share: flags, the console, and loading the configuration.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::{Config, Overrides, Problems, StateConfig};

/// Where a command prints.
pub struct Console<'a> {
    /// The result.
    pub out: &'a mut dyn Write,
    /// Warnings and problems.
    pub err: &'a mut dyn Write,
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
    /// File with TLS, client certificates, users and headers, in the format of Prometheus' exporter-toolkit.
    #[arg(long = "web.config.file", value_name = "FILE", value_parser = absolute)]
    pub web_config_file: Option<String>,
    /// Path below which everything is served [default: the path of the external URL].
    #[arg(long = "web.route-prefix", value_name = "PATH")]
    pub route_prefix: Option<String>,
    /// Serve POST /-/reload, which reads the configuration again.
    #[arg(long = "web.enable-lifecycle")]
    pub enable_lifecycle: bool,
}

/// A path of the command line starts at the working directory.
fn absolute(path: &str) -> Result<String, String> {
    let path = std::path::absolute(path).map_err(|error| error.to_string())?;
    let text = path.into_os_string().into_string();
    text.map_err(|path| format!("{} is not UTF-8", path.display()))
}

/// Where the saved state is.
#[derive(Debug, Args)]
#[command(next_help_heading = "State")]
pub struct StoreArgs {
    /// YAML file of the exporter: the place of the state, and the rules of counting.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Directory that keeps the state [default: ./state].
    #[arg(long = "store.directory", value_name = "DIR")]
    pub store_directory: Option<String>,
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

impl ConfigArgs {
    /// Flags override the file.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            projects: self.projects.clone(),
            groups: self.groups.clone(),
            gitlab_url: self.gitlab_url.clone(),
            shard: self.shard.clone(),
            store_directory: self.store_directory.clone(),
            listen_address: self.listen_address.clone(),
            web_config_file: self.web_config_file.clone(),
            route_prefix: self.route_prefix.clone(),
            enable_lifecycle: self.enable_lifecycle,
        }
    }
}

impl StoreArgs {
    /// The sections that the commands on the saved state need, which do without secrets.
    pub(super) fn config(&self) -> anyhow::Result<StateConfig> {
        Ok(self.config_with_secrets()?.0)
    }

    /// The same, with the secrets that cannot be read.
    pub(super) fn config_with_secrets(&self) -> anyhow::Result<(StateConfig, Option<Problems>)> {
        let overrides = Overrides {
            store_directory: self.store_directory.clone(),
            ..Overrides::default()
        };
        StateConfig::load(self.config_file.as_deref(), &overrides).map_err(unusable)
    }
}

/// Loads the configuration; all its problems are one error.
pub(super) fn load(
    args: &ConfigArgs,
    env: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Config> {
    Config::load(args.config_file.as_deref(), &args.overrides(), env).map_err(unusable)
}

/// The problems, below a line that counts them.
pub(super) fn unusable(problems: Problems) -> anyhow::Error {
    let context = match problems.len() {
        1 => "the configuration has a problem".to_owned(),
        count => format!("the configuration has {count} problems"),
    };
    anyhow::Error::new(problems).context(context)
}
