//! `check-config`: every problem of a configuration, or what it would do.

mod doubts;
mod effective;
mod online;
mod patterns;
mod report;
mod summary;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use self::online::Online;
use self::report::{Entry, Report};
use super::args::CheckConfigArgs;
use super::common::Console;
use crate::config::{Config, Problems};
use crate::http::WebConfig;

const WEB_FILE: &str = "web.config_file";

/// A configuration without problems, and what to warn of.
struct Usable {
    config: Config,
    unreadable: Option<Problems>,
    unreadable_web: Option<Problems>,
}

/// Checks the configuration; the exit code says whether it can be used.
pub async fn run(
    args: &CheckConfigArgs,
    env: &dyn Fn(&str) -> Option<String>,
    console: &mut Console<'_>,
) -> io::Result<ExitCode> {
    let file = args.config_file().map(AsRef::<Path>::as_ref);
    let (config, unreadable) = match Config::check(file, &args.config.overrides(), env) {
        Ok(checked) => checked,
        Err(problems) if args.json => {
            let entries = problems.iter().map(Entry::from).collect();
            Report::of_problems(entries, Vec::new()).write(console.out)?;
            return Ok(ExitCode::FAILURE);
        }
        Err(problems) => {
            writeln!(console.err, "{problems}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let web = match &config.web_file {
        Some(path) => WebConfig::check(path),
        None => Ok(None),
    };
    let usable = match web {
        Ok(unreadable_web) => Usable {
            config,
            unreadable,
            unreadable_web,
        },
        Err(problems) if args.json => {
            let problems = problems.to_string();
            let problems = problems.lines();
            let problems = problems.map(|line| Entry::about(WEB_FILE, line.to_owned()));
            let warnings = warnings(unreadable.as_ref());
            Report::of_problems(problems.collect(), warnings).write(console.out)?;
            return Ok(ExitCode::FAILURE);
        }
        Err(problems) => {
            warn_of(unreadable.as_ref(), console.err)?;
            writeln!(console.err, "{problems}")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let online = if args.online {
        let unreadable = usable.unreadable.as_ref();
        Some(online::check(&usable.config, unreadable, args.timeout).await)
    } else {
        None
    };
    let has_failed = online.as_ref().is_some_and(Online::has_failed);
    usable.tell(args, online, console)?;
    Ok(if has_failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

impl Usable {
    fn tell(
        &self,
        args: &CheckConfigArgs,
        online: Option<Online>,
        console: &mut Console<'_>,
    ) -> io::Result<()> {
        let config = &self.config;
        let lines = summary::lines(config, self.unreadable.as_ref());
        if args.json {
            let mut warnings = warnings(self.unreadable.as_ref());
            let web = self.unreadable_web.iter();
            let web = web.flat_map(Problems::iter);
            warnings.extend(web.map(|it| Entry::about(WEB_FILE, it.to_string())));
            let exposed = config.gitlab.unencrypted_token();
            warnings.extend(exposed.map(|warning| Entry::about("gitlab.url", warning)));
            warnings.extend(doubts::of(config.settings()));
            let report = Report::of_usable(warnings, lines, config.settings(), online);
            return report.write(console.out);
        }
        warn_of(self.unreadable.as_ref(), console.err)?;
        warn_of(self.unreadable_web.as_ref(), console.err)?;
        if let Some(warning) = config.gitlab.unencrypted_token() {
            writeln!(console.err, "warning: {warning}")?;
        }
        for doubt in doubts::of(config.settings()) {
            writeln!(console.err, "warning: {doubt}")?;
        }
        if args.print {
            return effective::write(config.settings(), console.out);
        }
        summary::write(&lines, console.out)?;
        match online {
            Some(online) => online.write(console.out),
            None => Ok(()),
        }
    }
}

fn warnings(unreadable: Option<&Problems>) -> Vec<Entry> {
    let problems = unreadable.into_iter().flat_map(Problems::iter);
    problems.map(Entry::from).collect()
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
