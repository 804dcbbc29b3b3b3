//! The command `gitlab-simulator`, which serves a simulated GitLab.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser};

use ci_history::clock::SystemClock;
use ci_history::duration;
use gitlab_simulator::{
    DEFAULT_TOKEN, Fault, Handle, HookTarget, Options, Pace, Release, Role, SCENARIOS, Scenario,
    Scope, start,
};

use strum::VariantArray as _;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Serve a simulated GitLab for demonstrations and tests.
#[derive(Debug, Clone, Parser)]
#[command(name = "gitlab-simulator", version, after_help = after_help())]
struct Arguments {
    /// Address to listen on; port 0 takes a free port.
    #[arg(
        long = "listen-address",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8929"
    )]
    listen_address: SocketAddr,
    /// Path before /api/v4, for a GitLab under a relative URL.
    #[arg(long, value_name = "PATH", default_value = "")]
    prefix: String,
    /// Token that requests need.
    #[arg(long, value_name = "TOKEN", default_value = DEFAULT_TOKEN)]
    token: String,
    /// Scenario to play.
    #[arg(long, value_name = "NAME", default_value = "demo", value_parser = scenario_names())]
    scenario: String,
    /// Seed of everything random.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Start simulated time this long before now.
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = duration::parse)]
    behind: Duration,
    /// Simulated seconds per second until simulated time reaches the present.
    #[arg(long, value_name = "FACTOR", default_value_t = 60.0, value_parser = factor)]
    speed: f64,
    /// Keep the speed after reaching the present, into the future.
    #[arg(long)]
    overtake: bool,
    /// Delay of a pipeline's status after changes of its jobs.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    status_lag: Duration,
    /// URL for webhooks of jobs and pipelines, such as <http://127.0.0.1:10141/hooks/gitlab>.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Secret token of the webhooks.
    #[arg(long, value_name = "TOKEN", default_value = "hook-simulated")]
    webhook_token: String,
    #[command(flatten)]
    retries: RetryArgs,
    #[command(flatten)]
    faults: FaultArgs,
}

/// Writing through the API.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Retries")]
struct RetryArgs {
    /// Token of a bot user who may write to all projects. The other token then only reads.
    #[arg(long, value_name = "TOKEN")]
    write_token: Option<String>,
    /// Share of the retries that pass after a failure of the infrastructure, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    retries_pass: f64,
    /// Share of the writes whose answer is lost although they were carried out, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    lost_answers: f64,
}

/// Reasons of failures that say nothing about the job.
const INFRASTRUCTURE: [&str; 4] = [
    "runner_system_failure",
    "stuck_or_timeout_failure",
    "api_failure",
    "scheduler_failure",
];

/// Faults to inject.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Faults")]
struct FaultArgs {
    /// Share of requests with a fault, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    faults: f64,
    /// Kind of the faults; can be repeated. Default: all kinds.
    #[arg(long = "fault-kind", value_name = "KIND", value_parser = fault_names())]
    fault_kinds: Vec<String>,
    /// Delay of every answer.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    latency: Duration,
    /// Maximum number of requests per minute; more are answered with 429.
    #[arg(long, value_name = "REQUESTS")]
    rate_limit: Option<u32>,
    /// Answer requests for GraphQL with 404.
    #[arg(long)]
    no_graphql: bool,
    /// Highest score of a GraphQL query.
    #[arg(long, value_name = "SCORE", default_value_t = 250)]
    graphql_score: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    serve(Arguments::parse(), &mut io::stdout()).await
}

