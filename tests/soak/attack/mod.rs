//! Load on the server by clients that mean harm, and what scrapes, probes and publishing notice of it.
//!
//! `cargo test --release --test soak -- attack`; fails if a figure exceeds its budget. `ATTACK_JOBS=20000` sets the
//! number of jobs, `ATTACK_FOR=10s` the seconds of each attack.

mod client;
mod target;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ci_history::duration;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;

use self::client::{ask, idle, narrow};
use self::target::{Target, publish};

/// Budget of a search in a release build.
const SEARCH: Duration = Duration::from_millis(50);

/// Budget of a scrape or probe under attack.
const THROUGH: Duration = Duration::from_secs(1);

/// Budget of publishing one timeline under attack.
const PUBLISHED: Duration = Duration::from_millis(100);

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
    published: Duration,
    failed: usize,
    memory: usize,
}

pub(crate) async fn run() -> ExitCode {
    let jobs = std::env::var("ATTACK_JOBS").map_or(200_000, |jobs| jobs.parse().unwrap());
    let lasting = std::env::var("ATTACK_FOR").map_or_else(
        |_| Duration::from_secs(10),
        |text| duration::parse(&text).unwrap(),
    );
    let target = Arc::new(Target::start(jobs).await);
    println!("{jobs} jobs");
    let mut kept = searches(&target).await;
    println!(
        "\n| attack | scrape | probe | publish | unanswered | memory |\n| --- | --- | --- | --- | --- | --- |"
    );
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
        let noticed = under(&target, attack, lasting).await;
        println!("| {name} | {noticed}");
        kept &= noticed.is_within_budget(attack);
    }
    if kept {
        ExitCode::SUCCESS
    } else {
        println!("a budget is exceeded");
        ExitCode::FAILURE
    }
}

/// Times of single searches.
async fn searches(target: &Target) -> bool {
    println!("\n| request | status | median of 9 |\n| --- | --- | --- |");
    let words = "j+".repeat(1900);
    let mut kept = true;
    for (name, path) in [
        ("all jobs", "/".to_owned()),
        ("a search", format!("{SEARCH_PATH}&offset=1")),
        ("a search for eight words", "/?q=s+e+r+v+i+c+m+a".to_owned()),
        ("a search that finds nothing", "/?q=zebra".to_owned()),
        ("1000 jobs", LARGE_PATH.to_owned()),
        ("a search for 1900 words", format!("/?q={words}")),
    ] {
        let mut times = Vec::new();
        let mut status = None;
        for _ in 0..9 {
            let (answered, took) = ask(target.address, &path, true).await;
            status = answered;
            times.push(took);
        }
        times.sort();
        println!("| {name} | {} | {:.1?} |", status.unwrap_or(0), times[4]);
        kept &= cfg!(debug_assertions) || times[4] < SEARCH;
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
async fn under(target: &Arc<Target>, attack: Attack, lasting: Duration) -> Noticed {
    let before = resident_bytes();
    let mut clients = JoinSet::new();
    let count = match attack {
        Attack::None => 0,
        Attack::Searches | Attack::Leavers => 64,
        _ => CONNECTIONS,
    };
    for _ in 0..count {
        let address = target.address;
        clients.spawn(async move {
            loop {
                Box::pin(one(address, attack)).await;
            }
        });
    }
    let ends = Instant::now() + lasting;
    let mut noticed = Noticed::default();
    let over = Arc::new(AtomicBool::new(false));
    let publishing = tokio::task::spawn_blocking({
        let (over, target) = (over.clone(), target.clone());
        move || publish_until(&target, &over)
    });
    while Instant::now() < ends {
        let (scrape, probe) = tokio::join!(
            ask(target.address, "/metrics", true),
            ask(target.address, "/-/healthy", false)
        );
        let failed = [scrape.0, probe.0]
            .into_iter()
            .filter(|it| *it != Some(200));
        noticed.failed += failed.count();
        noticed.scrape = noticed.scrape.max(scrape.1);
        noticed.probe = noticed.probe.max(probe.1);
        noticed.memory = noticed.memory.max(resident_bytes().saturating_sub(before));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    over.store(true, Ordering::Relaxed);
    noticed.published = publishing.await.unwrap();
    clients.shutdown().await;
    noticed
}

/// One turn of an attacker.
async fn one(address: std::net::SocketAddr, attack: Attack) {
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

async fn trickle(address: std::net::SocketAddr, path: &str) {
    let Some(mut stream) = narrow(address, path).await else {
        return;
    };
    let mut part = [0; 16 * 1024];
    while matches!(stream.read(&mut part).await, Ok(1..)) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Publishes one timeline after the other, and returns the longest time of one.
fn publish_until(target: &Target, over: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    for rows in target.company.timelines.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let begun = Instant::now();
        publish(&target.exposition, rows);
        longest = longest.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    longest
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

impl Noticed {
    fn is_within_budget(&self, attack: Attack) -> bool {
        // Without optimization, only that everybody gets through.
        let is_quick = cfg!(debug_assertions)
            || (self.scrape < THROUGH && self.probe < THROUGH && self.published < PUBLISHED);
        is_quick && self.failed == 0 && (attack == Attack::None || self.memory < MEMORY)
    }
}

impl std::fmt::Display for Noticed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let memory = self.memory >> 20;
        write!(
            f,
            "{:.0?} | {:.0?} | {:.1?} | {} | {memory} MiB |",
            self.scrape, self.probe, self.published, self.failed
        )
    }
}
