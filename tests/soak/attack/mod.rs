//! Load on an exporter by clients that mean harm, and what scrapes, probes and polling notice of it.
//!
//! `cargo test --release --test soak -- attack`; fails if a figure of this exporter exceeds its budget.
//! `SCALE_JOBS=20000` sets the number of jobs, `SCALE_BEFORE=/path` another exporter, which is attacked first,
//! `ATTACK_FOR=10s` the time of each attack.

mod client;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ci_history::duration;
use gitlab_simulator::Handle;
use testkit::daemon::Daemon;
use testkit::environment::variable;
use testkit::figures::{figure_of, median};
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use self::client::{ask, idle, narrow};
use crate::scene::{Exporter, Scene, exporters};

/// Budget of a search in a release build.
const SEARCH: Duration = Duration::from_millis(50);

/// Budget of a scrape or probe under attack.
const THROUGH: Duration = Duration::from_secs(1);

/// Least part of the usual requests that the exporter still sends to GitLab under attack.
const POLLED: f64 = 0.5;

/// Budget of the memory that an attack takes.
const MEMORY: usize = 160 << 20;

/// Connections of an attacker. As many as are served.
const CONNECTIONS: usize = 256;

/// One search for many, as many of the largest answers as there can be.
const SEARCH_PATH: &str = "/api/v1/jobs?q=service+main&limit=100";
const LARGE_PATH: &str = "/api/v1/jobs?limit=1000";

/// What others noticed of an attack.
#[derive(Default)]
struct Noticed {
    scrape: Duration,
    probe: Duration,
    requests: usize,
    unanswered: usize,
    memory: usize,
}

pub(crate) async fn run() -> ExitCode {
    let scene = Scene::build().await;
    let mut kept = true;
    for exporter in exporters() {
        let place = scene.place(&exporter);
        let daemon = place.start().await;
        scene.is_shown_by(daemon.address()).await;
        let within = attacks(&scene.gitlab, &daemon, &exporter).await;
        kept &= within || !exporter.is_ours;
        daemon.kill().await;
    }
    if kept {
        ExitCode::SUCCESS
    } else {
        println!("a budget is exceeded");
        ExitCode::FAILURE
    }
}

/// Whether the exporter stands all attacks, one after the other.
async fn attacks(gitlab: &Handle, daemon: &Daemon, exporter: &Exporter) -> bool {
    let lasting = variable("ATTACK_FOR").map_or_else(
        || Duration::from_secs(10),
        |text| duration::parse(&text).unwrap(),
    );
    let mut kept = searches(daemon.address(), exporter).await;
    println!(
        "\n| exporter | attack | scrape | probe | requests to GitLab | unanswered | memory |\n\
         | --- | --- | --- | --- | --- | --- | --- |"
    );
    let mut usual = 0;
    for (name, attack) in [
        ("none", Attack::None),
        ("64 clients that search without end", Attack::Searches),
        ("64 clients that search and go away", Attack::Leavers),
        ("256 idle connections", Attack::Idle),
        ("256 clients that read nothing of a page", Attack::Deaf),
        ("256 clients that read a page slowly", Attack::Slow),
        (
            "256 clients that read the metrics slowly",
            Attack::SlowScrapes,
        ),
    ] {
        let noticed = under(gitlab, daemon, attack, lasting).await;
        println!("| {} | {name} | {noticed}", exporter.name);
        let slower = noticed.scrape.max(noticed.probe);
        figure_of(
            exporter.name,
            &format!("slowest scrape or probe; attack: {name}"),
            format!("{slower:.0?}, {} unanswered", noticed.unanswered),
            format!("{THROUGH:.0?}"),
        );
        if attack == Attack::None {
            usual = noticed.requests;
        }
        kept &= noticed.is_within_budget(attack, usual);
    }
    kept
}

