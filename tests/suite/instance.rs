//! What concerns GitLab as a whole: an outage, the token, and projects without CI/CD.

use std::time::Duration;

use gitlab_simulator::{Fault, Handle, JobPlan, Options, PipelinePlan, start};

use crate::webhooks;
use testkit::daemon::{Daemon, Place, holds, until};

const STATE: &str = "job_failure_exporter_circuit_breaker_state";

async fn gitlab(projects: usize) -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| {
        for number in 0..projects {
            let project = world.create_project(&format!("acme/project-{number}"));
            let plan = PipelinePlan::new([JobPlan::fails("build")]).instant();
            world.push_pipeline(project, plan);
        }
    });
    gitlab
}

async fn circuit_is(exporter: &Daemon, wanted: &str) {
    exporter
        .shows("the circuit's state", |samples| {
            let all = ["closed", "half_open", "open"];
            let set = all.map(|state| samples.value(STATE, &[("state", state)]));
            let wanted = all.map(|state| Some(f64::from(u8::from(state == wanted))));
            holds(set == wanted, format!("{set:?}"))
        })
        .await;
}

#[tokio::test]
async fn an_outage_opens_the_circuit_is_said_and_ends_with_a_probe() {
    let gitlab = gitlab(6).await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let exporter = place.start().await;
    exporter.is_ready().await;
    circuit_is(&exporter, "closed").await;
    gitlab.faults(|faults| faults.outage = Some(Fault::BadGateway));
    circuit_is(&exporter, "open").await;

    // Six projects that are polled ten times a second: one probe in five seconds is left of that.
    gitlab.forget_requests();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = gitlab.requests().len();
    assert!(asked <= 2, "{asked} requests while the circuit was open");
    let (status, ready) = exporter.get("/-/ready").await;
    assert_eq!(status, 200, "alerts must go on: {ready}");
    assert!(ready.contains("GitLab keeps failing"), "{ready}");
    for path in ["/", "/jobs/acme/project-0/-/main/-/build"] {
        let (status, page) = exporter.get(path).await;
        assert_eq!(status, 200, "{page}");
        assert!(page.contains("GitLab keeps failing"), "{path}: {page}");
    }
    let samples = exporter.scrape().await;
    let shown = samples.of("job_consecutive_failures", &[]).len();
    assert_eq!(shown, 6, "what is known stays");

    gitlab.faults(|faults| faults.outage = None);
    circuit_is(&exporter, "closed").await;
    until("fresh polls", async || {
        let (_, ready) = exporter.get("/-/ready").await;
        holds(ready == "ready\n", ready)
    })
    .await;
    let log = exporter.log();
    assert_eq!(log.matches("GitLab keeps failing").count(), 1, "{log}");
    exporter.stop().await;
}

#[tokio::test]
async fn the_scopes_and_the_end_of_the_token_and_the_version_of_gitlab_are_told() {
    let gitlab = gitlab(1).await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let exporter = place.start().await;
    let started = gitlab.with(|world| world.started().unix());
    let day = 24 * 60 * 60;
    let end = (started + 90 * day).div_euclid(day) * day;
    exporter
        .shows("the end of the token", |samples| {
            let name = "job_failure_exporter_gitlab_token_expiry_timestamp_seconds";
            let found = samples.value(name, &[]);
            holds(found == Some(end as f64), format!("{found:?}, not {end}"))
        })
        .await;
    exporter
        .shows("what the token may do", |samples| {
            let name = "job_failure_exporter_gitlab_token_scope";
            let may = |scope| samples.value(name, &[("scope", scope)]);
            holds(may("read_api") == Some(1.0), "no scope `read_api`")
        })
        .await;
    exporter.says("GitLab 18.4.0").await;
    exporter.says("the GitLab token scopes=").await;
    let log = exporter.log();
    // The simulated GitLab lives in another year.
    let is_trouble = |line: &str| line.contains("WARN") && !line.contains("GitLab's clock");
    assert!(!log.lines().any(is_trouble), "{log}");
    exporter.stop().await;
}

