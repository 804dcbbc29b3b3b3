//! What `init` needs to know: from flags, or asked on the terminal.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use url::Url;

use super::args::InitArgs;
use crate::alerting::server_url;

const DEFAULT_GITLAB: &str = "https://gitlab.com";
const DEFAULT_STATE: &str = "./state";
const DEFAULT_DIRECTORY: &str = "./job-failure-exporter";
/// Means that there is no such server.
const NONE: &str = "none";

/// Where the state goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Directory(String),
    S3 { bucket: String, prefix: String },
}

/// Everything that the written files depend on. Paths are absolute.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) gitlab: Url,
    pub(super) token_file: Option<String>,
    pub(super) projects: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) state: Place,
    pub(super) prometheus: Option<Url>,
    pub(super) alertmanager: Option<Url>,
    pub(super) to: PathBuf,
}

/// A person at a terminal.
pub(super) struct Asker<'a> {
    pub(super) input: &'a mut dyn BufRead,
    pub(super) out: &'a mut dyn Write,
}

impl Answers {
    /// Asks for what the flags do not say. Without a terminal, names the flags.
    pub(super) fn complete(args: InitArgs, asker: Option<Asker<'_>>) -> anyhow::Result<Self> {
        let args = match asker {
            Some(mut asker) => asker.complete(args)?,
            None => args,
        };
        refuse_missing(&args)?;
        let directory = args.to.unwrap_or_default();
        let server = |flag: &str, text: Option<String>| match text {
            Some(text) if text != NONE => url(flag, &text).map(Some),
            _ => Ok(None),
        };
        Ok(Self {
            gitlab: url("--gitlab.url", &args.gitlab_url.unwrap_or_default())?,
            token_file: args.token_file.as_deref().map(absolute).transpose()?,
            projects: args.projects,
            groups: args.groups,
            state: place(&args.state.unwrap_or_default())
                .map_err(|why| anyhow::anyhow!("--state: {why}"))?,
            prometheus: server("--prometheus.url", args.prometheus_url)?,
            alertmanager: server("--alertmanager.url", args.alertmanager_url)?,
            to: std::path::absolute(&directory)
                .with_context(|| format!("--to {}", directory.display()))?,
        })
    }
}

fn refuse_missing(args: &InitArgs) -> anyhow::Result<()> {
    let watches = !args.projects.is_empty() || !args.groups.is_empty();
    let needed = [
        ("--gitlab.url URL", args.gitlab_url.is_some()),
        ("--project PROJECT or --group GROUP", watches),
        ("--state DIR, or s3://bucket/prefix", args.state.is_some()),
        (
            "--prometheus.url URL, or none",
            args.prometheus_url.is_some(),
        ),
        (
            "--alertmanager.url URL, or none",
            args.alertmanager_url.is_some(),
        ),
        ("--to DIR", args.to.is_some()),
    ];
    let missing: Vec<_> = needed.iter().filter(|(_, given)| !given).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let flags: Vec<_> = missing.iter().map(|(flag, _)| *flag).collect();
    let flags = flags.join("\n  ");
    bail!("without a terminal to ask, init needs these flags too:\n  {flags}")
}

fn url(flag: &str, text: &str) -> anyhow::Result<Url> {
    server_url(text).map_err(|why| anyhow::anyhow!("{flag}: {why}"))
}

fn absolute(path: &str) -> anyhow::Result<String> {
    let absolute = std::path::absolute(path).with_context(|| format!("the path `{path}`"))?;
    Ok(absolute.to_string_lossy().into_owned())
}

fn place(text: &str) -> Result<Place, String> {
    if let Some(rest) = text.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(format!("found `{text}`, wanted s3://bucket/prefix"));
        }
        return Ok(Place::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        });
    }
    if text.is_empty() || text.contains("://") {
        return Err(format!(
            "found `{text}`, wanted a directory or s3://bucket/prefix"
        ));
    }
    let path = absolute(text).map_err(|error| error.to_string())?;
    Ok(Place::Directory(path))
}

/// Whether an answer can be used; else what is wrong with it.
type Check = fn(&str) -> Result<(), String>;

fn is_url(text: &str) -> Result<(), String> {
    server_url(text).map(drop)
}

fn is_url_or_none(text: &str) -> Result<(), String> {
    if text == NONE { Ok(()) } else { is_url(text) }
}

fn is_place(text: &str) -> Result<(), String> {
    place(text).map(drop)
}

fn is_text(text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) {
        return Err("found control characters, wanted text".to_owned());
    }
    Ok(())
}

impl Asker<'_> {
    fn complete(&mut self, mut args: InitArgs) -> anyhow::Result<InitArgs> {
        self.unless_given(&mut args.gitlab_url, "GitLab", DEFAULT_GITLAB, is_url)?;
        if args.token_file.is_none() {
            let question =
                "File with an access token of scope read_api; empty for the variable GITLAB_TOKEN";
            let file = self.ask(question, "", is_text)?;
            args.token_file = Some(file).filter(|file| !file.is_empty());
        }
        while args.projects.is_empty() && args.groups.is_empty() {
            args.groups = self.list("Groups to watch, with their subgroups (such as platform)")?;
            args.projects = self.list("Projects to watch besides (such as group/app)")?;
        }
        self.unless_given(
            &mut args.state,
            "Where the state goes: a directory, or s3://bucket/prefix",
            DEFAULT_STATE,
            is_place,
        )?;
        self.unless_given(
            &mut args.prometheus_url,
            "Prometheus that evaluates the rules",
            NONE,
            is_url_or_none,
        )?;
        self.unless_given(
            &mut args.alertmanager_url,
            "Alertmanager",
            NONE,
            is_url_or_none,
        )?;
        if args.to.is_none() {
            let to = self.ask("Directory to write to", DEFAULT_DIRECTORY, is_text)?;
            args.to = Some(to.into());
        }
        Ok(args)
    }

    fn unless_given(
        &mut self,
        value: &mut Option<String>,
        question: &str,
        default: &str,
        check: Check,
    ) -> anyhow::Result<()> {
        if value.is_none() {
            *value = Some(self.ask(question, default, check)?);
        }
        Ok(())
    }

    fn list(&mut self, question: &str) -> anyhow::Result<Vec<String>> {
        let answer = self.ask(question, "", is_text)?;
        let items = answer.split([' ', ',']).filter(|item| !item.is_empty());
        Ok(items.map(str::to_owned).collect())
    }

    /// Asks until the answer can be used. An empty answer is the default.
    fn ask(&mut self, question: &str, default: &str, check: Check) -> anyhow::Result<String> {
        loop {
            let hint = match default {
                "" => String::new(),
                _ => format!(" [{default}]"),
            };
            write!(self.out, "{question}{hint}: ")?;
            self.out.flush()?;
            let mut line = String::new();
            if self.input.read_line(&mut line)? == 0 {
                bail!("the input ended before all questions were answered; nothing was written");
            }
            let answer = match line.trim() {
                "" => default,
                answer => answer,
            };
            match check(answer) {
                Ok(()) => return Ok(answer.to_owned()),
                Err(why) => writeln!(self.out, "{why}")?,
            }
        }
    }
}
