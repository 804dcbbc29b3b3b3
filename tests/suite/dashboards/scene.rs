//! A GitLab in which everything a dashboard shows is the case, watched by the real programs.

use std::sync::Arc;

use ci_history::clock::{Clock as _, SystemClock};
use gitlab_simulator::{
    Ending, Handle, JobPlan, Moment, Options, Pace, PipelinePlan, Role, Scenario, Scope, start,
};

use crate::monitoring::{Receiver, Shipped, Tool};
use testkit::daemon::{Daemon, Place, holds, minutes, until};

const TEAMS: &str =
    "owners: {rules: [{jobs: 'deploy*', team: payments}, {jobs: '*tests', team: research}]}\n";

/// Jobs that fail, flake, are allowed to fail, hang and wait, with hard names and child pipelines;
/// schedules that run, that start nothing and that are off.
const SCENARIOS: [&str; 7] = [
    "stays-broken",
    "flaky",
    "allowed-failure",
    "matrix",
    "stuck",
    "child-pipelines",
    "schedules",
];

/// Failures of runners come back in one project, 45 seconds after they failed: long enough for Prometheus to have
/// seen the counters at zero. In the other one the circuit of a job opens.
const REMEDIATION: &str = "remediation: {mode: act, token_file: bot-token, pause_when: {failing_share: 1.0}, rules: [
    {name: courier, match: {projects: [acme/courier]}, action: recover, delays: [45s]},
    {name: check, match: {projects: [acme/check.out], failure_classes: [infrastructure]}, action: recover}]}\n";

/// Token of the bot that brings jobs back.
const BOT: &str = "glpat-of-the-bot";

/// What runs; ends with it.
pub(super) struct Scene {
    /// When there was everything to be shown.
    pub(super) now: f64,
    pub(super) prometheus: Tool,
    _gitlab: Handle,
    _exporter: Daemon,
    _place: Place,
    _receiver: Receiver,
    _shipped: Shipped,
}

/// Three quarters of an hour, which end now: jobs that hang and wait since their
/// beginning, and at the end a project whose jobs fail, and pass on a retry only.
async fn gitlab() -> Handle {
    let clock = Arc::new(SystemClock);
    let past = minutes(45);
    let pace = Pace {
        start: Moment::from(clock.now()) - past,
        speed: 1.0,
        catches_up: false,
        clock,
    };
    let gitlab = start(Options {
        pace,
        ..Options::default()
    })
    .await
    .unwrap();
    gitlab.faults(|faults| faults.limit_rate(Some(1_000_000)));
    let (project, courier) = gitlab.with(|world| {
        for scenario in SCENARIOS {
            Scenario::named(scenario).unwrap().fill(world);
        }
        let project = world.create_project("acme/check.out");
        let courier = world.create_project("acme/courier");
        let bot = world.add_bot(courier, Role::Maintainer);
        world.set_role(bot, project, Some(Role::Maintainer));
        world.add_token(BOT, bot, &[Scope::Api]);
        (project, courier)
    });
    gitlab.advance(minutes(36));
    for minute in 0..8 {
        let job = |name: &str, reason: &str| {
            if minute == 0 {
                JobPlan::passes(name)
            } else {
                JobPlan::fails_with(name, reason)
            }
        };
        let flaky = JobPlan::new("ui.tests", [Ending::fails(), Ending::Passes]).retried(1);
        let plan = PipelinePlan::new([
            job("deploy: [eu, 1]", "runner_system_failure"),
            job("it's done?", "script_failure"),
            flaky,
        ]);
        let release = PipelinePlan::new([JobPlan::passes("deploy")]).on("release/1.0");
        gitlab.with(|world| {
            world.push_pipeline(project, plan.instant());
            world.push_pipeline(project, release.instant());
        });
        gitlab.advance(minutes(1));
    }
    let lost = Ending::Fails("runner_system_failure".to_owned());
    let parcel = JobPlan::new("parcel", [lost, Ending::Passes]);
    let plan = PipelinePlan::new([parcel]).instant();
    gitlab.with(|world| world.push_pipeline(courier, plan));
    gitlab
}

