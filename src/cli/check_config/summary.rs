//! What a configuration would do, in lines for people.

use std::io::{self, Write};

use ci_history::Shard;
use ci_history::duration::format as span;

use crate::config::{Config, Mode, Problems, Watch, describe_rules};

/// A line, with the word that it is about.
pub(super) struct Line {
    pub(super) about: &'static str,
    pub(super) text: String,
}

fn line(about: &'static str, text: impl Into<String>) -> Line {
    let text = text.into();
    Line { about, text }
}

/// The lines about a configuration. `unreadable` has the secrets that could not be read.
pub(super) fn lines(config: &Config, unreadable: Option<&Problems>) -> Vec<Line> {
    let mut lines = gitlab(config, unreadable);
    lines.extend(watched(&config.watch));
    lines.extend(
        describe_rules(&config.counting)
            .into_iter()
            .map(|(key, value)| line("counting", format!("{key}: {value}"))),
    );
    lines.push(line("owners", format!("{} rules", config.owners.len())));
    if config.remediation.mode != Mode::Off {
        lines.push(line("retries", config.remediation.to_string()));
    }
    let store = &config.store;
    let saved = span(store.save_interval);
    let kept = span(config.retention);
    lines.push(line(
        "state",
        format!("{}, saved every {saved}, kept for {kept}", store.location),
    ));
    let web = config.web_file.as_ref();
    let web = web.map(|path| format!(", with the TLS and users of {}", path.display()));
    let web = web.unwrap_or_default();
    lines.push(line("serves", format!("{}{web}", config.listen_address)));
    lines
}

fn gitlab(config: &Config, unreadable: Option<&Problems>) -> Vec<Line> {
    let gitlab = &config.gitlab;
    let mut unreadable = unreadable.into_iter().flat_map(Problems::iter);
    let token = if gitlab.token.is_some() {
        "with a token"
    } else if unreadable.any(|problem| problem.path == "gitlab.token_file") {
        "with a token that cannot be read here"
    } else {
        "without a token: public projects only"
    };
    let (rate, timeout) = (gitlab.requests_per_second, span(gitlab.timeout));
    vec![
        line("GitLab", format!("{} ({token})", gitlab.url)),
        line(
            "requests",
            format!("at most {rate} a second, {timeout} each"),
        ),
    ]
}

fn watched(watch: &Watch) -> Vec<Line> {
    let mut lines = Vec::new();
    if watch.shard != Shard::WHOLE {
        lines.push(line("shard", format!("{} of what follows", watch.shard)));
    }
    lines.extend(watch.projects.iter().map(|path| line("project", path)));
    for group in &watch.groups {
        let subgroups = if group.include_subgroups {
            "with"
        } else {
            "without"
        };
        let (path, exclude) = (&group.path, group.exclude.len());
        let text = format!("{path} ({subgroups} subgroups, {exclude} exclude patterns)");
        lines.push(line("group", text));
    }
    lines.push(line("refs", watch.refs.to_string()));
    lines.push(line("sources", watch.sources.to_string()));
    lines.push(line("jobs", watch.jobs.to_string()));
    let days = watch.backfill.days;
    let days = days.map(|days| format!(", none older than {days} days"));
    let text = format!(
        "every {}, idle projects every {}; {} past pipelines at first{}",
        span(watch.interval),
        span(watch.idle_interval),
        watch.backfill.pipelines,
        days.unwrap_or_default()
    );
    lines.push(line("polls", text));
    lines
}

/// Writes the lines; of several rules of counting in a row the first has the word.
pub(super) fn write(lines: &[Line], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "The configuration can be used.\n")?;
    let mut before = "";
    for Line { about, text } in lines {
        let repeats = *about == "counting" && before == "counting";
        let head = if repeats { "" } else { about };
        writeln!(out, "{head:<9} {text}")?;
        before = about;
    }
    Ok(())
}
