//! Loads the configuration that a command line names.

use super::args::ConfigArgs;
use crate::config::{Config, Problems};

/// The whole configuration.
pub(super) fn config(
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
