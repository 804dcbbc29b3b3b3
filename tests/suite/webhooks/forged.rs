//! Webhooks that lie, from somebody who knows the secret: what counts is what the API says.

use gitlab_simulator::{CiStatus, Handle, Hook, JobPlan, Options, PipelinePlan, start};
use serde_json::{Value, json};
use testkit::daemon::{Daemon, Place, holds, minutes};
use testkit::truth::{differences, equal};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{PROJECT, TOKEN, deliver, events, place, polls_once_an_hour, post, waiting};

/// What every invented name and text contains.
const MARK: &str = "made-up";

/// Above every id that the simulated GitLab gives, and in no fraction that a page shows.
const INVENTED_ID: u64 = 987_654_321;

/// A GitLab where `deploy` failed four times and `lint` passed, and an exporter that learns more by hooks alone.
struct Scene {
    gitlab: Handle,
    place: Place,
    exporter: Daemon,
    hooks: UnboundedReceiver<Hook>,
    last: u64,
}

impl Scene {
    async fn begin() -> Self {
        let gitlab = start(Options::default()).await.unwrap();
        gitlab.with(|world| world.create_project(PROJECT));
        gitlab.with(|world| world.create_project("acme/other"));
        let mut last = 0;
        for _ in 0..4 {
            last = push(&gitlab, PROJECT);
            gitlab.advance(minutes(2));
        }
        let place = place(&gitlab, "groups: [{path: acme}]");
        polls_once_an_hour(&place);
        let exporter = place.start().await;
        let truths = gitlab.truth();
        exporter.shows("the truth", |s| equal(s, &truths)).await;
        Self {
            hooks: gitlab.hooks(),
            gitlab,
            place,
            exporter,
            last,
        }
    }

    fn project(&self, path: &str) -> u64 {
        let id = |world: &mut gitlab_simulator::World| world.project_by_path(path).map(|it| it.id);
        self.gitlab.with(id).unwrap()
    }

    async fn forge(&self, body: Value) {
        let kind = body["object_kind"].as_str();
        let event = match kind {
            Some("build") => "Job Hook",
            _ => "Pipeline Hook",
        };
        deliver(&self.exporter, &Hook { event, body }).await;
    }

    /// Something true happens, and is shown. Whatever was forged before has been worked on by then, and has left no trace.
    async fn stays_true(&mut self) {
        push(&self.gitlab, PROJECT);
        self.gitlab.advance(minutes(2));
        for hook in waiting(&mut self.hooks) {
            deliver(&self.exporter, &hook).await;
        }
        let truths = self.gitlab.truth();
        let shows = self.exporter.shows("the truth", |s| equal(s, &truths));
        let samples = shows.await;
        assert_eq!(differences(&samples, &truths), Vec::<String>::new());
        self.has_no_trace().await;
    }

    async fn has_no_trace(&self) {
        for page in ["/metrics", "/", "/api/v1/jobs"] {
            let (_, text) = self.exporter.get(page).await;
            assert!(!text.contains(MARK), "{page}: {text}");
            assert!(!text.contains(&INVENTED_ID.to_string()), "{page}: {text}");
        }
        for (path, document) in self.place.documents() {
            let text = document.to_string();
            assert!(!text.contains(MARK), "{}: {text}", path.display());
            let id = INVENTED_ID.to_string();
            assert!(!text.contains(&id), "{}: {text}", path.display());
        }
    }

    async fn end(self) {
        let (gitlab, place) = (self.gitlab, self.place);
        self.exporter.stop().await;
        let again = place.start().await;
        let truths = gitlab.truth();
        let samples = again.shows("the truth", |s| equal(s, &truths)).await;
        assert!(!format!("{samples:?}").contains(MARK));
        again.stop().await;
    }
}

fn push(gitlab: &Handle, path: &str) -> u64 {
    gitlab.with(|world| {
        let project = world.project_by_path(path).unwrap().id;
        let jobs = [JobPlan::fails("deploy"), JobPlan::passes("lint")];
        world.push_pipeline(project, PipelinePlan::new(jobs))
    })
}

/// A job hook about a job of a pipeline of a project.
fn build(project: u64, pipeline: u64, job: (u64, &str), status: &str) -> Value {
    let at = "2026-01-05 08:30:00 UTC";
    json!({
        "object_kind": "build", "ref": "main", "tag": false, "sha": MARK,
        "build_id": job.0, "build_name": job.1, "build_stage": MARK, "build_status": status,
        "build_created_at": at, "build_started_at": at, "build_finished_at": at,
        "build_duration": 1.0, "build_allow_failure": false, "build_failure_reason": MARK,
        "pipeline_id": pipeline, "project_id": project,
    })
}

