//! What polling knew is saved: a restart reads what moved meanwhile, and nothing else. The streaks are those of an exporter that
//! never stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};
use serde_json::Value;
use testkit::daemon::{Daemon, Place, folder, gitlab, holds, minutes, until};
use testkit::samples::Samples;
use testkit::truth::{equal, windows_are_saved};

const LISTING: &str = "GET /projects/:id/pipelines";
const JOBS: &str = "GET /projects/:id/pipelines/:pid/jobs";
const SWEEP: &str = "graphql";
const PACE: &str = "interval: 100ms, idle_interval: 100ms, hooked_interval: 100ms";

/// Projects of a small company: enough for sweeps.
const PROJECTS: usize = 12;

/// How both APIs are named in the configuration.
const APIS: [&str; 2] = ["graphql", "rest"];

fn jobs(fails: bool) -> [JobPlan; 2] {
    let unit = if fails {
        JobPlan::fails("unit")
    } else {
        JobPlan::passes("unit")
    };
    [JobPlan::passes("build"), unit]
}

/// Projects with pipelines that have ended.
async fn company() -> (Handle, Vec<u64>) {
    let gitlab = start(Options::default()).await.unwrap();
    let projects = gitlab.with(|world| {
        let create = |number| world.create_project(&format!("acme/project-{number:02}"));
        (0..PROJECTS).map(create).collect::<Vec<_>>()
    });
    for round in 0..3 {
        for project in &projects {
            push(&gitlab, *project, round == 2);
        }
        gitlab.advance(minutes(20));
    }
    (gitlab, projects)
}

fn push(gitlab: &Handle, project: u64, fails: bool) -> u64 {
    gitlab.with(|world| world.push_pipeline(project, PipelinePlan::new(jobs(fails)).instant()))
}

fn place(gitlab: &Handle, api: &str) -> Place {
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    place.reconfigure("api: rest", &format!("api: {api}"));
    place.configure_also("classification: {read_logs: false}\n");
    place
}

/// The saved sights of the projects that have any, by id.
fn sights(place: &Place) -> BTreeMap<u64, Value> {
    let mut found = BTreeMap::new();
    for project in folder(&place.state()) {
        let id = project
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        let text = std::fs::read(project.join(".sights"));
        if let (Some(id), Ok(text)) = (id, text) {
            found.insert(id, serde_json::from_slice(&text).unwrap());
        }
    }
    found
}

/// Waits until the newest pipeline of every project is counted and among its saved sights.
async fn all_is_seen(gitlab: &Handle, daemon: &Daemon, place: &Place, projects: &[u64]) {
    let truths = gitlab.truth();
    daemon
        .shows("the truth", |samples| equal(samples, &truths))
        .await;
    let newest = |project: &u64| {
        let ids = |world: &mut gitlab_simulator::World| {
            world.visible_pipelines(*project).map(|it| it.id).max()
        };
        gitlab.with(ids).unwrap()
    };
    until("sights of every project", async || {
        let sights = sights(place);
        let missing = projects.iter().filter(|id| {
            let ended = sights.get(id).and_then(|it| it["ended"].as_array());
            let ids = ended.into_iter().flatten().filter_map(|it| it[0].as_u64());
            !ids.into_iter().any(|it| it == newest(id))
        });
        let missing: Vec<_> = missing.collect();
        holds(
            missing.is_empty(),
            format!("{missing:?}: {sights:?}\n{}", daemon.log()),
        )
    })
    .await;
}

/// Requests by endpoint.
fn requests(gitlab: &Handle) -> BTreeMap<&'static str, usize> {
    let mut found = BTreeMap::new();
    for request in gitlab.requests() {
        *found.entry(request.endpoint).or_default() += 1;
    }
    found
}

/// Starts an exporter that polls only once, and returns the requests of its first round.
async fn first_round(gitlab: &Handle, place: &Place) -> (Daemon, BTreeMap<&'static str, usize>) {
    place.reconfigure(PACE, "interval: 1h, idle_interval: 1h");
    gitlab.forget_requests();
    let daemon = place.start().await;
    daemon.is_ready().await;
    place.reconfigure("interval: 1h, idle_interval: 1h", PACE);
    (daemon, requests(gitlab))
}

#[tokio::test]
async fn a_restart_with_nothing_new_costs_one_sweep_or_one_listing_a_project() {
    for api in APIS {
        let (gitlab, projects) = company().await;
        let place = place(&gitlab, api);
        let daemon = place.start().await;
        all_is_seen(&gitlab, &daemon, &place, &projects).await;
        daemon.stop().await;

        let (daemon, requests) = first_round(&gitlab, &place).await;
        let of = |endpoint| requests.get(endpoint).copied().unwrap_or_default();
        let (sweeps, listings) = if api == "rest" { (0, PROJECTS) } else { (1, 0) };
        let found = (of(SWEEP), of(LISTING), of(JOBS));
        assert_eq!(found, (sweeps, listings, 0), "{api}: {requests:?}");
        let others: usize = requests.values().sum::<usize>() - sweeps - listings;
        assert!(others < 6, "the group, versions, rights: {requests:?}");
        let truths = gitlab.truth();
        assert_eq!(equal(&daemon.scrape().await, &truths), Ok(()));
        let log = daemon.log();
        let told = format!("of {PROJECTS} projects only what moved since is read");
        assert!(log.contains(&told), "{log}");
        daemon.stop().await;
    }
}

