//! What `explain` says of a job, against what Prometheus makes of the same job by the shipped rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ci_history::clock::ManualClock;
use clap::Parser as _;
use gitlab_simulator::truth::JobTruth;
use gitlab_simulator::{JobPlan, PipelinePlan};
use job_failure_exporter::cli::args::{Cli, Command};
use job_failure_exporter::cli::{Console, explain};
use serde_json::json;

use crate::alert_rules::alert_names;
use crate::tools;
use crate::tools::at_root;
use testkit::daemon::{Place, gitlab, minutes};
use testkit::samples::{Sample, Samples};
use testkit::truth::equal;

/// How long everything stays as it is before Prometheus is asked: longer than any `for`.
const STILL: i64 = 6 * 3600;

/// Time between two scrapes, with an evaluation at each, in seconds.
const STEP: i64 = 3600;

/// Its one job may fail and does nothing else.
const TOOLCHAIN: &str = "acme/toolchain";

const OWNERS: &str = "owners: {rules: [{jobs: '*', projects: 'acme/shop', team: shop}, {jobs: 'train', team: ml}]}\n";

/// Besides the shipped defaults.
const OVERRIDES: &str = "
groups:
  - name: ours
    rules:
      - {record: 'ci_team_override:consecutive_failures:threshold', expr: '1', labels: {severity: critical, team: shop}}
      - {record: 'ci_project_override:consecutive_failures:threshold', expr: 'Inf', labels: {severity: warning, project: acme/warehouse}}
      - {record: 'ci_job_override:consecutive_failures:threshold', expr: '2', labels: {severity: warning, project: acme/warehouse, job_name: import}}
      - {record: 'ci_job_override:failing_for_long:threshold', expr: '4', labels: {severity: critical, project: acme/warehouse, job_name: import}}
      - {record: 'ci_project_override:failure_ratio:threshold', expr: '0.1', labels: {severity: critical, project: acme/compiler}}
      - {record: 'ci_project_override:window_failures:threshold', expr: '1', labels: {project: acme/compiler}}
      - {record: 'ci_team_override:running_factor:threshold', expr: '2', labels: {team: ml}}
      - {record: 'ci_team_override:running_seconds:threshold', expr: '30 * 60', labels: {severity: critical, team: ml}}
      - {record: 'ci_project_override:pending_seconds:threshold', expr: 'Inf', labels: {severity: warning, project: acme/ml}}
      - {record: 'ci_project_override:pending_seconds:threshold', expr: '60', labels: {severity: critical, project: acme/ml}}
      - {record: 'ci_job_override:flaky_executions:threshold', expr: '2', labels: {severity: info, project: acme/mobile, job_name: ui-tests}}
      - {record: 'ci_job_override:no_success_seconds:threshold', expr: '3600', labels: {severity: critical, project: acme/docs, job_name: publish}}
      - {record: 'ci_job_override:no_success_seconds:threshold', expr: '3600', labels: {severity: warning, project: acme/docs, job_name: gone}}
";

/// Project, job, alert, severity.
type Firing = BTreeSet<(String, String, String, String)>;