/// A pipeline hook with these jobs, all of this status.
fn pipeline(project: u64, id: u64, names: &[String], status: &str) -> Value {
    let at = "2026-01-05 08:30:00 UTC";
    let builds: Vec<_> = (INVENTED_ID..)
        .zip(names)
        .map(|(id, name)| {
            json!({
                "id": id, "name": name, "stage": MARK, "status": status, "created_at": at,
                "started_at": at, "finished_at": at, "failure_reason": MARK, "allow_failure": false,
            })
        })
        .collect();
    json!({
        "object_kind": "pipeline",
        "object_attributes": {"id": id, "iid": 1, "ref": "main", "tag": false, "sha": MARK,
            "status": status, "source": "push", "created_at": at, "finished_at": at},
        "project": {"id": project, "path_with_namespace": PROJECT},
        "builds": builds,
    })
}

#[tokio::test]
async fn forged_job_hooks_change_nothing() {
    let mut scene = Scene::begin().await;
    let project = scene.project(PROJECT);
    let id_of = |job: &str| {
        let last = scene.last;
        let gitlab = &scene.gitlab;
        gitlab.with(|world| world.latest(last, job).unwrap().id)
    };
    let (deploy, lint) = (id_of("deploy"), id_of("lint"));
    let forged = [
        ((INVENTED_ID, "deploy"), "success"),
        ((deploy, "deploy"), "success"),
        ((lint, "lint"), "failed"),
        ((INVENTED_ID, "lint"), "failed"),
        ((INVENTED_ID, "lint"), "running"),
        ((INVENTED_ID, "made-up"), "failed"),
        ((INVENTED_ID, "made-up"), "pending"),
        ((INVENTED_ID, "lint / made-up"), "success"),
    ];
    // Each check takes its share of the readings that webhooks may cause.
    for some in forged.chunks(3) {
        for (job, status) in some {
            scene.forge(build(project, scene.last, *job, status)).await;
            // Of a pipeline that does not exist.
            scene.forge(build(project, INVENTED_ID, *job, status)).await;
        }
        scene.stays_true().await;
    }
    scene.end().await;
}

#[tokio::test]
async fn forged_pipeline_hooks_change_nothing() {
    let mut scene = Scene::begin().await;
    let project = scene.project(PROJECT);
    let names = ["deploy", "lint", "made-up"].map(str::to_owned);
    for status in ["failed", "success", "running", "canceled"] {
        for id in [scene.last, INVENTED_ID] {
            scene.forge(pipeline(project, id, &names, status)).await;
        }
        scene.stays_true().await;
    }
    let many: Vec<_> = (0..50_000).map(|n| format!("{MARK} {n}")).collect();
    // Without times, so that 50,000 fit into the largest body.
    let mut forged = pipeline(project, scene.last, &[], "failed");
    forged["builds"] = many
        .iter()
        .map(|name| json!({"id": INVENTED_ID, "name": name, "status": "failed"}))
        .collect();
    scene.forge(forged).await;
    scene.stays_true().await;
    scene.end().await;
}

#[tokio::test]
async fn hooks_about_other_projects_than_they_say_change_nothing() {
    let mut scene = Scene::begin().await;
    let elsewhere = push(&scene.gitlab, "acme/other");
    scene.gitlab.advance(minutes(2));
    drop(waiting(&mut scene.hooks));
    let (own, other) = (scene.project(PROJECT), scene.project("acme/other"));
    let names = ["deploy", "made-up"].map(str::to_owned);
    // A pipeline of another project, under the name of this one, and the other way round.
    for (project, id) in [
        (own, elsewhere),
        (other, scene.last),
        (INVENTED_ID, scene.last),
    ] {
        let job = (INVENTED_ID, "deploy");
        scene.forge(build(project, id, job, "success")).await;
        scene.forge(pipeline(project, id, &names, "success")).await;
    }
    let mut of_other = scene.gitlab.hooks();
    let waits = scene.gitlab.with(|world| {
        let jobs = [JobPlan::held("deploy"), JobPlan::held("lint")];
        world.push_pipeline(other, PipelinePlan::new(jobs))
    });
    for hook in waiting(&mut of_other) {
        deliver(&scene.exporter, &hook).await;
    }
    super::end(&scene.gitlab, waits, "deploy", CiStatus::Failed);
    super::end(&scene.gitlab, waits, "lint", CiStatus::Success);
    for hook in waiting(&mut of_other) {
        deliver(&scene.exporter, &hook).await;
    }
    scene
        .forge(pipeline(other, elsewhere, &names, "success"))
        .await;
    scene.stays_true().await;
    scene.end().await;
}