/// Times of single searches.
async fn searches(address: SocketAddr, exporter: &Exporter) -> bool {
    println!("\n| exporter | request | status | median of 9 |\n| --- | --- | --- | --- |");
    let words = "j+".repeat(1900);
    let mut kept = true;
    for (name, path) in [
        ("all jobs", "/".to_owned()),
        ("a search", format!("{SEARCH_PATH}&offset=1")),
        ("a search for eight words", "/?q=s+e+r+v+i+c+m+a".to_owned()),
        ("a search that finds nothing", "/?q=zebra".to_owned()),
        ("a search for a team", "/?q=TEAM-7".to_owned()),
        ("all jobs by team", "/?sort=team".to_owned()),
        ("1000 jobs", LARGE_PATH.to_owned()),
        ("a search for 1900 words", format!("/?q={words}")),
    ] {
        let mut times = Vec::new();
        let mut status = None;
        for _ in 0..9 {
            let (answered, took) = ask(address, &path, true).await;
            status = answered;
            times.push(took);
        }
        let took = median(times);
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        println!("| {} | {name} | {status} | {took:.1?} |", exporter.name);
        figure_of(
            exporter.name,
            &format!("request: {name}"),
            format!("{took:.0?}, status {status}"),
            format!("{SEARCH:.0?}"),
        );
        kept &= cfg!(debug_assertions) || took < SEARCH;
    }
    kept
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attack {
    None,
    /// Clients that search without end.
    Searches,
    /// The same, and go away before the answer.
    Leavers,
    /// Connections without a request, as many as are served.
    Idle,
    /// Clients that do not read their large answers.
    Deaf,
    /// Clients that read a little of a large answer now and then.
    Slow,
    /// The same with metrics.
    SlowScrapes,
}

/// Attacks for a while, and measures beside it.
async fn under(gitlab: &Handle, daemon: &Daemon, attack: Attack, lasting: Duration) -> Noticed {
    let address = daemon.address();
    let before = daemon.resident_bytes();
    let requests = gitlab.requests().len();
    let mut clients = JoinSet::new();
    let count = match attack {
        Attack::None => 0,
        Attack::Searches | Attack::Leavers => 64,
        _ => CONNECTIONS,
    };
    for _ in 0..count {
        clients.spawn(async move {
            loop {
                Box::pin(one(address, attack)).await;
            }
        });
    }
    let ends = Instant::now() + lasting;
    let mut noticed = Noticed::default();
    while Instant::now() < ends {
        let (scrape, probe) = tokio::join!(
            ask(address, "/metrics", true),
            ask(address, "/-/healthy", false)
        );
        let failed = [scrape.0, probe.0]
            .into_iter()
            .filter(|it| *it != Some(200));
        noticed.unanswered += failed.count();
        noticed.scrape = noticed.scrape.max(scrape.1);
        noticed.probe = noticed.probe.max(probe.1);
        let memory = daemon.resident_bytes().saturating_sub(before);
        noticed.memory = noticed.memory.max(memory);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    noticed.requests = gitlab.requests().len() - requests;
    clients.shutdown().await;
    noticed
}

/// One turn of an attacker.
async fn one(address: SocketAddr, attack: Attack) {
    match attack {
        Attack::None => std::future::pending().await,
        Attack::Searches => drop(ask(address, SEARCH_PATH, true).await),
        Attack::Leavers => {
            let stream = narrow(address, SEARCH_PATH).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(stream);
        }
        Attack::Idle => {
            if let Some(mut stream) = idle(address).await {
                // Until the server closes it.
                stream.read_u8().await.ok();
            }
        }
        Attack::Deaf => {
            let stream = narrow(address, LARGE_PATH).await;
            tokio::time::sleep(Duration::from_secs(30)).await;
            drop(stream);
        }
        Attack::Slow => Box::pin(trickle(address, LARGE_PATH)).await,
        Attack::SlowScrapes => Box::pin(trickle(address, "/metrics")).await,
    }
}

async fn trickle(address: SocketAddr, path: &str) {
    let Some(mut stream) = narrow(address, path).await else {
        return;
    };
    let mut part = [0; 16 * 1024];
    while matches!(stream.read(&mut part).await, Ok(1..)) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

impl Noticed {
    fn is_within_budget(&self, attack: Attack, usual_requests: usize) -> bool {
        // Without optimization, only that everybody gets through.
        let is_quick = cfg!(debug_assertions) || (self.scrape < THROUGH && self.probe < THROUGH);
        let polls = self.requests as f64 >= usual_requests as f64 * POLLED;
        is_quick
            && polls
            && self.unanswered == 0
            && (attack == Attack::None || self.memory < MEMORY)
    }
}

impl std::fmt::Display for Noticed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let memory = self.memory >> 20;
        write!(
            f,
            "{:.0?} | {:.0?} | {} | {} | {memory} MiB |",
            self.scrape, self.probe, self.requests, self.unanswered
        )
    }
}
