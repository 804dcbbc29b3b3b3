//! Webhooks of the simulated GitLab, and recorded ones, to the real program.

mod admission;
mod ends;
mod forged;
mod memory;

use std::collections::BTreeSet;
use std::time::Duration;

use gitlab_simulator::{CiStatus, Handle, Hook, HookTarget, JobPlan, Options, PipelinePlan, start};
use tokio::sync::mpsc::UnboundedReceiver;

use testkit::client;
use testkit::daemon::{Daemon, Place, gitlab, holds, until};
use testkit::samples::Samples;
use testkit::truth::{differences, polled, project_ids};

const TOKEN: &str = "a secret of the hook";
const PROJECT: &str = "acme/shop";
const EVENTS: &str = "job_failure_exporter_webhook_events_total";

/// An exporter that takes hooks with the token. `never` polls again of itself: once an hour.
pub(crate) fn place(gitlab: &Handle, watch: &str) -> Place {
    let place = Place::new(gitlab.url(), watch);
    let token = place.config().with_file_name("hook-token");
    std::fs::write(token, TOKEN.replace(' ', "-")).unwrap();
    place.configure_also("webhooks: {gitlab: {token_file: hook-token}}\n");
    place
}

pub(crate) fn polls_once_an_hour(place: &Place) {
    place.reconfigure(
        "interval: 100ms, idle_interval: 100ms, hooked_interval: 100ms",
        "interval: 1h, idle_interval: 1h",
    );
}

