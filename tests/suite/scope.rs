//! What is watched changes: the default branch, the configuration, and the projects of a group.

use gitlab_simulator::{Handle, JobPlan, Options, PipelinePlan, start};

use testkit::daemon::{Place, holds, minutes};
use testkit::samples::Samples;

const PROJECT: &str = "acme/shop";
const STREAK: &str = "job_consecutive_failures";
const PROBLEM: &str = "project_problem_info";

async fn gitlab() -> (Handle, u64) {
    let gitlab = start(Options::default()).await.unwrap();
    let id = gitlab.with(|world| world.create_project(PROJECT));
    (gitlab, id)
}

fn push(gitlab: &Handle, project: u64, jobs: impl Into<Vec<JobPlan>>) {
    gitlab.with(|world| world.push_pipeline(project, PipelinePlan::new(jobs)));
    gitlab.advance(minutes(2));
}

fn is_streak(samples: &Samples, job: &str, wanted: Option<f64>) -> Result<(), String> {
    let found = samples.value(STREAK, &[("job_name", job)]);
    holds(found == wanted, format!("{job}: {found:?}, not {wanted:?}"))
}

fn fails_twice(gitlab: &Handle, project: u64) {
    for _ in 0..2 {
        let jobs = [JobPlan::fails("unit"), JobPlan::passes("lint")];
        push(gitlab, project, jobs);
    }
}

#[tokio::test]
async fn a_streak_goes_on_under_the_new_name_of_the_default_branch_and_ends_there() {
    let (gitlab, project) = gitlab().await;
    fails_twice(&gitlab, project);
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    daemon
        .shows("two failures", |s| is_streak(s, "unit", Some(2.0)))
        .await;
    daemon.stop().await;

    gitlab.with(|world| world.project_mut(project).unwrap().default_branch = "trunk".into());
    push(&gitlab, project, [JobPlan::fails("unit")]);
    let daemon = place.start().await;
    let samples = daemon
        .shows("the third", |s| is_streak(s, "unit", Some(3.0)))
        .await;
    assert!(samples.of(STREAK, &[("ref", "main")]).is_empty());
    push(&gitlab, project, [JobPlan::passes("unit")]);
    daemon
        .shows("a pass", |s| is_streak(s, "unit", Some(0.0)))
        .await;
    daemon.stop().await;
    let paths = place.document_paths();
    assert_eq!(paths.len(), 1, "{paths:?}");
}