/// The saved histories by project, ref and job.
fn histories(place: &Place) -> BTreeMap<(String, String, String), Value> {
    let mut found = BTreeMap::new();
    for (_, document) in place.documents() {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for (job, history) in document["jobs"].as_object().unwrap() {
            let project = text(&document["project"]["path"]);
            let key = (project, text(&document["ref"]), job.clone());
            found.insert(key, history.clone());
        }
    }
    found
}

#[track_caller]
fn are_the_same(one: &Place, other: &Place) {
    let (one, other) = (histories(one), histories(other));
    for (job, history) in &one {
        assert_eq!(Some(history), other.get(job), "{job:?}");
    }
    assert_eq!(one.len(), other.len());
}

/// New pipelines, a job of an old one that is retried, one that ends, a branch that is new, and a pipeline that is deleted.
fn moves_on(gitlab: &Handle, projects: &[u64], running: &[u64; 2]) {
    push(gitlab, projects[0], true);
    gitlab.advance(minutes(2));
    push(gitlab, projects[0], false);
    gitlab.with(|world| {
        let oldest = world.visible_pipelines(projects[1]).map(|it| it.id).min();
        let job = world.latest(oldest.unwrap(), "unit").unwrap().id;
        world.retry_job(job).unwrap();
        let held = world.latest(running[0], "held").unwrap().id;
        world.fail_job(held, "script_failure");
        world.delete_pipeline(running[1]);
        let plan = PipelinePlan::new(jobs(true)).on("release/1").instant();
        world.push_pipeline(projects[4], plan);
    });
    gitlab.advance(minutes(6));
}

/// Whether all of [`moves_on`] is counted.
fn has_moved(samples: &Samples) -> Result<(), String> {
    let of = |family: &str, project: &str, job: &str, more: &[(&str, &str)]| {
        let project = format!("acme/project-{project}");
        let labels = [("project", &*project), ("job_name", job)];
        samples.value(family, &[&labels, more].concat())
    };
    let found = [
        of("job_window_executions", "00", "unit", &[]),
        of("job_consecutive_failures", "00", "unit", &[]),
        of("job_retries_total", "01", "unit", &[]),
        of("job_consecutive_failures", "02", "held", &[]),
        of(
            "job_executions_total",
            "03",
            "held",
            &[("outcome", "canceled")],
        ),
        of(
            "job_consecutive_failures",
            "04",
            "unit",
            &[("ref", "release/1")],
        ),
    ];
    let wanted = [5.0, 0.0, 1.0, 1.0, 1.0, 1.0].map(Some);
    holds(found == wanted, format!("{found:?}"))
}

#[tokio::test]
async fn what_moved_while_it_was_away_is_counted_as_if_it_had_never_stopped() {
    for api in APIS {
        let (gitlab, projects) = company().await;
        let running = [2, 3].map(|number: usize| {
            let plan = PipelinePlan::new([JobPlan::passes("build"), JobPlan::held("held")]);
            gitlab.with(|world| world.push_pipeline(projects[number], plan))
        });
        gitlab.advance(minutes(5));
        let settled: Vec<u64> = projects
            .iter()
            .copied()
            .filter(|id| ![projects[2], projects[3]].contains(id))
            .collect();
        let places = [place(&gitlab, api), place(&gitlab, api)];
        for place in &places {
            place.reconfigure(
                "groups: [{path: acme}]",
                "groups: [{path: acme}], refs: [default, 'release/.*']",
            );
        }
        let [restarts, stays] = &places;
        let (daemon, steady) = (restarts.start().await, stays.start().await);
        all_is_seen(&gitlab, &daemon, restarts, &settled).await;
        all_is_seen(&gitlab, &steady, stays, &settled).await;
        daemon.stop().await;
        moves_on(&gitlab, &projects, &running);

        let (daemon, requests) = first_round(&gitlab, restarts).await;
        let read = requests.get(JOBS).copied().unwrap_or_default();
        assert!(read < 14, "of pipelines that moved only: {requests:?}");
        daemon.stop().await;
        let daemon = restarts.start().await;
        for daemon in [&daemon, &steady] {
            daemon.shows("what moved", has_moved).await;
        }
        daemon.stop().await;
        steady.stop().await;
        are_the_same(restarts, stays);
    }
}

