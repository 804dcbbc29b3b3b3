//! Pipelines whose end few webhooks tell of, or none: the exporter looks for it itself.

use std::time::Duration;

use gitlab_simulator::{CiStatus, Ending, Handle, Hook, JobPlan, Options, PipelinePlan, start};
use testkit::daemon::{Daemon, Place, holds, until_within};
use testkit::truth::equal;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{deliver, place, polls_once_an_hour, waiting};

/// Far less than the hour in which the next poll would show it.
const PATIENCE: Duration = Duration::from_secs(30);

const STEP: Duration = Duration::from_secs(20);

/// Which webhooks come, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Whole,
    Reversed,
    Twice,
    /// The end of no pipeline is told.
    WithoutEnds,
    OfJobsOnly,
    OfChildrenOnly,
}

impl Delivery {
    fn is_of_all(self) -> bool {
        matches!(self, Self::Whole | Self::Reversed | Self::Twice)
    }

    fn of(self, mut sent: Vec<Hook>) -> Vec<Hook> {
        match self {
            Self::Whole => {}
            Self::Reversed => sent.reverse(),
            Self::Twice => sent = [sent.clone(), sent].concat(),
            Self::WithoutEnds => sent.retain(|hook| {
                let status = &hook.body["object_attributes"]["status"];
                status != "success" && status != "failed"
            }),
            Self::OfJobsOnly => sent.retain(|hook| hook.event == "Job Hook"),
            Self::OfChildrenOnly => sent.retain(is_of_child_or_start),
        }
        sent
    }
}

/// Of a parent only its start is told, so that the exporter knows it.
fn is_of_child_or_start(hook: &Hook) -> bool {
    let pipeline = &hook.body["object_attributes"];
    let is_of_parent = hook.event == "Job Hook" || pipeline["source"] != "parent_pipeline";
    let is_inner = hook.body["build_name"]
        .as_str()
        .is_some_and(|it| it.starts_with("inner"));
    !is_of_parent || is_inner || pipeline["status"] == "running"
}

/// Parents of which a child ends last, each in a project of its own.
fn families() -> Vec<(&'static str, PipelinePlan)> {
    let family = |child: PipelinePlan| {
        PipelinePlan::new([JobPlan::passes("build"), JobPlan::triggers("child", child)])
    };
    let one = |job: JobPlan| PipelinePlan::new([slow(job)]);
    let with_child_that_may_fail = {
        let bridge = JobPlan::triggers("child", one(JobPlan::fails("inner")));
        PipelinePlan::new([JobPlan::passes("build"), bridge.allowed_to_fail()])
    };
    let elsewhere = one(JobPlan::passes("inner"));
    let elsewhere = JobPlan::triggers("child", elsewhere).in_project("acme/elsewhere");
    let deep = JobPlan::triggers("deep", one(JobPlan::passes("inner-most")));
    let detached = JobPlan::triggers("child", one(JobPlan::passes("inner"))).detached();
    let optional = JobPlan::passes("inner-manual").manual().allowed_to_fail();
    let manual = PipelinePlan::new([slow(JobPlan::passes("inner")), optional]);
    vec![
        ("passes", family(one(JobPlan::passes("inner")))),
        ("fails", family(one(JobPlan::fails("inner")))),
        (
            "may-fail",
            family(one(JobPlan::fails("inner").allowed_to_fail())),
        ),
        ("child-may-fail", with_child_that_may_fail),
        ("retried", family(one(JobPlan::fails("inner").retried(1)))),
        ("deep", family(PipelinePlan::new([deep]))),
        (
            "detached",
            PipelinePlan::new([JobPlan::passes("build"), detached]),
        ),
        ("manual", family(manual)),
        (
            "other-project",
            PipelinePlan::new([JobPlan::passes("build"), elsewhere]),
        ),
        ("single", one(JobPlan::fails("inner"))),
    ]
}

/// Known as running at one look, and ended at a later one.
fn slow(job: JobPlan) -> JobPlan {
    job.taking(Duration::from_secs(5), Duration::from_secs(50))
}

struct Scene {
    gitlab: Handle,
    exporter: Daemon,
    hooks: UnboundedReceiver<Hook>,
    // Removed at the end.
    _place: Place,
}

