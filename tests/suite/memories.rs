//! What the exporter remembers of projects over a restart: their groups and their schedules.

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, RunBehavior, start};

use testkit::daemon::{Daemon, Place, holds, minutes, until};
use testkit::samples::Samples;

const MISSED: &str = "schedule_missed_run_timestamp_seconds";
const ACTIVE: &str = "schedule_active";
const PROBLEM: &str = "project_problem_info";
const STREAK: &str = "job_consecutive_failures";

fn value(samples: &Samples, family: &str, schedule: &str) -> Option<f64> {
    samples.value(family, &[("schedule", schedule)])
}

/// A project with daily schedules.
async fn gitlab_with_schedules() -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| {
        let project = world.create_project("acme/nightly");
        for name in ["runs", "fails", "paused"] {
            let plan = PipelinePlan::new([JobPlan::passes("tests")]);
            let id = world.create_schedule(project, name, minutes(24 * 60), plan);
            if name == "fails" {
                world.schedule_mut(id).unwrap().behavior = RunBehavior::CreatesNothing;
            }
        }
    });
    gitlab
}

/// The id of a schedule and the time at which it runs next, as GitLab has them.
fn schedule(gitlab: &Handle, description: &str) -> (u64, f64) {
    gitlab.with(|world| {
        let found = (1..100).filter_map(|id| world.schedule(id));
        let mut found = found.filter(|it| it.description == description);
        let schedule = found.next().unwrap();
        (schedule.id, schedule.next_run_at.unwrap().unix() as f64)
    })
}

async fn schedules_are_known(daemon: &Daemon) {
    daemon
        .shows("the schedules", |samples| {
            let found = samples.of(ACTIVE, &[]).len();
            holds(found == 3, found)
        })
        .await;
}

