//! `simulate-gitlab`: serve a simulated GitLab until somebody ends it.

use std::fmt::Write as _;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::interrupt::Interrupts;
use crate::clock::SystemClock;
use crate::config::duration;
use crate::simulator::{
    self, DEFAULT_TOKEN, Fault, Handle, HookTarget, Options, Pace, SCENARIOS, Scenario,
};

/// Arguments of `simulate-gitlab`.
#[derive(Debug, Clone, Args)]
#[command(after_help = after_help())]
pub struct SimulateGitlabArgs {
    /// Address to serve on; port 0 takes a free one.
    #[arg(
        long = "listen-address",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8929"
    )]
    pub listen_address: SocketAddr,
    /// Path before /api/v4, as of a GitLab below a relative URL.
    #[arg(long, value_name = "PATH", default_value = "")]
    pub prefix: String,
    /// Token that requests must carry.
    #[arg(long, value_name = "TOKEN", default_value = DEFAULT_TOKEN)]
    pub token: String,
    /// What happens there.
    #[arg(long, value_name = "NAME", default_value = "demo", value_parser = scenario_names())]
    pub scenario: String,
    /// Decides everything that is random.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// How long ago simulated time starts.
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = duration::parse)]
    pub behind: Duration,
    /// Simulated seconds per second, until the present is reached.
    #[arg(long, value_name = "FACTOR", default_value_t = 60.0, value_parser = factor)]
    pub speed: f64,
    /// Keep that speed when the present is reached, into the future.
    #[arg(long)]
    pub overtake: bool,
    /// How long the status of a pipeline lags behind its jobs.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    pub status_lag: Duration,
    /// Where job and pipeline webhooks are sent, such as <http://127.0.0.1:10141/hooks/gitlab>.
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<String>,
    /// Their secret token.
    #[arg(long, value_name = "TOKEN", default_value = "hook-simulated")]
    pub webhook_token: String,
    /// What goes wrong on purpose.
    #[command(flatten)]
    pub faults: FaultArgs,
}

/// What goes wrong on purpose.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Faults")]
pub struct FaultArgs {
    /// Share of the requests that go wrong, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub faults: f64,
    /// How they go wrong; can be repeated, all kinds where not given.
    #[arg(long = "fault-kind", value_name = "KIND", value_parser = fault_names())]
    pub fault_kinds: Vec<String>,
    /// Time that every answer takes.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    pub latency: Duration,
    /// Requests allowed in a minute; more are answered with 429.
    #[arg(long, value_name = "REQUESTS")]
    pub rate_limit: Option<u32>,
}

/// Serves until interrupted.
///
/// # Errors
///
/// Where the address cannot be listened on.
pub async fn run(args: SimulateGitlabArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut interrupts = Interrupts::listen().context("cannot listen for signals")?;
    let gitlab = simulator::start(args.options())
        .await
        .with_context(|| format!("cannot listen on {}", args.listen_address))?;
    args.disturb(&gitlab);
    writeln!(out, "Simulated GitLab on {}", gitlab.url())?;
    writeln!(out, "  token     {}", gitlab.token())?;
    writeln!(out, "  scenario  {} (seed {})", args.scenario, args.seed)?;
    writeln!(out, "  group     acme")?;
    writeln!(out, "  truth     {}/-/truth", gitlab.url())?;
    out.flush()?;
    interrupts.wait().await;
    gitlab.shutdown().await;
    Ok(())
}

impl SimulateGitlabArgs {
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
  job-failure-exporter simulate-gitlab --scenario flaky --faults 0.1
  GITLAB_TOKEN=glpat-simulated job-failure-exporter --group acme --gitlab.url http://127.0.0.1:8929",
    );
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: SimulateGitlabArgs,
    }

    fn parse(words: &[&str]) -> Result<SimulateGitlabArgs, String> {
        let line = std::iter::once(&"simulate-gitlab").chain(words);
        match Line::try_parse_from(line) {
            Ok(line) => Ok(line.args),
            Err(error) => Err(error.to_string()),
        }
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
        let gitlab = simulator::start(args.options()).await.unwrap();
        args.disturb(&gitlab);
        let user = format!("{}/api/v4/user", gitlab.url());
        assert_eq!(reqwest::get(user).await.unwrap().status(), 502);
        gitlab.shutdown().await;
    }
}