async fn post(exporter: &Daemon, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> u16 {
    let url = format!("http://{}/hooks/gitlab", exporter.address());
    let mut request = client().post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().status().as_u16()
}

pub(crate) async fn deliver(exporter: &Daemon, hook: &Hook) {
    let token = TOKEN.replace(' ', "-");
    let headers = [("X-Gitlab-Event", hook.event), ("X-Gitlab-Token", &token)];
    let status = post(exporter, &headers, hook.body.to_string()).await;
    assert_eq!(status, 202);
}

pub(crate) fn waiting(hooks: &mut UnboundedReceiver<Hook>) -> Vec<Hook> {
    std::iter::from_fn(|| hooks.try_recv().ok()).collect()
}

async fn events(exporter: &Daemon, kind: &str, result: &str, wanted: f64) {
    let labels = [("kind", kind), ("result", result)];
    exporter
        .shows("counted webhooks", |samples| {
            let found = samples.value(EVENTS, &labels);
            holds(found == Some(wanted), format!("{labels:?}: {found:?}"))
        })
        .await;
}

/// A pipeline whose jobs wait until somebody ends them.
fn held_jobs(gitlab: &Handle, names: &[&str]) -> u64 {
    let jobs: Vec<_> = names.iter().map(|name| JobPlan::held(*name)).collect();
    gitlab.with(|world| {
        let known = world.project_by_path(PROJECT).map(|project| project.id);
        let project = known.unwrap_or_else(|| world.create_project(PROJECT));
        world.push_pipeline(project, PipelinePlan::new(jobs))
    })
}

fn end(gitlab: &Handle, pipeline: u64, job: &str, status: CiStatus) {
    gitlab.with(|world| {
        let id = world.latest(pipeline, job).unwrap().id;
        world.set_job_status(id, status);
    });
}

fn executions(samples: &Samples, job: &str, outcome: &str) -> f64 {
    let labels = [("job_name", job), ("outcome", outcome)];
    samples.sum("job_executions_total", &labels)
}

#[tokio::test]
async fn a_new_pipeline_and_its_end_are_read_when_a_hook_tells_of_them() {
    let gitlab = start(Options::default()).await.unwrap();
    held_jobs(&gitlab, &["build"]);
    let place = place(&gitlab, "groups: [{path: acme}]");
    polls_once_an_hour(&place);
    let exporter = place.start().await;
    exporter.is_ready().await;
    let mut hooks = gitlab.hooks();
    let second = held_jobs(&gitlab, &["build"]);
    end(&gitlab, second, "build", CiStatus::Failed);
    for hook in waiting(&mut hooks) {
        deliver(&exporter, &hook).await;
    }
    let truth = gitlab.truth();
    exporter
        .shows("the failed job and its pipeline", |samples| {
            let pipelines = [("project", PROJECT), ("outcome", "failed")];
            let failed = samples.sum("pipeline_executions_total", &pipelines);
            let differences = differences(samples, &truth);
            holds(
                failed > 0.0 && differences.is_empty(),
                differences.join("\n"),
            )
        })
        .await;
    exporter.stop().await;
}

#[tokio::test]
async fn an_attempt_that_is_retried_by_itself_is_no_failure_for_a_moment() {
    let gitlab = start(Options::default()).await.unwrap();
    let project = gitlab.with(|world| world.create_project(PROJECT));
    let flaky = JobPlan::held("ui-tests").retried(1);
    let pipeline = gitlab.with(|world| world.push_pipeline(project, PipelinePlan::new([flaky])));
    let place = place(&gitlab, "groups: [{path: acme}]");
    polls_once_an_hour(&place);
    let exporter = place.start().await;
    exporter.is_ready().await;
    let mut hooks = gitlab.hooks();
    end(&gitlab, pipeline, "ui-tests", CiStatus::Failed);
    for hook in waiting(&mut hooks) {
        deliver(&exporter, &hook).await;
    }
    exporter
        .shows("the retry", |samples| {
            let retries = samples.sum("job_retries_total", &[("job_name", "ui-tests")]);
            holds(retries > 0.0, "no retry")
        })
        .await;
    end(&gitlab, pipeline, "ui-tests", CiStatus::Success);
    for hook in waiting(&mut hooks) {
        deliver(&exporter, &hook).await;
    }
    let samples = exporter
        .shows("the pass", |samples| {
            let flaky = samples.sum("job_flaky_executions_total", &[("job_name", "ui-tests")]);
            holds(flaky > 0.0, "not flaky")
        })
        .await;
    let failed = executions(&samples, "ui-tests", "failed");
    assert!(failed.abs() < 0.5, "{failed} failures were counted");
    exporter.stop().await;
}

/// Hooks as a bad network delivers them: a third is lost, a third comes twice, some steps later, in any
/// order.
struct Mangled {
    random: fastrand::Rng,
    late: Vec<Hook>,
}

impl Mangled {
    fn batch(&mut self, sent: Vec<Hook>) -> Vec<Hook> {
        let mut batch = Vec::new();
        for hook in sent {
            match self.random.u8(0..6) {
                0 | 1 => {}
                2 => {
                    batch.push(hook.clone());
                    batch.push(hook);
                }
                3 => {
                    batch.push(hook.clone());
                    self.late.push(hook);
                }
                _ => batch.push(hook),
            }
        }
        self.random.shuffle(&mut self.late);
        let some = self.random.usize(0..=self.late.len());
        batch.extend(self.late.drain(..some));
        self.random.shuffle(&mut batch);
        batch
    }
}

/// Lets one exporter have mangled hooks and another none, and compares what both come to.
async fn is_what_polling_comes_to(scenario: &str, least_taken: f64) {
    let gitlab = gitlab(scenario).await;
    let with_hooks = place(&gitlab, "groups: [{path: acme}]");
    let without = Place::new(gitlab.url(), "groups: [{path: acme}]");
    let hooked = with_hooks.start().await;
    let polling = without.start().await;
    hooked.is_ready().await;
    polling.is_ready().await;
    let projects = project_ids(&gitlab);
    let mut hooks = gitlab.hooks();
    let mut mangled = Mangled {
        random: fastrand::Rng::with_seed(7),
        late: Vec::new(),
    };
    for _ in 0..14 {
        gitlab.advance(Duration::from_secs(50));
        for hook in mangled.batch(waiting(&mut hooks)) {
            deliver(&hooked, &hook).await;
        }
        polled(&gitlab, &polling, &projects).await;
        polled(&gitlab, &hooked, &projects).await;
        // Two exporters poll: one alone may have made up both cycles.
        polled(&gitlab, &polling, &projects).await;
    }
    until("the same from both", async || {
        let (one, other) = (hooked.scrape().await.kept(), polling.scrape().await.kept());
        if one == other {
            return Ok(());
        }
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let (one, other) = (lines(&one), lines(&other));
        let ours: Vec<_> = one.difference(&other).collect();
        let theirs: Vec<_> = other.difference(&one).collect();
        Err(format!("{ours:#?}\nby polling alone: {theirs:#?}"))
    })
    .await;
    let samples = hooked.scrape().await;
    assert_eq!(differences(&samples, &gitlab.truth()), Vec::<String>::new());
    let taken = samples.sum(EVENTS, &[("result", "taken")]);
    assert!(taken > least_taken, "{taken} hooks were taken");
    hooked.stop().await;
    polling.stop().await;
}

#[tokio::test]
async fn lost_repeated_and_reordered_hooks_change_no_state_that_polling_alone_comes_to() {
    is_what_polling_comes_to("demo", 500.0).await;
}

#[tokio::test]
async fn hooks_of_children_and_their_parents_change_no_state_that_polling_alone_comes_to() {
    is_what_polling_comes_to("child-pipelines", 50.0).await;
}

/// A project whose pipelines have a job `tests` and a child with a job of that name, both held; gives
/// the parent and its child.
fn held_family(gitlab: &Handle) -> (u64, u64) {
    let child = PipelinePlan::new([JobPlan::held("tests")]);
    let jobs = [JobPlan::held("tests"), JobPlan::triggers("frontend", child)];
    let parent = gitlab.with(|world| {
        let project = world.create_project(PROJECT);
        world.push_pipeline(project, PipelinePlan::new(jobs))
    });
    gitlab.advance(Duration::from_mins(1));
    let child = gitlab.with(|world| world.latest(parent, "frontend").unwrap().downstream);
    (parent, child.unwrap())
}

#[tokio::test]
async fn a_hook_of_a_childs_job_counts_under_its_parent_and_not_under_its_own_name() {
    let gitlab = start(Options::default()).await.unwrap();
    let (_, child) = held_family(&gitlab);
    let place = place(&gitlab, "groups: [{path: acme}]");
    polls_once_an_hour(&place);
    let exporter = place.start().await;
    exporter.is_ready().await;
    let mut hooks = gitlab.hooks();
    end(&gitlab, child, "tests", CiStatus::Failed);
    let sent = waiting(&mut hooks);
    let of_the_job: Vec<_> = sent.into_iter().filter(|h| h.event == "Job Hook").collect();
    assert_eq!(of_the_job.len(), 1);
    for hook in of_the_job {
        deliver(&exporter, &hook).await;
    }
    let truth = gitlab.truth();
    let samples = exporter
        .shows("the failure in the child", |samples| {
            let failed = executions(samples, "frontend / tests", "failed");
            let differences = differences(samples, &truth);
            holds(
                failed > 0.0 && differences.is_empty(),
                differences.join("\n"),
            )
        })
        .await;
    for outcome in ["failed", "passed"] {
        let found = executions(&samples, "tests", outcome);
        assert!(found.abs() < 0.5, "the parent's own job is held: {found}");
    }
    exporter.stop().await;
}

#[tokio::test]
async fn hooks_of_children_that_are_not_followed_change_nothing() {
    let gitlab = start(Options::default()).await.unwrap();
    let (parent, child) = held_family(&gitlab);
    let place = place(
        &gitlab,
        "groups: [{path: acme}], child_pipelines: ignore, schedules: false",
    );
    let exporter = place.start().await;
    exporter.is_ready().await;
    let mut hooks = gitlab.hooks();
    end(&gitlab, child, "tests", CiStatus::Failed);
    let mut sent = waiting(&mut hooks);
    sent.retain(|hook| {
        let of_job = hook.body["pipeline_id"] == child;
        of_job || hook.body["object_attributes"]["id"] == child
    });
    let pipelines = sent.iter().filter(|hook| hook.event == "Pipeline Hook");
    let ignored = pipelines.count();
    assert!(ignored > 0 && sent.len() > ignored, "{sent:?}");
    for hook in sent {
        deliver(&exporter, &hook).await;
    }
    events(&exporter, "pipeline", "ignored", ignored as f64).await;
    // What its jobs' hooks have woken has come to an end, too.
    end(&gitlab, parent, "tests", CiStatus::Success);
    let samples = exporter
        .shows("the parent's own job", |samples| {
            holds(executions(samples, "tests", "passed") > 0.0, "not yet")
        })
        .await;
    let failed = samples.sum("job_executions_total", &[("outcome", "failed")]);
    assert!(failed.abs() < 0.5, "{failed} failures were counted");
    let names = samples.of("job_consecutive_failures", &[]);
    assert_eq!(names.len(), 1, "{names:?}");
    exporter.stop().await;
}

#[tokio::test]
async fn hooks_of_merge_requests_tags_and_what_else_is_not_watched_enter_no_timeline() {
    let gitlab = start(Options::default()).await.unwrap();
    let project = gitlab.with(|world| world.create_project(PROJECT));
    let jobs = || PipelinePlan::new([JobPlan::passes("lint"), JobPlan::fails("unit")]);
    gitlab.with(|world| world.push_pipeline(project, jobs()));
    gitlab.advance(Duration::from_mins(1));
    let place = place(&gitlab, "groups: [{path: acme}]");
    let exporter = place.start().await;
    exporter.is_ready().await;
    let projects = project_ids(&gitlab);
    polled(&gitlab, &exporter, &projects).await;
    let before = exporter.scrape().await.kept();
    let mut hooks = gitlab.hooks();
    gitlab.with(|world| {
        for plan in [
            jobs().from_source("merge_request_event"),
            jobs().from_source("pipeline"),
            jobs().from_source("of_a_newer_gitlab"),
            jobs().on("v1.0"),
            jobs().on("feature/x"),
            jobs()
                .on("refs/merge-requests/7/merge")
                .from_source("merge_request_event"),
        ] {
            world.push_pipeline(project, plan);
        }
    });
    gitlab.advance(Duration::from_mins(1));
    let sent = waiting(&mut hooks);
    let of_pipelines = sent.iter().filter(|hook| hook.event == "Pipeline Hook");
    let ignored = of_pipelines.count();
    assert!(sent.len() > 40, "{}", sent.len());
    for hook in &sent {
        deliver(&exporter, hook).await;
    }
    // They are worked on in turn: the last one is done with when as many are ignored.
    events(&exporter, "pipeline", "ignored", ignored as f64).await;
    exporter
        .shows("all hooks worked on", |samples| {
            let labels = |result| [("kind", "job"), ("result", result)];
            let worked = samples.sum(EVENTS, &labels("taken"));
            let worked = worked + samples.sum(EVENTS, &labels("ignored"));
            let wanted = (sent.len() - ignored) as f64;
            holds(worked >= wanted, format!("{worked} of {wanted}"))
        })
        .await;
    polled(&gitlab, &exporter, &projects).await;
    polled(&gitlab, &exporter, &projects).await;
    assert_eq!(exporter.scrape().await.kept(), before);
    exporter.stop().await;
}

#[tokio::test]
async fn the_simulated_gitlab_sends_its_hooks_itself() {
    let receiver = start(Options::default()).await.unwrap();
    let exporter_place = place(&receiver, "groups: [{path: acme}]");
    receiver.with(|world| world.create_project(PROJECT));
    let exporter = exporter_place.start().await;
    exporter.is_ready().await;
    let sender = start(Options {
        hooks: Some(HookTarget {
            url: format!("http://{}/hooks/gitlab", exporter.address()),
            token: TOKEN.replace(' ', "-"),
        }),
        ..Options::default()
    });
    let sender = sender.await.unwrap();
    // Its first project has the id of the one that is watched.
    held_jobs(&sender, &["build"]);
    events(&exporter, "pipeline", "taken", 1.0).await;
    events(&exporter, "job", "taken", 1.0).await;
    exporter.stop().await;
}