/// Waits until everything that was read is saved.
async fn memory_is_saved(place: &Place, schedules: usize) {
    until("the memory", async || {
        let mut found = String::new();
        for project in testkit::daemon::folder(&place.state()) {
            found += &std::fs::read_to_string(project.join(".project")).unwrap_or_default();
        }
        holds(found.matches("\"description\"").count() == schedules, found)
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_missed_during_a_restart_is_told_and_none_is_invented() {
    let gitlab = gitlab_with_schedules().await;
    let (_, due) = schedule(&gitlab, "fails");
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    schedules_are_known(&daemon).await;
    memory_is_saved(&place, 3).await;
    daemon.kill().await;

    gitlab.advance(minutes(24 * 60 - 1));
    let (paused, _) = schedule(&gitlab, "paused");
    gitlab.with(|world| world.edit_schedule(paused, |it| it.active = false));
    gitlab.advance(minutes(90));
    let next = gitlab.with(|world| world.now() + minutes(22 * 60));
    gitlab.with(|world| {
        world.edit_schedule(paused, |it| {
            it.active = true;
            it.next_run_at = Some(next);
        });
    });
    gitlab.advance(minutes(1));
    let (_, after) = schedule(&gitlab, "fails");
    assert!(after > due, "GitLab has moved the next time");

    let daemon = place.start().await;
    let samples = daemon
        .shows("the missed run", |samples| {
            let found = value(samples, MISSED, "fails");
            holds(found == Some(due), format!("{found:?}, due at {due}"))
        })
        .await;
    assert_eq!(value(&samples, MISSED, "runs"), None);
    assert_eq!(value(&samples, MISSED, "paused"), None);
    assert_eq!(value(&samples, ACTIVE, "paused"), Some(1.0));
    daemon.stop().await;
}

fn is_problem(samples: &Samples, project: &str, problem: &str) -> bool {
    let labels = [("project", project), ("problem", problem)];
    samples.value(PROBLEM, &labels) == Some(1.0)
}

fn fails(gitlab: &Handle, project: u64) {
    gitlab.with(|world| {
        let plan = PipelinePlan::new([JobPlan::fails("unit")]).instant();
        world.push_pipeline(project, plan);
    });
    gitlab.advance(minutes(2));
}

/// Projects of a group leave it while no exporter runs. `forgets` takes the memories of an earlier version away.
async fn leave_while_it_is_down(forgets: bool) {
    let gitlab = start(Options::default()).await.unwrap();
    let create = |path: &str| gitlab.with(|world| world.create_project(path));
    let all = ["acme/shop", "acme/old", "acme/gone", "acme/stays"].map(create);
    let [moved, archived, deleted, _] = all;
    for project in all {
        fails(&gitlab, project);
    }
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    let count = |samples: &Samples| samples.of(STREAK, &[]).len();
    daemon
        .shows("four jobs", |samples| {
            holds(count(samples) == 4, count(samples))
        })
        .await;
    daemon.stop().await;
    if forgets {
        for project in testkit::daemon::folder(&place.state()) {
            let _ = std::fs::remove_file(project.join(".project"));
        }
    }

    create("other/place");
    gitlab.with(|world| {
        world.project_mut(moved).unwrap().path = "other/shop".into();
        world.project_mut(archived).unwrap().archived = true;
        world.delete_project(deleted);
    });
    // Twice: who was followed once is of no group, and followed all the same.
    for _ in 0..2 {
        let daemon = place.start().await;
        let samples = daemon
            .shows("who moved and who stays", |samples| {
                holds(count(samples) == 2, count(samples))
            })
            .await;
        let followed = samples.value(STREAK, &[("project", "other/shop")]);
        assert_eq!(followed, Some(1.0));
        if !daemon.log().contains("is archived") {
            daemon.stop().await;
            continue;
        }
        daemon
            .shows("the problems", |samples| {
                let told = is_problem(samples, "acme/gone", "gone")
                    && is_problem(samples, "acme/old", "archived");
                holds(told, daemon.log())
            })
            .await;
        let log = daemon.log();
        let warns = |line: &&str| line.contains("WARN") && line.contains("left the list");
        assert_eq!(log.lines().filter(warns).count(), 1, "{log}");
        daemon.stop().await;
    }
}

#[tokio::test]
async fn projects_that_leave_their_group_while_the_exporter_is_down_are_followed_or_told() {
    leave_while_it_is_down(false).await;
}

#[tokio::test]
async fn the_same_after_an_upgrade_from_a_version_that_remembered_no_groups() {
    leave_while_it_is_down(true).await;
}

#[tokio::test]
async fn a_project_that_the_configuration_no_longer_names_is_not_missed() {
    let gitlab = start(Options::default()).await.unwrap();
    let projects = ["acme/shop", "acme/docs"].map(|path| gitlab.with(|w| w.create_project(path)));
    for project in projects {
        fails(&gitlab, project);
    }
    let place = Place::new(gitlab.url(), "projects: [acme/shop, acme/docs]");
    let daemon = place.start().await;
    let count = |samples: &Samples| samples.of(STREAK, &[]).len();
    daemon
        .shows("two jobs", |samples| {
            holds(count(samples) == 2, count(samples))
        })
        .await;
    daemon.stop().await;
    place.reconfigure("[acme/shop, acme/docs]", "[acme/shop]");
    gitlab.with(|world| world.delete_project(projects[1]));
    let daemon = place.start().await;
    daemon
        .shows("one job", |samples| {
            holds(count(samples) == 1, count(samples))
        })
        .await;
    assert!(daemon.scrape().await.of(PROBLEM, &[]).is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn the_memory_of_a_newer_version_or_of_another_gitlab_is_refused_and_stays() {
    let gitlab = gitlab_with_schedules().await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    schedules_are_known(&daemon).await;
    memory_is_saved(&place, 3).await;
    daemon.stop().await;
    let folder = testkit::daemon::folder(&place.state());
    let folder = folder.into_iter().find(|path| path.is_dir()).unwrap();
    let file = folder.join(".project");
    let text = std::fs::read_to_string(&file).unwrap();
    for (changed, words) in [
        (
            r#"{"version": 2}"#.to_owned(),
            "the document is of version 2",
        ),
        (
            text.split(",\"gitlab\":").next().unwrap().to_owned()
                + ",\"gitlab\":\"other.example\"}",
            "it is of another GitLab",
        ),
    ] {
        std::fs::write(&file, &changed).unwrap();
        let said = place.refused(&[]).await;
        assert!(said.contains(words), "{said}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), changed);
    }
    place.run(&["state", "adopt"]).await.done();
    let daemon = place.start().await;
    daemon.is_ready().await;
    daemon.stop().await;
    // A broken one costs nothing but what it remembers.
    std::fs::write(&file, "{").unwrap();
    let daemon = place.start().await;
    daemon.says("not a readable state document").await;
    schedules_are_known(&daemon).await;
    memory_is_saved(&place, 3).await;
    daemon.stop().await;
}
