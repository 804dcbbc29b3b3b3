//! Whatever happens in GitLab: polling by GraphQL, polling by REST and webhooks end in equal documents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use gitlab_simulator::{CiStatus, Ending, Handle, Hook, JobPlan, Options, PipelinePlan, start};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use testkit::daemon::{Daemon, Place, holds, until_within};
use testkit::samples::Samples;
use testkit::truth::equal;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::sweeps::{histories, past_is_read};
use crate::webhooks::{deliver, place as hooked_place, polls_once_an_hour, waiting};

/// Each takes some seconds. `PROPTEST_CASES` tries more.
const CASES: u32 = 6;

/// So long all three may take to agree after something happened: webhooks of jobs that start wait behind others.
const PATIENCE: Duration = Duration::from_mins(1);

const PROJECTS: usize = 3;

const LAST_POLL: &str = "project_last_successful_poll_gitlab_timestamp_seconds";

/// How polling learns what moved.
const REST: &str = "api: rest";
const GRAPHQL: &str = "api: graphql";

/// Another watched branch.
const BRANCH: &str = "develop";

/// Something that happens in a project.
#[derive(Debug, Clone)]
enum Event {
    /// Jobs that pass or fail, and perhaps fail first and pass when they are retried.
    Pipeline(Vec<Fate>),
    /// A trigger job whose child pipeline has such a job.
    WithChild(Fate),
    /// Somebody retries the newest failed job, of a child pipeline too.
    Retry,
    /// Somebody deletes the oldest pipeline, which has ended.
    Delete,
    /// The same commit runs once more, on another branch.
    OnBranch(Fate),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    Fails,
    MayFail,
    /// GitLab retries it by itself.
    Flaky,
    Unfinished,
}

fn fates() -> impl Strategy<Value = Fate> {
    use Fate::{Fails, Flaky, MayFail, Passes, Unfinished};
    prop::sample::select(vec![Passes, Fails, MayFail, Flaky, Unfinished])
}

fn events() -> impl Strategy<Value = Vec<(usize, Event, u64)>> {
    let event = prop_oneof![
        3 => prop::collection::vec(fates(), 1..3).prop_map(Event::Pipeline),
        2 => fates().prop_map(Event::WithChild),
        2 => Just(Event::Retry),
        1 => Just(Event::Delete),
        1 => fates().prop_map(Event::OnBranch),
    ];
    prop::collection::vec((0..PROJECTS, event, 20..200_u64), 6..10)
}

fn job(name: &str, fate: Fate) -> JobPlan {
    let second = Duration::from_secs(1);
    match fate {
        Fate::Passes => JobPlan::passes(name),
        Fate::Fails => JobPlan::fails(name),
        Fate::MayFail => JobPlan::fails(name).allowed_to_fail(),
        Fate::Flaky => {
            let endings = [Ending::fails(), Ending::Passes];
            JobPlan::new(name, endings).retried(1)
        }
        Fate::Unfinished => JobPlan::passes(name).taking(second, 10_000 * second),
    }
}

/// Lets it happen.
fn happen(gitlab: &Handle, project: usize, event: &Event) {
    gitlab.with(|world| {
        let path = format!("acme/project-{project}");
        let id = world.project_by_path(&path).unwrap().id;
        let plan = match event {
            Event::Pipeline(fates) => {
                let jobs = fates.iter().enumerate();
                let jobs: Vec<_> = jobs.map(|(n, it)| job(&format!("job-{n}"), *it)).collect();
                PipelinePlan::new(jobs)
            }
            Event::WithChild(fate) => {
                let child = PipelinePlan::new([job("inner", *fate)]);
                PipelinePlan::new([JobPlan::passes("build"), JobPlan::triggers("child", child)])
            }
            Event::OnBranch(fate) => PipelinePlan::new([job("job-0", *fate)]).on(BRANCH),
            Event::Retry => {
                let pipelines: Vec<_> = world.visible_pipelines(id).map(|it| it.id).collect();
                let jobs = pipelines
                    .iter()
                    .flat_map(|pipeline| world.jobs_of(*pipeline));
                let failed = jobs.filter(|job| job.status == CiStatus::Failed && !job.is_bridge());
                if let Some(job) = failed.map(|job| job.id).max() {
                    // A later attempt may exist.
                    world.retry_job(job).ok();
                }
                return;
            }
            Event::Delete => {
                let ended = world
                    .visible_pipelines(id)
                    .filter(|it| it.status.is_terminal());
                if let Some(oldest) = ended.map(|it| it.id).min() {
                    world.delete_pipeline(oldest);
                }
                return;
            }
        };
        world.push_pipeline(id, plan);
    });
}

/// The three exporters.
struct Ways {
    daemons: [Daemon; 3],
    hooks: UnboundedReceiver<Hook>,
}

impl Ways {
    async fn deliver(&mut self) {
        let hooks: Vec<Hook> = waiting(&mut self.hooks);
        // In any order, and as few readings: simulated hours pass in real seconds.
        join_all(hooks.iter().map(|hook| deliver(&self.daemons[2], hook))).await;
    }