/// Serves until Ctrl-C, SIGTERM or SIGHUP.
async fn serve(args: Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let gitlab = start(args.options())
        .await
        .with_context(|| format!("cannot listen on {}", args.listen_address))?;
    args.apply_faults(&gitlab);
    args.apply_retries(&gitlab);
    writeln!(out, "Simulated GitLab on {}", gitlab.url())?;
    writeln!(out, "  token     {}", gitlab.token())?;
    writeln!(out, "  scenario  {} (seed {})", args.scenario, args.seed)?;
    writeln!(out, "  group     acme")?;
    writeln!(out, "  truth     {}/-/truth", gitlab.url())?;
    out.flush()?;
    tokio::select! {
        interrupted = ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    gitlab.shutdown().await;
    Ok(())
}

impl Arguments {
    fn options(&self) -> Options {
        let clock = Arc::new(SystemClock);
        let mut pace = Pace::catching_up(clock, self.behind, self.speed);
        pace.catches_up = !self.overtake;
        Options {
            listen: self.listen_address,
            prefix: self.prefix.clone(),
            token: self.token.clone(),
            scenario: Scenario::named(&self.scenario),
            seed: self.seed,
            pace,
            release: Release::default(),
            hooks: self.webhook_url.clone().map(|url| HookTarget {
                url,
                token: self.webhook_token.clone(),
            }),
        }
    }

    fn apply_retries(&self, gitlab: &Handle) {
        let retries = &self.retries;
        gitlab.faults(|faults| faults.writes.probability = retries.lost_answers);
        gitlab.with(|world| {
            for reason in INFRASTRUCTURE {
                world.recover_on_retry(reason, retries.retries_pass);
            }
            if let Some(token) = &retries.write_token {
                let bot = world.add_user("recovery-bot", Role::Maintainer);
                world.add_token(token, bot, &[Scope::Api]);
                world.add_token(&self.token, 1, &[Scope::ReadApi]);
            }
        });
    }

    fn apply_faults(&self, gitlab: &Handle) {
        let named = &self.faults.fault_kinds;
        let chosen = |fault: &Fault| named.iter().any(|n| n == fault.as_str());
        gitlab.with(|world| world.set_status_lag(self.status_lag));
        gitlab.faults(|faults| {
            faults.probability = self.faults.faults;
            if !named.is_empty() {
                faults.kinds = Fault::VARIANTS.iter().copied().filter(chosen).collect();
            }
            faults.latency = self.faults.latency;
            faults.limit_rate(self.faults.rate_limit);
            faults.graphql.switched_off = self.faults.no_graphql;
            faults.graphql.max_score = self.faults.graphql_score;
        });
    }
}

fn scenario_names() -> PossibleValuesParser {
    PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name))
}

fn fault_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Fault::VARIANTS.iter().map(|fault| fault.as_str()))
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("a share is a number between 0 and 1".to_owned())
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=100_000.0).contains(&factor) {
        Ok(factor)
    } else {
        Err("a factor is a number between 0 and 100000".to_owned())
    }
}

fn after_help() -> String {
    let mut text = "Scenarios:\n".to_owned();
    for scenario in &SCENARIOS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<20} {}", scenario.name, scenario.about);
    }
    text.push_str(
        "\nFurther routes:
  GET /-/truth                 the figures that an exporter should show for every job
  POST /-/advance?seconds=N    moves simulated time forward
  POST /-/outage?kind=KIND     injects a fault into every request, until POST /-/outage
  POST /-/recover?reason=R&share=S
                               lets a share of the retries after failures with this reason pass
  GET /-/actions               what clients did through the API, and the retries of every failed attempt

Example:
  gitlab-simulator --scenario flaky --faults 0.1
  GITLAB_TOKEN=glpat-simulated job-failure-exporter --group acme --gitlab.url http://127.0.0.1:8929",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, String> {
        let line = std::iter::once(&"gitlab-simulator").chain(words);
        Arguments::try_parse_from(line).map_err(|error| error.to_string())
    }

    #[test]
    fn without_flags_it_plays_the_demo_without_faults() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.options().scenario.unwrap().name, "demo");
        assert_eq!(args.behind, Duration::from_mins(20));
        assert!(args.options().pace.catches_up);
        assert!(args.faults.faults.abs() < f64::EPSILON);
    }

    #[test]
    fn an_unknown_scenario_is_refused_with_the_known_ones() {
        let refused = parse(&["--scenario", "doom"]).unwrap_err();
        assert!(refused.contains("breaks-and-is-fixed"), "{refused}");
    }

    #[test]
    fn a_share_above_one_is_refused() {
        let refused = parse(&["--faults", "2"]).unwrap_err();
        assert!(refused.contains("between 0 and 1"), "{refused}");
    }

    #[tokio::test]
    async fn with_a_write_token_the_other_one_only_reads() {
        let line = [
            "--listen-address",
            "127.0.0.1:0",
            "--write-token",
            "glpat-write",
        ];
        let args = parse(&line).unwrap();
        let gitlab = start(args.options()).await.unwrap();
        args.apply_retries(&gitlab);
        let status = async |token: &str| {
            let url = format!("{}/api/v4/projects/1/jobs/1/retry", gitlab.url());
            let request = reqwest::Client::new().post(url).bearer_auth(token);
            request.send().await.unwrap().status().as_u16()
        };
        assert_eq!(status("glpat-write").await, 404);
        assert_eq!(status(gitlab.token()).await, 403);
        gitlab.shutdown().await;
    }

    #[tokio::test]
    async fn the_requested_faults_are_injected() {
        let line = [
            "--listen-address",
            "127.0.0.1:0",
            "--faults",
            "1",
            "--fault-kind",
            "bad-gateway",
        ];
        let args = parse(&line).unwrap();
        let gitlab = start(args.options()).await.unwrap();
        args.apply_faults(&gitlab);
        let user = format!("{}/api/v4/user", gitlab.url());
        assert_eq!(reqwest::get(user).await.unwrap().status(), 502);
        gitlab.shutdown().await;
    }
}
