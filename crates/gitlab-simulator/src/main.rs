//! Serves a simulated GitLab until somebody ends it.

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
    DEFAULT_TOKEN, Fault, Handle, HookTarget, Options, Pace, SCENARIOS, Scenario, start,
};

use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A simulated GitLab, to try things on.
#[derive(Debug, Clone, Parser)]
#[command(name = "gitlab-simulator", version, after_help = after_help())]
struct Arguments {
    /// Address to serve on; port 0 takes a free one.
    #[arg(
        long = "listen-address",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8929"
    )]
    listen_address: SocketAddr,
    /// Path before /api/v4, as of a GitLab below a relative URL.
    #[arg(long, value_name = "PATH", default_value = "")]
    prefix: String,
    /// Token that requests must carry.
    #[arg(long, value_name = "TOKEN", default_value = DEFAULT_TOKEN)]
    token: String,
    /// What happens there.
    #[arg(long, value_name = "NAME", default_value = "demo", value_parser = scenario_names())]
    scenario: String,
    /// Decides everything that is random.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How long ago simulated time starts.
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = duration::parse)]
    behind: Duration,
    /// Simulated seconds per second, until the present is reached.
    #[arg(long, value_name = "FACTOR", default_value_t = 60.0, value_parser = factor)]
    speed: f64,
    /// Keep that speed when the present is reached, into the future.
    #[arg(long)]
    overtake: bool,
    /// How long the status of a pipeline lags behind its jobs.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    status_lag: Duration,
    /// Where job and pipeline webhooks are sent, such as <http://127.0.0.1:10141/hooks/gitlab>.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Their secret token.
    #[arg(long, value_name = "TOKEN", default_value = "hook-simulated")]
    webhook_token: String,
    /// What goes wrong on purpose.
    #[command(flatten)]
    faults: FaultArgs,
}

/// What goes wrong on purpose.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Faults")]
struct FaultArgs {
    /// Share of the requests that go wrong, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    faults: f64,
    /// How they go wrong; can be repeated, all kinds where not given.
    #[arg(long = "fault-kind", value_name = "KIND", value_parser = fault_names())]
    fault_kinds: Vec<String>,
    /// Time that every answer takes.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    latency: Duration,
    /// Requests allowed in a minute; more are answered with 429.
    #[arg(long, value_name = "REQUESTS")]
    rate_limit: Option<u32>,
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

/// Serves until Ctrl-C, SIGTERM, or the terminal goes away.
async fn serve(args: Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let gitlab = start(args.options())
        .await
        .with_context(|| format!("cannot listen on {}", args.listen_address))?;
    args.disturb(&gitlab);
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
            hooks: self.webhook_url.clone().map(|url| HookTarget {
                url,
                token: self.webhook_token.clone(),
            }),
        }
    }

    fn disturb(&self, gitlab: &Handle) {
        let named = &self.faults.fault_kinds;
        let chosen = |fault: &Fault| named.is_empty() || named.iter().any(|n| n == fault.as_str());
        gitlab.with(|world| world.set_status_lag(self.status_lag));
        gitlab.faults(|faults| {
            faults.probability = self.faults.faults;
            faults.kinds = Fault::ALL.into_iter().filter(chosen).collect();
            faults.latency = self.faults.latency;
            faults.limit_rate(self.faults.rate_limit);
        });
    }
}

fn scenario_names() -> PossibleValuesParser {
    PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name))
}

fn fault_names() -> PossibleValuesParser {
    PossibleValuesParser::new(Fault::ALL.map(Fault::as_str))
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("a share lies between 0 and 1".to_owned())
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if (0.0..=100_000.0).contains(&factor) {
        Ok(factor)
    } else {
        Err("a factor lies between 0 and 100000".to_owned())
    }
}

fn after_help() -> String {
    let mut text = "Scenarios:\n".to_owned();
    for scenario in &SCENARIOS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<20} {}", scenario.name, scenario.about);
    }
    text.push_str(
        "\nBesides the API it serves GET /-/truth, what an exporter ought to say of every job,
POST /-/advance?seconds=N, which lets simulated time pass at once, and
POST /-/outage?kind=KIND, which makes every request go wrong until POST /-/outage.

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
    fn without_flags_it_plays_the_demo_and_nothing_goes_wrong() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.options().scenario.unwrap().name, "demo");
        assert_eq!(args.behind, Duration::from_mins(20));
        assert!(args.options().pace.catches_up);
        assert!(args.faults.faults.abs() < f64::EPSILON);
    }

    #[test]
    fn a_scenario_that_does_not_exist_is_refused_with_those_that_do() {
        let refused = parse(&["--scenario", "doom"]).unwrap_err();
        assert!(refused.contains("breaks-and-is-fixed"), "{refused}");
    }

    #[test]
    fn a_share_above_one_is_refused() {
        let refused = parse(&["--faults", "2"]).unwrap_err();
        assert!(refused.contains("between 0 and 1"), "{refused}");
    }

    #[tokio::test]
    async fn the_faults_asked_for_are_those_that_happen() {
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
        args.disturb(&gitlab);
        let user = format!("{}/api/v4/user", gitlab.url());
        assert_eq!(reqwest::get(user).await.unwrap().status(), 502);
        gitlab.shutdown().await;
    }
}
