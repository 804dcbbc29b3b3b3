//! What the alert rules and the dashboards cost a real Prometheus.
//!
//! `make bench-rules`, or `cargo test --test soak -- rules`. `CONTRIBUTING.md` lists the options.

mod evaluation;
mod grafana;
mod history;
mod panels;
mod prometheus;
mod remote_write;
mod report;
mod series;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ci_history::duration;
use testkit::company::{self, Exporter, Scene};
use testkit::environment::variable;
use tokio::time::Instant;

use self::evaluation::{Cost, Rules, measure, settle};
use self::panels::PanelCost;
use self::prometheus::Prometheus;
use self::series::Series;

/// Exporters that share the projects.
const SHARDS: u64 = 2;

/// Rules and dashboards that are measured together.
struct Shipped {
    rules: PathBuf,
    dashboards: PathBuf,
}

/// What was measured of one of them.
struct Measured {
    title: String,
    scenes: Vec<(Scene, Cost)>,
    panels: Vec<PanelCost>,
}

struct Options {
    replicas: usize,
    time: Duration,
    with_mass_failure: bool,
    with_dashboards: bool,
}

/// The shipped ones, or those of `BENCH_RULES` and `BENCH_DASHBOARDS`.
fn shipped() -> Vec<Shipped> {
    let ours = || {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("alert-rules")
            .display()
            .to_string()
    };
    let one = |rules: &str| {
        let rules = PathBuf::from(rules);
        let beside = || rules.with_file_name("dashboards");
        Shipped {
            dashboards: variable("BENCH_DASHBOARDS").map_or_else(beside, PathBuf::from),
            rules,
        }
    };
    let rules = variable("BENCH_RULES").unwrap_or_else(ours);
    rules.split(',').map(one).collect()
}

pub(crate) async fn run() -> ExitCode {
    let sizes = variable("BENCH_JOBS").unwrap_or_else(|| "2000,20000".to_owned());
    let only = variable("BENCH_ONLY");
    let options = Options {
        replicas: variable("BENCH_REPLICAS")
            .map_or(1, |text| text.parse().expect("BENCH_REPLICAS is a number")),
        time: duration::parse(&variable("BENCH_FOR").unwrap_or_else(|| "90s".to_owned()))
            .expect("BENCH_FOR is a duration such as 90s"),
        with_mass_failure: matches!(only.as_deref(), None | Some("rules")),
        with_dashboards: matches!(only.as_deref(), None | Some("dashboards")),
    };
    let mut has_failed = false;
    for size in sizes.split(',') {
        let jobs = size
            .trim()
            .parse()
            .expect("BENCH_JOBS are numbers such as 2000,20000");
        let mut all = Vec::new();
        for shipped in shipped() {
            all.push(one(&shipped, jobs, &options).await);
        }
        report::print(jobs, &all);
        // The columns before it are there for comparison.
        for fault in report::faults(jobs, all.last().unwrap()) {
            println!("\nFAILED: {fault}");
            has_failed = true;
        }
    }
    if has_failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

impl Measured {
    fn cost(&self, scene: Scene) -> Option<&Cost> {
        let found = self.scenes.iter().find(|(it, _)| *it == scene);
        found.map(|(_, cost)| cost)
    }
}

/// Tells how far it is.
struct Progress {
    start: Instant,
    title: String,
}

impl Progress {
    fn tell(&self, what: &str) {
        eprintln!(
            "{:5.0} s  {}: {what}",
            self.start.elapsed().as_secs_f64(),
            self.title
        );
    }
}

async fn one(shipped: &Shipped, jobs: u64, options: &Options) -> Measured {
    let progress = Progress {
        start: Instant::now(),
        title: format!("{jobs} jobs, {}", shipped.rules.display()),
    };
    let exporters = company::start(jobs, SHARDS, options.replicas).await;
    let (scenes, recorded) = evaluate(shipped, &exporters, options, &progress).await;
    let mut panels = Vec::new();
    if options.with_dashboards {
        for exporter in &exporters {
            exporter.show(Scene::Usual);
        }
        panels = query(shipped, &exporters, &recorded, &progress).await;
    }
    Measured {
        title: shipped.rules.display().to_string(),
        scenes,
        panels,
    }
}

/// Costs of the scenes, and the recorded series of the usual one.
async fn evaluate(
    shipped: &Shipped,
    exporters: &[Exporter],
    options: &Options,
    progress: &Progress,
) -> (Vec<(Scene, Cost)>, Vec<Series>) {
    let prometheus = Prometheus::start(&prometheus::program()).await;
    progress.tell("writing the last minutes");
    history::recent(&prometheus, exporters).await;
    let rules = Rules::copy(&shipped.rules);
    let targets: Vec<_> = exporters.iter().map(Exporter::address).collect();
    prometheus.configure(&targets, None).await;
    progress.tell("measuring scrapes");
    let idle_cpu = evaluation::idle(&prometheus).await;
    prometheus.configure(&targets, Some(rules.path())).await;
    let mut scenes = Vec::new();
    let mut recorded = Vec::new();
    for scene in [Scene::Usual, Scene::MassFailure] {
        if scene == Scene::MassFailure {
            if !options.with_mass_failure {
                break;
            }
            for exporter in exporters {
                exporter.show(scene);
            }
        }
        progress.tell(&format!(
            "{scene:?}: waiting until every group was evaluated twice"
        ));
        settle(&prometheus, &rules, 2.0).await;
        progress.tell(&format!("{scene:?}: measuring"));
        let mut cost = measure(&prometheus, &rules, options.time).await;
        cost.idle_cpu = idle_cpu;
        if scene == Scene::Usual && options.with_dashboards {
            recorded = snapshot(&prometheus, &cost, shipped).await;
        }
        scenes.push((scene, cost));
    }
    (scenes, recorded)
}

/// The recorded series and alerts that the dashboards select, as they are now.
async fn snapshot(prometheus: &Prometheus, cost: &Cost, shipped: &Shipped) -> Vec<Series> {
    let selected = grafana::selected(&grafana::boards(&shipped.dashboards));
    let alerts = [
        "ALERTS".to_owned(),
        "ALERTS_FOR_STATE".to_owned(),
        "up".to_owned(),
    ];
    let mut all = Vec::new();
    for name in cost.recorded.keys().chain(&alerts) {
        if selected.names.contains(name) {
            let result = prometheus.query(name).await;
            all.extend(result.iter().map(Series::answered).map(firing));
        }
    }
    all
}

/// An alert as it is after its `for`.
fn firing(mut series: Series) -> Series {
    for (name, value) in &mut series.labels {
        if name == "alertstate" {
            "firing".clone_into(value);
        }
    }
    series
}

async fn query(
    shipped: &Shipped,
    exporters: &[Exporter],
    recorded: &[Series],
    progress: &Progress,
) -> Vec<PanelCost> {
    let boards = grafana::boards(&shipped.dashboards);
    let prometheus = Prometheus::start(&prometheus::program()).await;
    progress.tell("writing a day for the dashboards");
    let selected = grafana::selected(&boards);
    let (series, end) = history::day(&prometheus, exporters, recorded, &selected).await;
    progress.tell(&format!(
        "asking for the panels; {series} series at any time"
    ));
    let panels = panels::ask(&prometheus, &boards, end).await;
    progress.tell("done");
    panels
}