impl Scene {
    /// Each project has one pipeline that has ended.
    async fn begin(paths: impl IntoIterator<Item = &'static str>) -> Self {
        let gitlab = start(Options::default()).await.unwrap();
        gitlab.with(|world| {
            for path in paths {
                let project = world.create_project(&format!("acme/{path}"));
                world.push_pipeline(project, PipelinePlan::new([JobPlan::passes("build")]));
            }
        });
        gitlab.advance(Duration::from_mins(10));
        let place = place(&gitlab, "groups: [{path: acme}]");
        polls_once_an_hour(&place);
        let exporter = place.start().await;
        let truths = gitlab.truth();
        exporter.shows("the truth", |s| equal(s, &truths)).await;
        exporter.is_ready().await;
        Self {
            hooks: gitlab.hooks(),
            gitlab,
            exporter,
            _place: place,
        }
    }

    fn push(&self, path: &str, plan: PipelinePlan) -> u64 {
        self.gitlab.with(|world| {
            let project = world.project_by_path(&format!("acme/{path}")).unwrap().id;
            world.push_pipeline(project, plan)
        })
    }

    async fn passes(&mut self, time: Duration, delivery: Delivery) {
        self.gitlab.advance(time);
        for hook in delivery.of(waiting(&mut self.hooks)) {
            deliver(&self.exporter, &hook).await;
        }
    }

    /// Waits until all jobs and the ends of all pipelines are served.
    async fn is_true(&self, what: &str) {
        let truths = self.gitlab.truth();
        let ended = self.ended();
        until_within(PATIENCE, what, async || {
            let samples = self.exporter.scrape().await;
            equal(&samples, &truths)?;
            for (project, wanted) in &ended {
                let counted = samples.sum("pipeline_executions_total", &[("project", project)]);
                holds(
                    counted >= *wanted as f64,
                    format!("{project}: {counted} of {wanted}\n{}", self.exporter.log()),
                )?;
            }
            Ok(())
        })
        .await;
    }

    /// How many watched pipelines of each project have ended. One that was retried may count twice.
    fn ended(&self) -> Vec<(String, usize)> {
        let paths: Vec<_> = self
            .gitlab
            .truth()
            .into_iter()
            .map(|job| job.project)
            .collect();
        self.gitlab.with(|world| {
            let ended = paths.into_iter().map(|path| {
                let id = world.project_by_path(&path).unwrap().id;
                let own = world.visible_pipelines(id).filter(|it| it.source == "push");
                let ended = own.filter(|it| it.status.is_terminal()).count();
                (path, ended)
            });
            ended.collect()
        })
    }
}

async fn the_end_is_counted(delivery: Delivery) {
    let mut families = families();
    if !delivery.is_of_all() {
        // No webhook of its own project tells when it goes on.
        families.retain(|(path, _)| *path != "other-project");
    }
    let paths = families.iter().map(|(path, _)| *path);
    let mut scene = Scene::begin(paths.chain(["elsewhere"])).await;
    for (path, plan) in families {
        scene.push(path, plan);
    }
    for _ in 0..8 {
        scene.passes(STEP, delivery).await;
    }
    scene.is_true(&format!("the ends, {delivery:?}")).await;
    scene.exporter.stop().await;
}

#[tokio::test]
async fn a_parent_whose_child_ends_last_is_counted_whichever_webhooks_come() {
    the_end_is_counted(Delivery::Whole).await;
    the_end_is_counted(Delivery::Reversed).await;
    the_end_is_counted(Delivery::Twice).await;
}

#[tokio::test]
async fn a_parent_whose_own_end_no_webhook_tells_of_is_counted() {
    the_end_is_counted(Delivery::WithoutEnds).await;
    the_end_is_counted(Delivery::OfJobsOnly).await;
    the_end_is_counted(Delivery::OfChildrenOnly).await;
}

/// The bug at its smallest: a parent and its child are known as running, and their ends are one reading.
#[tokio::test]
async fn the_ends_of_a_parent_and_its_child_in_one_moment_are_both_seen() {
    let mut scene = Scene::begin(["app"]).await;
    let child = PipelinePlan::new([JobPlan::held("inner")]);
    let parent = scene.push(
        "app",
        PipelinePlan::new([JobPlan::triggers("child", child)]),
    );
    scene.passes(STEP, Delivery::Whole).await;
    scene.is_true("the running family").await;
    let child =
        |world: &mut gitlab_simulator::World| world.latest(parent, "child").unwrap().downstream;
    let child = scene.gitlab.with(child).unwrap();
    super::end(&scene.gitlab, child, "inner", CiStatus::Success);
    let mut ends = waiting(&mut scene.hooks);
    ends.retain(|hook| hook.body["object_attributes"]["status"] == "success");
    assert_eq!(ends.len(), 2);
    let (one, other) = (&ends[0], &ends[1]);
    tokio::join!(
        deliver(&scene.exporter, one),
        deliver(&scene.exporter, other)
    );
    scene.is_true("the end of both").await;
    scene.exporter.stop().await;
}