    /// Waits until all show the same, and the truth unless GitLab no longer has all that is known.
    async fn agree(&self, gitlab: &Handle, has_all: bool) {
        let truths = gitlab.truth();
        until_within(PATIENCE, "the same from all", async || {
            let mut pages: Vec<Samples> = Vec::new();
            for daemon in &self.daemons {
                pages.push(daemon.scrape().await);
            }
            for page in pages.iter().filter(|_| has_all) {
                // The truth is of default branches.
                equal(&page.without_ref(BRANCH), &truths)?;
            }
            let [by_graphql, by_rest, by_hooks] = [0, 1, 2].map(|it: usize| pages[it].kept());
            for (way, page) in [("GraphQL", by_graphql), ("webhooks", by_hooks)] {
                let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
                let (found, by_rest) = (lines(&page), lines(&by_rest));
                let only: Vec<_> = found.difference(&by_rest).collect();
                let missing: Vec<_> = by_rest.difference(&found).collect();
                holds(
                    found == by_rest,
                    format!("only by {way}: {only:#?}, only by REST: {missing:#?}"),
                )?;
            }
            Ok(())
        })
        .await;
    }
}

/// Waits until a poll of each project has begun and ended from now on.
async fn poll_once_more(gitlab: &Handle, daemon: &Daemon) {
    for _ in 0..2 {
        gitlab.advance(Duration::from_secs(5));
        let now = gitlab.with(|world| world.now().unix()) as f64;
        until_within(PATIENCE, "a poll of each project", async || {
            let samples = daemon.scrape().await;
            let polls = samples.of(LAST_POLL, &[]);
            let late = polls.iter().filter(|poll| poll.value >= now).count();
            holds(late == PROJECTS, daemon.log())
        })
        .await;
    }
}

/// `hooks_by`: the API of the exporter that webhooks tell.
async fn ends_equally(hooks_by: &str, events: Vec<(usize, Event, u64)>) {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| {
        for project in 0..PROJECTS {
            let id = world.create_project(&format!("acme/project-{project}"));
            world.push_pipeline(id, PipelinePlan::new([JobPlan::passes("job-0")]));
        }
    });
    gitlab.advance(Duration::from_mins(10));
    let watch = &format!("groups: [{{path: acme}}], refs: [default, {BRANCH}]");
    let places = [
        Place::new(gitlab.url(), watch),
        Place::new(gitlab.url(), watch),
        hooked_place(&gitlab, watch),
    ];
    places[0].reconfigure(REST, GRAPHQL);
    polls_once_an_hour(&places[2]);
    if hooks_by == GRAPHQL {
        // Only while sweeps are answered, running pipelines of which webhooks tell are read together.
        places[2].reconfigure(REST, GRAPHQL);
        places[2].reconfigure("interval: 1h, idle", "interval: 5s, idle");
    }
    for place in &places {
        place.configure_also("classification: {read_logs: false}");
    }
    let mut ways = Ways {
        daemons: [
            places[0].start().await,
            places[1].start().await,
            places[2].start().await,
        ],
        hooks: gitlab.hooks(),
    };
    for daemon in &ways.daemons {
        daemon.is_ready().await;
        past_is_read(daemon).await;
    }
    let mut has_all = true;
    for (project, event, seconds) in &events {
        if matches!(event, Event::Delete) {
            // Once it is deleted, those that have not read it cannot any more.
            for daemon in &ways.daemons[..2] {
                poll_once_more(&gitlab, daemon).await;
            }
            ways.deliver().await;
            ways.agree(&gitlab, has_all).await;
            has_all = false;
        }
        happen(&gitlab, *project, event);
        for _ in 0..2 {
            gitlab.advance(Duration::from_secs(*seconds));
            ways.deliver().await;
            ways.agree(&gitlab, has_all).await;
        }
    }
    for daemon in &ways.daemons[..2] {
        poll_once_more(&gitlab, daemon).await;
    }
    let [by_graphql, by_rest, by_hooks] = ways.daemons;
    by_graphql.stop().await;
    by_rest.stop().await;
    let wanted = histories(&places[1]);
    assert!(wanted.len() >= PROJECTS);
    same("GraphQL", &histories(&places[0]), &wanted).unwrap();
    until_within(PATIENCE, "the documents of the other ways", async || {
        same("webhooks", &histories(&places[2]), &wanted)
    })
    .await;
    by_hooks.stop().await;
}

type Histories = BTreeMap<(String, String, String), serde_json::Value>;

fn same(way: &str, found: &Histories, by_rest: &Histories) -> Result<(), String> {
    for job in found.keys().chain(by_rest.keys()) {
        let (found, by_rest) = (found.get(job), by_rest.get(job));
        holds(
            found == by_rest,
            format!("{job:?} by {way}: {found:#?}, by REST: {by_rest:#?}"),
        )?;
    }
    Ok(())
}

#[test]
fn the_documents_by_graphql_by_rest_and_by_webhooks_are_equal() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cases = std::env::var("PROPTEST_CASES").ok();
    let config = Config {
        cases: cases.and_then(|it| it.parse().ok()).unwrap_or(CASES),
        // A case takes seconds, and minutes if it fails.
        max_shrink_iters: 0,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let run = |(hooks_by, events)| {
        runtime.block_on(ends_equally(hooks_by, events));
        Ok(())
    };
    let hooks_by = prop::sample::select(vec![REST, GRAPHQL]);
    runner.run(&(hooks_by, events()), run).unwrap();
}

/// A trigger job waits again because somebody retries a job of its child: GitLab tells how long it waited the first time.
#[tokio::test]
async fn a_trigger_job_that_waits_again_waits_since_its_child_moved() {
    use Event::{OnBranch, Retry, WithChild};
    let events = vec![
        (1, WithChild(Fate::MayFail), 145),
        (1, Retry, 188),
        (2, Retry, 54),
        (1, OnBranch(Fate::Unfinished), 196),
        (1, Retry, 20),
        (1, Retry, 195),
    ];
    ends_equally(REST, events).await;
}