#[tokio::test]
async fn a_token_that_is_replaced_in_its_file_is_taken_without_a_restart() {
    let gitlab = gitlab(1).await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let file = place.config().with_file_name("token");
    std::fs::write(&file, gitlab.token()).unwrap();
    place.reconfigure("gitlab: {", "gitlab: {token_file: token, ");
    let exporter = place.start().await;
    exporter.is_ready().await;

    let beside = file.with_extension("new");
    std::fs::write(&beside, "glpat-second\n").unwrap();
    gitlab.rotate_token("glpat-second");
    std::fs::rename(&beside, &file).unwrap();
    exporter.says("the GitLab token has been replaced").await;
    gitlab.with(|world| {
        let project = world.project_by_path("acme/project-0").unwrap().id;
        let plan = PipelinePlan::new([JobPlan::fails("build")]).instant();
        world.push_pipeline(project, plan);
    });
    exporter
        .shows("the failure after the rotation", |samples| {
            let streak = samples.value("job_consecutive_failures", &[("job_name", "build")]);
            holds(streak == Some(2.0), format!("{streak:?}"))
        })
        .await;
    assert!(!exporter.log().contains("glpat-second"));
    exporter.stop().await;
}

#[tokio::test]
async fn a_project_without_ci_is_told_once_and_let_alone() {
    let gitlab = gitlab(3).await;
    gitlab.with(|world| {
        let id = world.project_by_path("acme/project-1").unwrap().id;
        world.project_mut(id).unwrap().ci_disabled = true;
    });
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let exporter = place.start().await;
    exporter.is_ready().await;
    let labels = [("project", "acme/project-1"), ("reason", "ci_disabled")];
    let samples = exporter
        .shows("the reason", |samples| {
            let errors = samples.value("project_poll_errors_total", &labels);
            holds(errors == Some(1.0), format!("{errors:?}"))
        })
        .await;
    let forbidden = [labels[0], ("reason", "forbidden")];
    let errors = samples.value("project_poll_errors_total", &forbidden);
    assert_eq!(errors, Some(0.0));
    // The others are polled ten times a second meanwhile.
    gitlab.forget_requests();
    until("some cycles of the others", async || {
        let listings = gitlab.count("GET /projects/:id/pipelines");
        holds(listings > 10, listings)
    })
    .await;
    let id = gitlab.with(|world| world.project_by_path("acme/project-1").unwrap().id);
    let target = format!("/projects/{id}");
    let requests = gitlab.requests();
    assert!(
        !requests
            .iter()
            .any(|request| request.target.contains(&target))
    );
    let log = exporter.log();
    assert_eq!(log.matches("CI/CD is switched off").count(), 1, "{log}");
    exporter.stop().await;
}

#[tokio::test]
async fn a_project_that_is_refused_is_let_alone_although_its_webhooks_come() {
    let gitlab = gitlab(2).await;
    let push = |path: &str| {
        gitlab.with(|world| {
            let project = world.project_by_path(path).unwrap().id;
            let plan = PipelinePlan::new([JobPlan::fails("build")]).instant();
            world.push_pipeline(project, plan);
            project
        })
    };
    gitlab.with(|world| {
        let id = world.project_by_path("acme/project-1").unwrap().id;
        world.project_mut(id).unwrap().ci_disabled = true;
    });
    let place = webhooks::place(&gitlab, "groups: [{path: acme}], schedules: false");
    webhooks::polls_once_an_hour(&place);
    let exporter = place.start().await;
    exporter.is_ready().await;
    gitlab.forget_requests();
    let mut hooks = gitlab.hooks();
    let refused = push("acme/project-1");
    let read = push("acme/project-0");
    for hook in webhooks::waiting(&mut hooks) {
        webhooks::deliver(&exporter, &hook).await;
    }
    let asked = |project: u64| {
        let path = format!("/projects/{project}/");
        let requests = gitlab.requests();
        requests.iter().filter(|r| r.target.contains(&path)).count()
    };
    until("the other project", async || {
        let found = asked(read);
        holds(found > 0, found)
    })
    .await;
    assert_eq!(asked(refused), 0);
    exporter.stop().await;
}

#[tokio::test]
async fn a_gitlab_whose_clock_differs_from_the_start_has_not_jumped() {
    // It lives in another year.
    let gitlab = gitlab(1).await;
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let exporter = place.start().await;
    exporter.says("one of the two is wrong").await;
    exporter.says("`retention` goes by it from now on").await;
    let log = exporter.log();
    assert_eq!(log.matches("GitLab's clock is ").count(), 1, "{log}");
    assert!(log.contains("GitLab's clock has held"), "{log}");
    assert!(!log.contains("jump of") && !log.contains("jumped"), "{log}");
    exporter.stop().await;
}