#[tokio::test]
async fn a_webhook_that_comes_before_the_api_shows_the_end_is_not_in_vain() {
    let mut scene = Scene::begin(["app", "family"]).await;
    scene.push("app", PipelinePlan::new([slow(JobPlan::fails("unit"))]));
    let child = PipelinePlan::new([slow(JobPlan::fails("inner"))]);
    scene.push(
        "family",
        PipelinePlan::new([JobPlan::triggers("child", child)]),
    );
    scene.passes(STEP, Delivery::Whole).await;
    scene.is_true("the running jobs").await;
    scene.gitlab.lag(&[], 1);
    scene.passes(Duration::from_mins(2), Delivery::Whole).await;
    // The exporter has asked and was told what was.
    let asked = async || {
        let asked = scene.gitlab.requests().len();
        holds(asked > 0, "nothing was asked")
    };
    scene.gitlab.forget_requests();
    until_within(PATIENCE, "a reading", asked).await;
    scene.gitlab.catch_up();
    scene.is_true("the end").await;
    scene.exporter.stop().await;
}

#[tokio::test]
async fn a_new_pipeline_that_the_api_does_not_show_yet_is_asked_for_again() {
    let mut scene = Scene::begin(["app"]).await;
    let plan = PipelinePlan::new([JobPlan::fails("unit")]);
    scene.push("app", plan.hidden_for(Duration::from_secs(50)));
    scene.passes(Duration::from_secs(40), Delivery::Whole).await;
    until_within(PATIENCE, "a question", async || {
        let asked = scene.gitlab.count("GET /projects/:id/pipelines/:pid");
        holds(asked > 0, "not asked")
    })
    .await;
    scene.gitlab.advance(Duration::from_secs(20));
    scene.is_true("the pipeline").await;
    scene.exporter.stop().await;
}

#[tokio::test]
async fn a_job_of_an_ended_child_that_is_retried_counts_though_it_moves_no_parent() {
    let mut scene = Scene::begin(["app"]).await;
    let endings = [Ending::fails(), Ending::Passes];
    let child = PipelinePlan::new([JobPlan::new("inner", endings)]);
    let bridge = JobPlan::triggers("child", child).detached();
    let parent = scene.push("app", PipelinePlan::new([JobPlan::passes("build"), bridge]));
    for _ in 0..4 {
        scene.passes(STEP, Delivery::Whole).await;
    }
    scene.is_true("the failure").await;
    scene.passes(Duration::from_hours(5), Delivery::Whole).await;
    scene.gitlab.with(|world| {
        let child = world.latest(parent, "child").unwrap().downstream;
        let failed = world.latest(child.unwrap(), "inner").unwrap().id;
        world.retry_job(failed).unwrap();
    });
    scene.passes(Duration::from_mins(2), Delivery::Whole).await;
    scene.is_true("the retry").await;
    scene.exporter.stop().await;
}

#[tokio::test]
async fn a_late_webhook_about_an_old_pipeline_hides_no_retry_of_it() {
    let mut scene = Scene::begin(["app"]).await;
    let flaky = JobPlan::new("unit", [Ending::fails(), Ending::Passes]);
    let old = scene.push("app", PipelinePlan::new([flaky]));
    scene.gitlab.advance(STEP * 4);
    let late = waiting(&mut scene.hooks);
    for hook in &late {
        deliver(&scene.exporter, hook).await;
    }
    scene.is_true("the failure").await;
    scene.gitlab.advance(Duration::from_hours(1));
    scene.push("app", PipelinePlan::new([JobPlan::passes("build")]));
    scene.passes(STEP * 4, Delivery::Whole).await;
    scene.is_true("the newer pipeline").await;
    scene.gitlab.forget_requests();
    deliver(&scene.exporter, late.last().unwrap()).await;
    until_within(PATIENCE, "a question", async || {
        holds(!scene.gitlab.requests().is_empty(), "not asked")
    })
    .await;
    scene.gitlab.with(|world| {
        let failed = world.latest(old, "unit").unwrap().id;
        world.retry_job(failed).unwrap();
    });
    scene.passes(STEP * 4, Delivery::Whole).await;
    scene.is_true("the retry").await;
    scene.exporter.stop().await;
}
