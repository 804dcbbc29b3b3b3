//! Requests of polling: an idle and a busy hour, the first start and restarts, by GraphQL, by REST and with webhooks. Prints one
//! table, and fails if a budget is exceeded.
//!
//! `REQUESTS_PROJECTS=200` measures that many projects only, `REQUESTS_ONLY=busy` only scenarios with this word:
//! `idle`, `busy`, `start`, `restart`, or `kinds` of projects.

use std::fmt;
use std::process::ExitCode;

use job_failure_exporter::config::Api;
use testkit::economy;
use testkit::environment::variable;
use testkit::figures::figure;
use testkit::first_start::first_start;
use testkit::usual_hour::{Way, usual_hour};

/// Projects that are measured unless the environment says otherwise.
const PROJECTS: &str = "200,1000,5000";

/// Most seconds until the newest pipelines of 1,000 projects are read.
const LONGEST_START: u64 = 240;

/// By REST, the first start is measured with no more projects: it takes hours.
const MOST_STARTED_BY_REST: usize = 200;

/// Sweeps in an hour.
const SWEEPS: usize = 120;

/// Most requests of an hour of 1,000 projects of which 5 % are busy.
const BUSY_HOUR: usize = 3_000;

/// The sweeps alone of fewer projects need more than their share of it, and webhooks of few projects have none to wait for.
const FEWEST_BUDGETED: usize = 200;
const FEWEST_HOOKED: usize = 1000;

/// A row of the table.
struct Row {
    scenario: &'static str,
    projects: usize,
    way: Way,
    requests: usize,
    seconds: u64,
    budget: Option<Budget>,
}

/// What must not be exceeded.
struct Budget {
    words: String,
    is_kept: bool,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scenario,
            projects,
            way,
            requests,
            seconds,
            ..
        } = self;
        let each = *requests as f64 / *projects as f64;
        let budget = self.budget.as_ref();
        let budget = budget.map_or_else(String::new, |budget| {
            let verdict = if budget.is_kept { "kept" } else { "exceeded" };
            format!("{}: {verdict}", budget.words)
        });
        write!(
            f,
            "| {scenario} | {projects} | {way} | {requests} | {each:.2} | {seconds} | {budget} |"
        )
    }
}

impl Row {
    fn report(&self) {
        let Self {
            scenario,
            projects,
            way,
            requests,
            seconds,
            budget,
        } = self;
        figure(
            &format!("{scenario} of {projects} projects, {way}"),
            format!("{requests} requests in {seconds} s"),
            budget.as_ref().map_or("-", |budget| &budget.words),
        );
    }
}

pub(crate) async fn run() -> ExitCode {
    let sizes = variable("REQUESTS_PROJECTS").unwrap_or_else(|| PROJECTS.to_owned());
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.parse().unwrap()).collect();
    let only = variable("REQUESTS_ONLY").unwrap_or_default();
    println!("| scenario | projects | by | requests | a project | seconds | budget |");
    println!("| --- | ---: | --- | ---: | ---: | ---: | --- |");
    let mut all_kept = true;
    for projects in sizes {
        for scenario in ["idle hour", "busy hour", "first start"] {
            if !scenario.contains(&only) {
                continue;
            }
            for way in [Way::Graphql, Way::Rest, Way::Hooks] {
                let row = match scenario {
                    "first start" => start(way, projects).await,
                    _ => Some(hour(scenario, way, projects).await),
                };
                let Some(row) = row else { continue };
                println!("{row}");
                row.report();
                all_kept &= row.budget.is_none_or(|budget| budget.is_kept);
            }
        }
    }
    if "restart".contains(&*only) {
        super::restart::run();
    }
    if "kinds".contains(&*only) {
        let by_rest = economy::hour(Api::Rest).await;
        let by_graphql = economy::hour(Api::Auto).await;
        print!("\nOf 200 projects by REST:\n\n{}", by_rest.table());
        print!("\nThe same by GraphQL:\n\n{}", by_graphql.table());
        by_rest.is_within_the_budget();
        by_graphql.is_swept();
    }
    if all_kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn hour(scenario: &'static str, way: Way, projects: usize) -> Row {
    let is_busy = scenario == "busy hour";
    let hour = usual_hour(way, is_busy, projects).await;
    eprintln!(
        "{scenario}, {projects} projects, {way}: {:?}; known at the latest: {:?}",
        hour.by_endpoint, hour.latest
    );
    let budget = match (way, is_busy) {
        (Way::Graphql, false) => {
            let most = SWEEPS * projects.div_ceil(50);
            Some(Budget {
                words: format!("sweeps {} of {most}", hour.sweeps()),
                is_kept: hour.sweeps() <= most,
            })
        }
        (Way::Graphql | Way::Hooks, true) => {
            let fewest = if way == Way::Hooks {
                FEWEST_HOOKED
            } else {
                FEWEST_BUDGETED
            };
            let most = BUSY_HOUR * projects.max(fewest) / 1000;
            Some(Budget {
                words: format!("{most}"),
                is_kept: hour.requests() < most,
            })
        }
        (Way::Rest, _) | (Way::Hooks, false) => None,
    };
    Row {
        scenario,
        projects,
        way,
        requests: hour.requests(),
        seconds: 3600,
        budget,
    }
}

/// Webhooks make no difference to a first start.
async fn start(way: Way, projects: usize) -> Option<Row> {
    let is_too_slow = way == Way::Rest && projects > MOST_STARTED_BY_REST;
    if way == Way::Hooks || is_too_slow {
        return None;
    }
    let start = first_start(way.api(), projects).await;
    assert_eq!(start.shown, projects);
    let budget = (way == Way::Graphql).then(|| {
        let most = LONGEST_START * projects.div_ceil(1000) as u64;
        Budget {
            words: format!("{most} s"),
            is_kept: start.seconds < most,
        }
    });
    Some(Row {
        scenario: "first start",
        projects,
        way,
        requests: start.requests,
        seconds: start.seconds,
        budget,
    })
}
