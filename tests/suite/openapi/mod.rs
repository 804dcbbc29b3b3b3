//! `docs/openapi.yml` is held to a running exporter with data, and schemathesis looks for answers that break it.

use std::path::Path;

use gitlab_simulator::{Handle, JobPlan, PipelinePlan};
use testkit::daemon::{Daemon, Place, gitlab, holds, minutes, until};
use testkit::s3_servers::tool;

use crate::tools::{at_root, run};

/// Secret of the caller who may ask for actions. None is done: the mode is `report`.
const CALLER: &str = "0123456789abcdef";

/// Cases of each operation that schemathesis makes up, beside those of its coverage phase.
const EXAMPLES: &str = "12";

/// Time of schemathesis, in seconds. It ends earlier if all cases were tried.
const LONGEST: &str = "30";

async fn exporter() -> (Handle, Place, Daemon) {
    let gitlab = gitlab("demo").await;
    gitlab.with(|world| {
        let project = world.create_project("acme/nightly");
        let plan = PipelinePlan::new([JobPlan::passes("backup")]);
        world.create_schedule(project, "backup", minutes(3), plan);
    });
    gitlab.advance(minutes(10));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}]");
    std::fs::write(place.config().with_file_name("caller"), CALLER).unwrap();
    place.configure_also(
        "remediation: {mode: report, callers: [{name: test, token_file: caller}], \
         rules: [{name: all, match: {failure_classes: [script, infrastructure]}, action: recover, delays: [10s]}]}\n",
    );
    let daemon = place.start().await;
    daemon.is_ready().await;
    until("schedules and a failing job", async || {
        let (_, schedules) = daemon.get("/api/v1/schedules").await;
        let (_, jobs) = daemon.get("/api/v1/jobs?state=failing").await;
        let has_rows = |text: &str| !text.contains("\"matching\":0");
        holds(has_rows(&schedules) && has_rows(&jobs), schedules)
    })
    .await;
    (gitlab, place, daemon)
}

fn schemathesis(file: &Path, url: &str) {
    let authorization = format!("Authorization: Bearer {CALLER}");
    let line = [
        "run",
        file.to_str().unwrap(),
        "--url",
        url,
        "--header",
        &authorization,
        "--checks",
        "all",
        "--max-examples",
        EXAMPLES,
        "--generation-deterministic",
        "--max-time",
        LONGEST,
        "--phases",
        "examples,coverage,fuzzing",
        "--request-timeout",
        "10",
        "--workers",
        "1",
        "--max-failures",
        "10",
        "--no-color",
    ];
    // It writes what it found to the working directory.
    let folder = file.parent().unwrap().to_str().unwrap();
    let program = tool("schemathesis");
    let command = ["-C", folder, program.to_str().unwrap()];
    run("env", command.into_iter().chain(line)).must_pass();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_of_the_api_is_true_and_nothing_that_it_allows_breaks_the_exporter() {
    let (_gitlab, place, daemon) = exporter().await;
    let url = format!("http://{}", daemon.address());
    let copy = place.config().with_file_name("openapi.yml");
    let script = at_root("tests/suite/openapi/check.py");
    let file = at_root("docs/openapi.yml");
    let python = tool("python");
    let line = [script.as_path(), &file];
    let line = line.map(|path| path.to_str().unwrap());
    let line = line
        .into_iter()
        .chain([&*url, CALLER, copy.to_str().unwrap()]);
    tokio::task::block_in_place(|| {
        run(python.to_str().unwrap(), line).must_pass();
        schemathesis(&copy, &url);
    });
    daemon.stop().await;
}