/// Alerts that have to fire before anything is looked at.
const FIRING: [&str; 6] = [
    "CIJobFailingRepeatedly",
    "CIJobStuck",
    "CIJobPendingTooLong",
    "CIJobFlaky",
    "CIJobNoRecentSuccess",
    "CIScheduleMissed",
];

/// What the rules have to have recorded besides: a job that was brought back, its branch that was repaired, a job that is
/// not brought back any more, and what retries cost.
const RECORDED: [&str; 6] = [
    "job_failure_exporter_remediation_recovered_total{rule=\"courier\"} == 1",
    "count_over_time(ci_pipeline:repair_seconds[5m])",
    "ci_job:retry_circuit_open == 1",
    "ci_project:jobs_failing_reason:count",
    "ci_project:jobs_flaky:count",
    "ci_project:retried_seconds:increase1h > 0",
];

/// A job that is critical from its second failure on and never has a warning.
const OVERRIDES: &str = "
  - name: overrides
    rules:
      - record: ci_job_override:consecutive_failures:threshold
        expr: '2'
        labels: {severity: critical, project: acme/check.out, job_name: \"it's done?\"}
      - record: ci_job_override:consecutive_failures:threshold
        expr: Inf
        labels: {severity: warning, project: acme/check.out, job_name: \"it's done?\"}
";

impl Scene {
    /// Starts everything and waits until there is everything to be shown.
    pub(super) async fn set() -> Self {
        let gitlab = gitlab().await;
        let watch = "groups: [{path: acme}], refs: [default, 'release/.*']";
        let place = Place::new(gitlab.url(), watch);
        std::fs::write(
            place.config().with_file_name("hook-token"),
            "a-secret-token-of-the-hook",
        )
        .unwrap();
        place.configure_also(TEAMS);
        place.configure_also("webhooks: {gitlab: {token_file: hook-token}}\n");
        std::fs::write(place.config().with_file_name("bot-token"), BOT).unwrap();
        place.configure_also(REMEDIATION);
        let exporter = place.start().await;
        let shipped = Shipped::copy();
        // Four minutes instead of a week.
        shipped.edit("alert-rules/thresholds.yml", "'604800'", "'240'");
        shipped.append("alert-rules/thresholds.yml", OVERRIDES);
        let configuration = "deploy/prometheus/prometheus.yml";
        // No panel depends on the name of the scrape job.
        shipped.edit(
            configuration,
            "job_name: job-failure-exporter",
            "job_name: ci",
        );
        let target = "targets: ['127.0.0.1:10141']";
        let labelled = format!("{target}\n        labels: {{gitlab: com, cluster: eu}}");
        shipped.edit(configuration, &regex::escape(target), &labelled);
        let receiver = Receiver::start().await;
        let prometheus = shipped
            .prometheus(exporter.address(), receiver.address)
            .await;
        exporter.is_ready().await;
        for alert in FIRING {
            let query = format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}");
            until(alert, async || {
                let found = prometheus.query(&query).await;
                holds(!found.is_empty(), "it does not fire")
            })
            .await;
        }
        for query in RECORDED {
            until(query, async || {
                let found = prometheus.query(query).await;
                holds(!found.is_empty(), "no such series")
            })
            .await;
        }
        // A moment before which no scrape failed: a busy machine may miss one.
        let scraped = "time() * min_over_time(up{job=\"ci\"}[5s]) > 0";
        let mut now = 0.0;
        until("a series of scrapes", async || {
            let found = prometheus.query(scraped).await;
            now = found.first().copied().unwrap_or_default();
            holds(now > 0.0, "a scrape failed")
        })
        .await;
        // All is asked for this moment; from now on the machine is the queries' own.
        shipped.edit(configuration, r"_interval: \w+", "_interval: 1h");
        prometheus.reload();
        Self {
            now,
            prometheus,
            _gitlab: gitlab,
            _exporter: exporter,
            _place: place,
            _receiver: receiver,
            _shipped: shipped,
        }
    }
}
