//! python-gitlab.

use gitlab_simulator::ActionKind;
use testkit::s3_servers::tool;

use super::{READ, WRITE, bot_did_all_of, shop};
use crate::tools::{at_root, run};

#[tokio::test(flavor = "multi_thread")]
async fn python_gitlab_retries_plays_cancels_and_creates_as_on_a_real_gitlab() {
    let (gitlab, bot) = shop().await;
    let script = at_root("tests/suite/clients/verbs.py");
    let python = tool("python");
    let line = [script.to_str().unwrap(), gitlab.url(), WRITE, READ];
    tokio::task::block_in_place(|| run(python.to_str().unwrap(), line)).must_pass();
    let kinds = [
        ActionKind::RetryJob,
        ActionKind::RetryPipeline,
        ActionKind::CreatePipeline,
        ActionKind::PlayJob,
        ActionKind::PlaySchedule,
        ActionKind::CancelJob,
        ActionKind::CancelPipeline,
    ];
    bot_did_all_of(&gitlab, bot, &kinds);
}
