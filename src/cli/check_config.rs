//! `check-config`: every problem of a configuration, or what it would do.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use ci_history::Shard;

use super::args::CheckConfigArgs;
use super::common::Console;
use crate::config::{Config, Mode, Problems, describe_rules};
use crate::http::WebConfig;
use ci_history::duration::format as span;

/// Checks the configuration; the exit code says whether it can be used.
pub fn run(
    args: &CheckConfigArgs,
    env: &dyn Fn(&str) -> Option<String>,
    console: &mut Console<'_>,
) -> io::Result<ExitCode> {
    let file = args.config_file().map(AsRef::<Path>::as_ref);
    match Config::check(file, &args.config.overrides(), env) {
        Ok((config, unreadable)) => {
            warn_of(unreadable.as_ref(), console.err)?;
            if let Some(path) = &config.web_file {
                match WebConfig::check(path) {
                    Ok(unreadable) => warn_of(unreadable.as_ref(), console.err)?,
                    Err(problems) => {
                        writeln!(console.err, "{problems}")?;
                        return Ok(ExitCode::FAILURE);
                    }
                }
            }
            if let Some(warning) = config.gitlab.unencrypted_token() {
                writeln!(console.err, "warning: {warning}")?;
            }
            summarize(&config, unreadable.as_ref(), console.out)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            writeln!(console.err, "{problems}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn warn_of(unreadable: Option<&Problems>, err: &mut dyn Write) -> io::Result<()> {
    let warnings = unreadable.map(ToString::to_string);
    for line in warnings.iter().flat_map(|warnings| warnings.lines()) {
        writeln!(
            err,
            "warning: {line}; the exporter does not start without it"
        )?;
    }
    Ok(())
}

fn summarize(
    config: &Config,
    unreadable: Option<&Problems>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (gitlab, watch) = (&config.gitlab, &config.watch);
    let mut unreadable = unreadable.into_iter().flat_map(Problems::iter);
    let token = if gitlab.token.is_some() {
        "with a token"
    } else if unreadable.any(|problem| problem.path == "gitlab.token_file") {
        "with a token that cannot be read here"
    } else {
        "without a token: public projects only"
    };
    let rate = gitlab.requests_per_second;
    writeln!(out, "The configuration can be used.\n")?;
    writeln!(out, "GitLab    {} ({token})", gitlab.url)?;
    writeln!(
        out,
        "requests  at most {rate} a second, {} each",
        span(gitlab.timeout)
    )?;
    if watch.shard != Shard::WHOLE {
        writeln!(out, "shard     {} of what follows", watch.shard)?;
    }
    for project in &watch.projects {
        writeln!(out, "project   {project}")?;
    }
    for group in &watch.groups {
        let subgroups = if group.include_subgroups {
            "with"
        } else {
            "without"
        };
        let exclude = group.exclude.len();
        writeln!(
            out,
            "group     {} ({subgroups} subgroups, {exclude} exclude patterns)",
            group.path
        )?;
    }
    let days = watch.backfill.days;
    let days = days.map(|days| format!(", none older than {days} days"));
    writeln!(out, "refs      {}", watch.refs)?;
    writeln!(out, "sources   {}", watch.sources)?;
    writeln!(out, "jobs      {}", watch.jobs)?;
    writeln!(
        out,
        "polls     every {}, idle projects every {}; {} past pipelines at first{}",
        span(watch.interval),
        span(watch.idle_interval),
        watch.backfill.pipelines,
        days.unwrap_or_default()
    )?;
    for (n, (key, value)) in describe_rules(&config.counting).into_iter().enumerate() {
        let head = if n == 0 { "counting" } else { "" };
        writeln!(out, "{head:<9} {key}: {value}")?;
    }
    writeln!(out, "owners    {} rules", config.owners.len())?;
    if config.remediation.mode != Mode::Off {
        writeln!(out, "retries   {}", config.remediation)?;
    }
    writeln!(
        out,
        "state     {}, saved every {}, kept for {}",
        config.store.location,
        span(config.store.save_interval),
        span(config.retention)
    )?;
    let web = config.web_file.as_ref();
    let web = web.map(|path| format!(", with the TLS and users of {}", path.display()));
    writeln!(
        out,
        "serves    {}{}",
        config.listen_address,
        web.unwrap_or_default()
    )
}
