//! A real client, python-gitlab, carries out every verb that changes something on the simulated GitLab.

use gitlab_simulator::{ActionKind, Handle, JobPlan, Options, PipelinePlan, Role, Scope, start};

use testkit::daemon::minutes;
use testkit::s3_servers::tool;

use crate::tools::{at_root, run};

const WRITE: &str = "glpat-write";
const READ: &str = "glpat-read";

/// A GitLab with a pipeline of every kind of job, a schedule, and a bot with two tokens. Returns the bot.
async fn shop() -> (Handle, u64) {
    let gitlab = start(Options::default()).await.unwrap();
    let bot = gitlab.with(|world| {
        let project = world.create_project("acme/shop");
        let bot = world.add_bot(project, Role::Maintainer);
        world.protect_ref(project, "main", Role::Maintainer);
        world.add_token(WRITE, bot, &[Scope::Api]);
        world.add_token(READ, bot, &[Scope::ReadApi]);
        let nightly = PipelinePlan::new([JobPlan::passes("nightly")]);
        world.create_schedule(project, "nightly", minutes(600), nightly);
        let child = PipelinePlan::new([JobPlan::fails("inner")]);
        world.push_pipeline(
            project,
            PipelinePlan::new([
                JobPlan::fails("test"),
                JobPlan::passes("lint"),
                JobPlan::passes("gate").manual(),
                JobPlan::triggers("frontend", child),
                JobPlan::passes("deploy").in_stage("deploy"),
            ]),
        );
        bot
    });
    gitlab.advance(minutes(5));
    (gitlab, bot)
}

#[tokio::test(flavor = "multi_thread")]
async fn python_gitlab_retries_plays_cancels_and_creates_as_on_a_real_gitlab() {
    let (gitlab, bot) = shop().await;
    let script = at_root("tests/suite/python_gitlab/verbs.py");
    let python = tool("python");
    let line = [script.to_str().unwrap(), gitlab.url(), WRITE, READ];
    tokio::task::block_in_place(|| run(python.to_str().unwrap(), line)).must_pass();

    let actions = gitlab.actions();
    assert!(actions.iter().all(|action| action.user == bot));
    for kind in [
        ActionKind::RetryJob,
        ActionKind::RetryPipeline,
        ActionKind::CreatePipeline,
        ActionKind::PlayJob,
        ActionKind::PlaySchedule,
        ActionKind::CancelJob,
        ActionKind::CancelPipeline,
    ] {
        assert!(actions.iter().any(|action| action.kind == kind), "{kind:?}");
    }
    assert_eq!(gitlab.retried_twice(), []);
}