#[tokio::test]
async fn a_job_that_the_configuration_excludes_is_gone_at_the_start_and_back_when_it_runs_again() {
    let (gitlab, project) = gitlab().await;
    fails_twice(&gitlab, project);
    let watch = format!("projects: [{PROJECT}]");
    let place = Place::new(gitlab.url(), &watch);
    let daemon = place.start().await;
    daemon
        .shows("two failures", |s| is_streak(s, "unit", Some(2.0)))
        .await;
    daemon.stop().await;

    let excluding = format!("{watch}, jobs: {{exclude: [unit]}}");
    place.reconfigure(&watch, &excluding);
    let daemon = place.start().await;
    daemon.is_ready().await;
    daemon
        .shows("the other job", |s| is_streak(s, "lint", Some(0.0)))
        .await;
    let samples = daemon.scrape().await;
    is_streak(&samples, "unit", None).unwrap();
    assert!(daemon.log().contains("no longer watches these jobs"));
    daemon.stop().await;

    place.reconfigure(&excluding, &watch);
    let daemon = place.start().await;
    push(&gitlab, project, [JobPlan::fails("unit")]);
    daemon
        .shows("its history", |s| is_streak(s, "unit", Some(3.0)))
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_happened_to_a_job_while_it_was_excluded_counts_when_it_is_included_again() {
    let (gitlab, project) = gitlab().await;
    fails_twice(&gitlab, project);
    let watch = format!("projects: [{PROJECT}]");
    let place = Place::new(gitlab.url(), &watch);
    let daemon = place.start().await;
    daemon
        .shows("two failures", |s| is_streak(s, "unit", Some(2.0)))
        .await;
    daemon.stop().await;
    let excluding = format!("{watch}, jobs: {{exclude: [unit]}}");
    place.reconfigure(&watch, &excluding);
    let daemon = place.start().await;
    for passes in [true, false] {
        let unit = if passes {
            JobPlan::passes("unit")
        } else {
            JobPlan::fails("unit")
        };
        push(&gitlab, project, [unit, JobPlan::fails("lint")]);
    }
    daemon
        .shows("the other job", |s| is_streak(s, "lint", Some(2.0)))
        .await;
    daemon.stop().await;
    place.reconfigure(&excluding, &watch);
    let daemon = place.start().await;
    daemon
        .shows("its true streak", |s| is_streak(s, "unit", Some(1.0)))
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_removed_job_is_gone_although_no_other_job_is_watched() {
    let (gitlab, project) = gitlab().await;
    fails_twice(&gitlab, project);
    let watch = format!("projects: [{PROJECT}], jobs: {{include: [unit]}}");
    let place = Place::new(gitlab.url(), &watch);
    let daemon = place.start().await;
    daemon
        .shows("two failures", |s| is_streak(s, "unit", Some(2.0)))
        .await;
    for _ in 0..12 {
        push(&gitlab, project, [JobPlan::passes("lint")]);
    }
    daemon
        .shows("that it is gone", |s| {
            let absent = s.value("job_absent_pipelines", &[("job_name", "unit")]);
            holds(absent >= Some(10.0), format!("{absent:?}"))
        })
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn the_default_branch_is_renamed_twice_and_onto_a_branch_with_a_history() {
    let (gitlab, project) = gitlab().await;
    let rename = |to: &str| {
        gitlab.with(|world| world.project_mut(project).unwrap().default_branch = to.into());
    };
    let total = |s: &Samples| {
        let sum = s.sum("job_executions_total", &[("job_name", "unit")]);
        sum.to_string()
    };
    for _ in 0..20 {
        let on_trunk = PipelinePlan::new([JobPlan::passes("unit")]).on("trunk");
        gitlab.with(|world| world.push_pipeline(project, on_trunk.instant()));
        push(&gitlab, project, [JobPlan::fails("unit")]);
    }
    // Found again at once, because of a name that is not found.
    let watch = format!("projects: [{PROJECT}, no/such], refs: [default, trunk]");
    let place = Place::new(gitlab.url(), &watch);
    let daemon = place.start().await;
    daemon
        .shows("both branches", |s| holds(total(s) == "40", total(s)))
        .await;
    rename("trunk");
    let samples = daemon
        .shows("one branch", |s| {
            let refs = s.of(STREAK, &[("job_name", "unit")]).len();
            holds(refs == 1, refs)
        })
        .await;
    assert_eq!(total(&samples), "40", "nothing is lost");
    push(&gitlab, project, [JobPlan::fails("unit")]);
    daemon
        .shows("one more", |s| holds(total(s) == "41", total(s)))
        .await;
    rename("next");
    push(&gitlab, project, [JobPlan::fails("unit")]);
    let labels = [("ref", "next"), ("job_name", "unit")];
    daemon
        .shows("the second name", |s| {
            let streak = s.value(STREAK, &labels);
            holds(streak >= Some(1.0), format!("{streak:?}"))
        })
        .await;
    rename("trunk");
    push(&gitlab, project, [JobPlan::passes("unit")]);
    daemon
        .shows("the first name again", |s| {
            let streak = s.value(STREAK, &[("ref", "trunk"), ("job_name", "unit")]);
            holds(streak == Some(0.0), format!("{streak:?}"))
        })
        .await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_project_without_a_visible_default_branch_is_told() {
    let (gitlab, project) = gitlab().await;
    let empty = gitlab.with(|world| {
        world.project_mut(project).unwrap().hides_default_branch = true;
        world.create_project("acme/empty")
    });
    gitlab.with(|world| world.project_mut(empty).unwrap().default_branch = String::new());
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    let labels = [("project", PROJECT), ("problem", "no_default_branch")];
    daemon
        .shows("the problem", |s| {
            holds(s.value(PROBLEM, &labels) == Some(1.0), "no problem")
        })
        .await;
    daemon.says("shows no default branch").await;
    daemon.is_ready().await;
    let samples = daemon.scrape().await;
    let empty = samples.of(PROBLEM, &[("project", "acme/empty")]);
    assert!(
        empty.is_empty(),
        "an empty repository has no problem: {empty:?}"
    );
    gitlab.with(|world| world.project_mut(project).unwrap().hides_default_branch = false);
    daemon.stop().await;
    let daemon = place.start().await;
    daemon.is_ready().await;
    assert!(daemon.scrape().await.of(PROBLEM, &[]).is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn a_default_branch_that_is_no_more_is_told_once_and_one_that_never_was_is_not() {
    let (gitlab, project) = gitlab().await;
    let empty = gitlab.with(|world| world.create_project("acme/empty"));
    gitlab.with(|world| world.project_mut(empty).unwrap().default_branch = String::new());
    push(&gitlab, project, [JobPlan::fails("unit")]);
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let daemon = place.start().await;
    daemon
        .shows("the job", |s| holds(s.of(STREAK, &[]).len() == 1, "none"))
        .await;
    daemon.stop().await;
    gitlab.with(|world| world.project_mut(project).unwrap().default_branch = String::new());
    let daemon = place.start().await;
    daemon.says("has no default branch any more").await;
    daemon.is_ready().await;
    assert_eq!(daemon.log().matches("no default branch").count(), 1);
    daemon.stop().await;
    let daemon = place.start().await;
    daemon.is_ready().await;
    assert!(!daemon.log().contains("no default branch"), "told before");
    daemon.stop().await;
}

#[tokio::test]
async fn projects_that_leave_the_list_of_their_group_are_followed_or_told() {
    let (gitlab, moved) = gitlab().await;
    let create = |path: &str| gitlab.with(|world| world.create_project(path));
    let (archived, deleted) = (create("acme/old"), create("acme/gone"));
    for project in [moved, archived, deleted] {
        push(&gitlab, project, [JobPlan::fails("unit")]);
    }
    // A name that is not found, so that the exporter looks for the projects again at once.
    let place = Place::new(gitlab.url(), "groups: [{path: acme}], projects: [no/such]");
    let daemon = place.start().await;
    let count = |s: &Samples| s.of(STREAK, &[]).len();
    daemon
        .shows("three jobs", |s| holds(count(s) == 3, count(s)))
        .await;
    create("other/place");
    gitlab.with(|world| {
        world.project_mut(moved).unwrap().path = "other/shop".into();
        world.project_mut(archived).unwrap().archived = true;
        world.delete_project(deleted);
    });
    let problem = |s: &Samples, project: &str, problem: &str| {
        let labels = [("project", project), ("problem", problem)];
        s.value(PROBLEM, &labels) == Some(1.0)
    };
    let samples = daemon
        .shows("the problems", |s| {
            let told = problem(s, "acme/old", "archived") && problem(s, "acme/gone", "gone");
            holds(told && count(s) == 1, count(s))
        })
        .await;
    let followed = samples.value(STREAK, &[("project", "other/shop")]);
    assert_eq!(followed, Some(1.0));
    daemon.stop().await;
}