#[tokio::test]
async fn hooks_that_are_sent_again_later_change_nothing() {
    let mut scene = Scene::begin().await;
    let mut recorder = scene.gitlab.hooks();
    scene.stays_true().await;
    let mut old = waiting(&mut recorder);
    assert!(old.len() > 8, "{}", old.len());
    for _ in 0..2 {
        old.reverse();
        for hook in &old {
            deliver(&scene.exporter, hook).await;
        }
        scene.stays_true().await;
    }
    scene.end().await;
}

#[tokio::test]
async fn a_secret_of_one_project_or_group_makes_nothing_be_read_of_another() {
    let gitlab = start(Options::default()).await.unwrap();
    let own = gitlab.with(|world| world.create_project(PROJECT));
    let other = gitlab.with(|world| world.create_project("acme/deep/other"));
    let pipeline_of = |path: &str| {
        let id = push(&gitlab, path);
        gitlab.advance(minutes(2));
        id
    };
    let (first, second) = (pipeline_of(PROJECT), pipeline_of("acme/deep/other"));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    polls_once_an_hour(&place);
    for name in ["project", "group"] {
        let secret = format!("the-secret-of-a-{name}");
        std::fs::write(place.config().with_file_name(name), secret).unwrap();
    }
    place.configure_also(
        "webhooks: {gitlab: {secrets: [{project: acme/shop, token_file: project}, \
         {group: acme/deep, token_file: group}]}}\n",
    );
    let exporter = place.start().await;
    let truths = gitlab.truth();
    exporter.shows("the truth", |s| equal(s, &truths)).await;
    let send = async |secret: &str, project: u64, id: u64| {
        let body = build(project, id, (INVENTED_ID, "deploy"), "success");
        post(&exporter, &[("X-Gitlab-Token", secret)], body.to_string()).await
    };
    gitlab.forget_requests();
    assert_eq!(send("the-secret-of-a-project", other, second).await, 202);
    assert_eq!(send("the-secret-of-a-group", own, first).await, 202);
    assert_eq!(send(&TOKEN.replace(' ', "-"), own, first).await, 401);
    events(&exporter, "job", "unauthorized", 2.0).await;
    assert_eq!(gitlab.requests().len(), 0, "{:?}", gitlab.requests());
    // With the right secret it is read, and what it says is not believed.
    assert_eq!(send("the-secret-of-a-project", own, first).await, 202);
    exporter
        .shows("a reading", |samples| {
            let asked = gitlab.requests().len();
            holds(
                asked > 0 && equal(samples, &truths).is_ok(),
                "nothing was read",
            )
        })
        .await;
    exporter.stop().await;
}

#[tokio::test]
async fn a_hook_of_a_merge_request_is_read_by_the_id_of_its_pipeline() {
    let gitlab = start(Options::default()).await.unwrap();
    let project = gitlab.with(|world| world.create_project(PROJECT));
    let id = gitlab.with(|world| {
        let plan = PipelinePlan::new([JobPlan::held("unit")]);
        let plan = plan.on("refs/merge-requests/7/head");
        world.push_pipeline(project, plan.from_source("merge_request_event"))
    });
    let place = place(
        &gitlab,
        "groups: [{path: acme}], refs: ['refs/merge-requests/.*'], sources: [merge_request_event]",
    );
    polls_once_an_hour(&place);
    let exporter = place.start().await;
    let pending = "job_pending_start_timestamp_seconds";
    exporter
        .shows("the job", |samples| {
            holds(!samples.of(pending, &[]).is_empty(), "no job")
        })
        .await;
    super::end(&gitlab, id, "unit", CiStatus::Failed);
    let mut hook = pipeline(project, id, &[MARK.to_owned()], "success");
    hook["object_attributes"]["ref"] = json!("feature-x");
    hook["object_attributes"]["source"] = json!("merge_request_event");
    hook["merge_request"] = json!({"id": 1, "iid": 7, "source_branch": "feature-x"});
    let event = "Pipeline Hook";
    deliver(&exporter, &Hook { event, body: hook }).await;
    let samples = exporter
        .shows(
            "the failure, although the hook says that it passed",
            |samples| {
                let streak = samples.value("job_consecutive_failures", &[("job_name", "unit")]);
                holds(streak == Some(1.0), format!("{streak:?}"))
            },
        )
        .await;
    assert!(!format!("{samples:?}").contains(MARK));
    exporter.stop().await;
}