#[tokio::test]
async fn a_child_that_waits_for_a_user_is_read_again_although_nothing_lists_its_parent() {
    let (gitlab, projects) = company().await;
    let rollout = JobPlan::passes("rollout").in_stage("deploy").manual();
    let child = PipelinePlan::new([JobPlan::passes("tests"), rollout]);
    let bridge = JobPlan::triggers("deploy", child).detached();
    let plan = PipelinePlan::new([JobPlan::passes("lint"), bridge]);
    let parent = gitlab.with(|world| world.push_pipeline(projects[0], plan));
    gitlab.advance(minutes(20));
    push(&gitlab, projects[0], false);
    gitlab.advance(minutes(20));
    let [restarts, stays] = [place(&gitlab, "graphql"), place(&gitlab, "graphql")];
    let (daemon, steady) = (restarts.start().await, stays.start().await);
    for (daemon, place) in [(&daemon, &restarts), (&steady, &stays)] {
        all_is_seen(&gitlab, daemon, place, &projects).await;
    }
    daemon.stop().await;
    let open = &sights(&restarts)[&projects[0]]["open"];
    assert_eq!(*open, serde_json::json!([parent]));
    gitlab.with(|world| {
        let child = world.latest(parent, "deploy").unwrap().downstream.unwrap();
        let rollout = world.latest(child, "rollout").unwrap().id;
        world.fail_job(rollout, "script_failure");
    });
    let daemon = restarts.start().await;
    for daemon in [&daemon, &steady] {
        let truths = gitlab.truth();
        let what = "the job of the child";
        daemon.shows(what, |samples| equal(samples, &truths)).await;
    }
    daemon.stop().await;
    steady.stop().await;
    are_the_same(&restarts, &stays);
}

#[tokio::test]
async fn nothing_is_lost_by_kills_at_any_moment() {
    let mut random = Rng::new();
    for api in APIS {
        let gitlab = gitlab("demo").await;
        let place = place(&gitlab, api);
        for _ in 0..6 {
            let daemon = place.start().await;
            if random.bool() {
                daemon.is_ready().await;
            }
            gitlab.advance(Duration::from_secs(random.u64(5..120)));
            // The moment of the kill is what is drawn here.
            tokio::time::sleep(Duration::from_millis(random.u64(..900))).await;
            daemon.kill().await;
            gitlab.advance(Duration::from_secs(random.u64(..60)));
        }
        let daemon = place.start().await;
        let truths = gitlab.truth();
        daemon
            .shows("the truth", |samples| equal(samples, &truths))
            .await;
        daemon.stop().await;
        windows_are_saved(&place, &truths);
    }
}

#[tokio::test]
async fn another_configuration_is_read_afresh() {
    let (gitlab, projects) = company().await;
    let base = place(&gitlab, "graphql");
    let daemon = base.start().await;
    all_is_seen(&gitlab, &daemon, &base, &projects).await;
    daemon.stop().await;
    let watch = "groups: [{path: acme}]";
    for changed in [
        "groups: [{path: acme}], refs: ['.*']",
        "groups: [{path: acme}], jobs: {exclude: [build]}",
        "groups: [{path: acme}], tracks: [{name: nightly, sources: [schedule]}]",
        "groups: [{path: acme}], child_pipelines: ignore",
    ] {
        let place = place(&gitlab, "graphql");
        copy(&base.state(), &place.state());
        place.reconfigure(watch, changed);
        let (daemon, requests) = first_round(&gitlab, &place).await;
        let listings = requests.get(LISTING).copied().unwrap_or_default();
        assert!(listings >= 2 * PROJECTS, "{changed}: {requests:?}");
        daemon.stop().await;
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in folder(from) {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

/// The only document of a project's histories.
fn document(place: &Place, project: u64) -> PathBuf {
    place.state().join(project.to_string()).join("main.json")
}

#[tokio::test]
async fn sights_of_other_documents_than_the_saved_ones_are_not_used() {
    let (gitlab, projects) = company().await;
    let place = place(&gitlab, "graphql");
    let daemon = place.start().await;
    all_is_seen(&gitlab, &daemon, &place, &projects).await;
    daemon.stop().await;
    let backup = tempfile::tempdir().unwrap();
    copy(&place.state(), backup.path());
    let of_backup = |project: u64, name: &str| backup.path().join(project.to_string()).join(name);

    for project in &projects {
        push(&gitlab, *project, true);
    }
    gitlab.advance(minutes(20));
    let daemon = place.start().await;
    all_is_seen(&gitlab, &daemon, &place, &projects).await;
    daemon.stop().await;
    // Older documents with newer sights, and newer documents with older sights.
    let own = |project: u64| place.state().join(project.to_string()).join(".sights");
    std::fs::copy(
        of_backup(projects[0], "main.json"),
        document(&place, projects[0]),
    )
    .unwrap();
    std::fs::copy(of_backup(projects[1], ".sights"), own(projects[1])).unwrap();
    std::fs::remove_file(document(&place, projects[2])).unwrap();
    std::fs::copy(own(projects[4]), own(projects[3])).unwrap();
    std::fs::write(own(projects[5]), "{}").unwrap();

    let (daemon, requests) = first_round(&gitlab, &place).await;
    assert!(requests[JOBS] > 0, "{requests:?}");
    let log = daemon.log();
    let told = format!("of {} projects only what moved since is read", PROJECTS - 5);
    assert!(log.contains(&told), "{log}");
    let truths = gitlab.truth();
    let is_true = |samples: &Samples| equal(samples, &truths);
    daemon.shows("the truth", is_true).await;
    daemon.stop().await;
    windows_are_saved(&place, &truths);
}
