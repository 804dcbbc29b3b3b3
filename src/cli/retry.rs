//! `retry`: asks a running exporter to bring failed jobs back.

use std::io::{self, BufRead as _, IsTerminal as _, Write};

use anyhow::bail;
use ci_history::FailureClass;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use globset::{Glob, GlobMatcher};
use reqwest::Method;
use serde_json::{Value, json};

use super::common::Console;
use super::exporter::{Exporter, ExporterArgs};
use super::table::{counted, print_aligned, printable};

/// Jobs that one request of the exporter's API lists.
const PAGE: usize = 1000;

/// Arguments of `retry`.
#[derive(Debug, Args)]
#[command(after_help = "\
The exporter decides as it does for its own rules: it refuses what its guards forbid, and says why. \
It needs `remediation.mode: act`, and a secret of `remediation.callers`.

Examples:
  job-failure-exporter retry group/app unit-tests --dry-run --exporter.token-file ops-token
  job-failure-exporter retry group/app unit-tests --ref main --type restart \\
    --exporter.token-file ops-token
  job-failure-exporter retry --failed --class infrastructure --project 'group/**' \\
    --exporter.token-file ops-token")]
pub struct RetryArgs {
    /// Path of the project.
    #[arg(
        value_name = "PROJECT",
        required_unless_present = "failed",
        requires = "job"
    )]
    pub project: Option<String>,
    /// Name of the job, as in the label `job_name`.
    #[arg(value_name = "JOB", conflicts_with = "failed")]
    pub job: Option<String>,
    /// Only on this branch or tag.
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
    /// Only in this track.
    #[arg(long = "track", value_name = "TRACK")]
    pub track: Option<String>,
    /// Retry the failed job, or start a new pipeline on the ref.
    #[arg(long = "type", value_name = "TYPE", default_value = "recover")]
    pub kind: RetryKind,
    /// All failing jobs that the following conditions match.
    #[arg(long = "failed")]
    pub failed: bool,
    /// Only failures of this class.
    #[arg(long = "class", value_name = "CLASS", requires = "failed", value_parser = classes())]
    pub class: Option<FailureClass>,
    /// Only in projects whose path this glob matches.
    #[arg(
        long = "project",
        value_name = "GLOB",
        requires = "failed",
        id = "project_glob"
    )]
    pub project_glob: Option<Glob>,
    /// Print what would be done, and do nothing.
    #[arg(long = "dry-run")]
    pub dry_run: bool,
    /// Do not ask before more than one action.
    #[arg(long = "yes")]
    pub yes: bool,
    /// Which exporter.
    #[command(flatten)]
    pub exporter: ExporterArgs,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RetryKind {
    /// Retries the failed job.
    Recover,
    /// Starts a new pipeline on the head of the ref.
    Restart,
}

impl RetryKind {
    fn word(self) -> &'static str {
        match self {
            Self::Recover => "recover",
            Self::Restart => "restart",
        }
    }
}

fn classes() -> impl TypedValueParser<Value = FailureClass> {
    let words = FailureClass::ALL.map(FailureClass::as_str);
    PossibleValuesParser::new(words).map(|word| {
        let mut all = FailureClass::ALL.into_iter();
        all.find(|class| class.as_str() == word)
            .unwrap_or(FailureClass::Unknown)
    })
}

/// Runs `retry`. The result says whether anything was started, or would be.
pub async fn run(args: &RetryArgs, console: &mut Console<'_>) -> anyhow::Result<bool> {
    let exporter = Exporter::of(&args.exporter)?;
    let jobs = wanted(args, &exporter).await?;
    if jobs.is_empty() {
        writeln!(console.out, "nothing fails that fits")?;
        return Ok(true);
    }
    let body = json!({ "jobs": jobs });
    let path = |is_trial| format!("api/v1/retry?type={}&dry_run={is_trial}", args.kind.word());
    let trial = exporter.act(Method::PUT, &path(true), &body).await?;
    let count = list(&trial, "would").len();
    if args.dry_run || count == 0 {
        print(&trial, console.out)?;
        return Ok(count > 0);
    }
    if count > 1 && !args.yes && !confirmed(&trial, count, console)? {
        return Ok(false);
    }
    let answer = exporter.act(Method::PUT, &path(false), &body).await?;
    print(&answer, console.out)?;
    if answer["mode"] == "report" {
        writeln!(
            console.err,
            "nothing was done: `remediation.mode` of the exporter is `report`"
        )?;
    }
    Ok(answer["total"].as_u64().unwrap_or(0) > 0)
}

/// The jobs as the API takes them.
async fn wanted(args: &RetryArgs, exporter: &Exporter) -> anyhow::Result<Vec<Value>> {
    if let (Some(project), Some(job)) = (&args.project, &args.job) {
        return Ok(vec![json!({
            "project": project, "ref": args.ref_name, "track": args.track, "job_name": job,
        })]);
    }
    let glob = args.project_glob.as_ref().map(Glob::compile_matcher);
    let mut jobs = Vec::new();
    let mut offset = 0;
    loop {
        let path = format!("api/v1/jobs?failing=true&limit={PAGE}&offset={offset}");
        let page = exporter.get(&path).await?;
        let listed = list(&page, "jobs");
        jobs.extend(
            listed
                .iter()
                .filter(|job| fits(args, glob.as_ref(), job))
                .map(|job| {
                    json!({ "project": job["project"], "ref": job["ref"], "track": job["track"],
                    "job_name": job["job_name"] })
                }),
        );
        if listed.len() < PAGE {
            return Ok(jobs);
        }
        offset += PAGE;
    }
}

fn fits(args: &RetryArgs, glob: Option<&GlobMatcher>, job: &Value) -> bool {
    let text = |name: &str| job[name].as_str();
    let is = |wanted: Option<&String>, found| wanted.is_none_or(|it| Some(it.as_str()) == found);
    let class = job["failing"]["failure_class"].as_str();
    is(args.ref_name.as_ref(), text("ref"))
        && is(args.track.as_ref(), text("track"))
        && args
            .class
            .is_none_or(|wanted| Some(wanted.as_str()) == class)
        && glob.is_none_or(|glob| text("project").is_some_and(|path| glob.is_match(path)))
}

/// Asks where a person sits at the terminal; a script has to say `--yes`.
fn confirmed(trial: &Value, count: usize, console: &mut Console<'_>) -> anyhow::Result<bool> {
    print(trial, console.out)?;
    if !io::stdin().is_terminal() {
        bail!(
            "{} would be started; give --yes to do so",
            counted(count, "action")
        );
    }
    write!(console.out, "Start {}? [y/N] ", counted(count, "action"))?;
    console.out.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().map_or(&[], Vec::as_slice)
}

fn print(answer: &Value, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = Vec::new();
    for (list_name, result) in [("actions", "result"), ("would", ""), ("refused", "message")] {
        for entry in list(answer, list_name) {
            let text = |name: &str| printable(entry[name].as_str().unwrap_or("-"));
            let what = match list_name {
                "actions" => text(result),
                "would" => "would start".to_owned(),
                _ => format!("not done: {}", text(result)),
            };
            rows.push([text("project"), text("ref"), text("job"), what]);
        }
    }
    print_aligned(&rows, out)
}
