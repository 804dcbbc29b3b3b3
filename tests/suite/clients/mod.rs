//! Real clients of GitLab carry out every verb that changes something on the simulated GitLab.

mod glab;
mod python_gitlab;

use gitlab_simulator::{ActionKind, Handle, JobPlan, Options, PipelinePlan, Role, Scope, start};

use testkit::daemon::minutes;

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

/// Fails unless the bot, and nobody else, did each of these.
fn bot_did_all_of(gitlab: &Handle, bot: u64, kinds: &[ActionKind]) {
    let actions = gitlab.actions();
    assert!(actions.iter().all(|action| action.user == bot));
    for kind in kinds {
        assert!(
            actions.iter().any(|action| action.kind == *kind),
            "{kind:?}"
        );
    }
    assert_eq!(gitlab.retried_twice(), []);
}