/// What the command prints for a job at this time.
async fn explained(place: &Place, project: &str, job: &str, now: i64, files: &[PathBuf]) -> String {
    let config = place.config();
    let mut words = vec!["job-failure-exporter", "explain", project, job];
    words.extend(["--config.file", config.to_str().unwrap()]);
    for file in files {
        words.extend(["--thresholds", file.to_str().unwrap()]);
    }
    let Some(Command::Explain(args)) = Cli::try_parse_from(words).unwrap().command else {
        panic!("it was asked to explain");
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console {
        out: &mut out,
        err: &mut err,
    };
    let clock = ManualClock::at_unix(now.try_into().unwrap());
    let done = explain::run(&args, &|_| None, &clock, &mut console).await;
    done.unwrap();
    String::from_utf8(out).unwrap()
}

/// The alerts of an explanation with their verdicts.
fn verdicts(text: &str) -> Vec<(String, String, String)> {
    let line =
        regex::Regex::new(r"(?m)^  (FIRES|silent|off|in \d.*?) {2,}(CI\w+) \((\w+)\)").unwrap();
    let found = line.captures_iter(text);
    let word = |found: &regex::Captures<'_>, n: usize| found[n].to_owned();
    found
        .map(|f| (word(&f, 2), word(&f, 3), word(&f, 1)))
        .collect()
}

/// A series that says the same for as long as nothing changes, as of `now`.
fn series(sample: &Sample, now: i64) -> serde_json::Value {
    let labels: Vec<_> = sample
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    let value = if sample.name.ends_with("_timestamp_seconds") {
        // Prometheus' time begins at zero here.
        sample.value - (now - STILL) as f64
    } else {
        sample.value
    };
    json!({
        "series": format!("{}{{instance=\"a\",{}}}", sample.name, labels.join(",")),
        "values": format!("{value}+0x{}", STILL / STEP),
    })
}

/// Asks promtool that just these alerts on jobs fire.
fn prometheus_agrees(folder: &Path, samples: &Samples, now: i64, firing: &Firing) {
    let of_jobs = samples.iter().filter(|sample| {
        sample.name.starts_with("job_") && !sample.name.starts_with("job_failure_exporter_")
    });
    let mut input: Vec<_> = of_jobs.map(|sample| series(sample, now)).collect();
    let projects: BTreeSet<_> = firing.iter().map(|(project, ..)| project).collect();
    for project in projects {
        input.push(json!({
            "series": format!("project_last_successful_poll_timestamp_seconds{{project={project:?}}}"),
            // All along the last one is the one at the end.
            "values": format!("{STILL}+0x{}", STILL / STEP),
        }));
    }
    let expected: Vec<_> = firing
        .iter()
        .map(|(project, job, alert, severity)| {
            let labels = format!(
                "{{alertname={alert:?},job_name={job:?},project={project:?},severity={severity:?}}}"
            );
            json!({"labels": labels, "value": 1})
        })
        .collect();
    let expr = "group by (project, job_name, alertname, severity) \
                (ALERTS{alertstate=\"firing\", alertname=~\"CIJob.+\", alertname!=\"CIJobMissing\"})";
    let rules = ["jobs", "absence", "runners", "common"];
    let mut files: Vec<_> = rules
        .iter()
        .map(|name| at_root(&format!("alert-rules/{name}.yml")))
        .collect();
    files.extend([
        at_root("alert-rules/thresholds.yml"),
        folder.join("ours.yml"),
    ]);
    let test = json!({
        "rule_files": files,
        "evaluation_interval": format!("{STEP}s"),
        "group_eval_order": ["ci-thresholds", "ours", "ci-jobs", "ci-absence", "ci-runners", "ci-common-causes"],
        "tests": [{
            "interval": format!("{STEP}s"),
            "input_series": input,
            "promql_expr_test": [{
                "expr": expr,
                "eval_time": format!("{STILL}s"),
                "exp_samples": expected,
            }],
        }],
    });
    let file = folder.join("test.yml");
    std::fs::write(&file, test.to_string()).unwrap();
    tools::run("promtool", ["test", "rules", file.to_str().unwrap()]).must_pass();
}

#[tokio::test]
async fn explain_says_of_every_job_and_alert_what_prometheus_says() {
    let gitlab = gitlab("demo").await;
    for minute in 0..4 {
        gitlab.with(|world| {
            let known = world.project_by_path(TOOLCHAIN).map(|project| project.id);
            let project = known.unwrap_or_else(|| world.create_project(TOOLCHAIN));
            let job = JobPlan::fails("rust-nightly").allowed_to_fail();
            world.push_pipeline(project, PipelinePlan::new([job]));
        });
        gitlab.advance(minutes(1 + 3 * minute));
    }
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.configure_also(OWNERS);
    let daemon = place.start().await;
    daemon.is_ready().await;
    let truths: Vec<JobTruth> = gitlab.truth();
    let samples = daemon.shows("the truth", |s| equal(s, &truths)).await;
    daemon.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours.yml");
    std::fs::write(&ours, OVERRIDES).unwrap();
    let thresholds = [at_root("alert-rules/thresholds.yml"), ours];

    let told = gitlab.with(|world| world.now().unix());
    let mut fired = BTreeMap::<String, usize>::new();
    let mut known = BTreeSet::new();
    // When it happened, the same evening, and a good week later.
    for later in [0, 5 * 3600, 8 * 24 * 3600] {
        let now = told + later;
        let mut firing = Firing::new();
        for truth in &truths {
            let (project, job) = (&truth.project, &truth.job_name);
            let text = explained(&place, project, job, now, &thresholds).await;
            let verdicts = verdicts(&text);
            assert!(verdicts.len() > 8, "{text}");
            for (alert, severity, verdict) in verdicts {
                // What fires in a while does after hours in which nothing changes.
                if verdict == "FIRES" || verdict.starts_with("in ") {
                    *fired.entry(alert.clone()).or_default() += 1;
                    firing.insert((project.clone(), job.clone(), alert.clone(), severity));
                }
                known.insert(alert);
            }
        }
        prometheus_agrees(folder.path(), &samples, now, &firing);
    }
    let mut on_jobs = alert_names();
    on_jobs.retain(|name| name.starts_with("CIJob") && name != "CIJobMissing");
    assert_eq!(known, on_jobs);
    let fired: BTreeSet<_> = fired.into_keys().collect();
    assert_eq!(fired, on_jobs, "each is seen to fire");
}

#[tokio::test]
async fn explain_says_from_when_on_a_streak_stands_for_long_and_whose_threshold_holds() {
    let gitlab = gitlab("stays-broken").await;
    gitlab.advance(minutes(13));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.configure_also("owners: {rules: [{jobs: '*', team: stock}]}\n");
    let daemon = place.start().await;
    daemon.is_ready().await;
    daemon.stop().await;
    let ours = place.config().with_file_name("ours.yml");
    let mut text = std::fs::read_to_string(at_root("alert-rules/thresholds.yml")).unwrap();
    write!(
        text,
        "      - record: ci_team_override:failure_ratio:threshold\n        expr: Inf\n        \
         labels: {{severity: warning, team: stock}}\n"
    )
    .unwrap();
    std::fs::write(&ours, text).unwrap();
    let now = gitlab.with(|world| world.now().unix());
    let text = explained(&place, "acme/warehouse", "import", now, &[ours]).await;
    for words in [
        "Alerts, by the given thresholds:\n",
        "  FIRES          CIJobFailingRepeatedly (warning)   12 in a row (from 3)\n",
        "  in 3 h 50 min  CIJobFailingForLong (critical)     12 in a row, which has stood for 9 min",
        "  off            CIJobFailureRatioHigh (warning)    10 of 10 failed (from Inf, the team's, at least 5)\n",
    ] {
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
    }
    let shipped = explained(&place, "acme/warehouse", "import", now + 5 * 3600, &[]).await;
    for words in [
        "Alerts, by the shipped thresholds:\n",
        "FIRES   CIJobFailingForLong (critical)",
        "silent  CIJobStuck (warning)               does not run now (after 30 min and 3 times that, as no usual duration is known)",
    ] {
        assert!(shipped.contains(words), "{words:?} is not in:\n{shipped}");
    }
}
