//! GitLab's own command line, glab. Debian 12 has no package of it: `scripts/other-versions.sh` fetches it from a newer
//! release, and runs this test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use gitlab_simulator::ActionKind;
use serde_json::Value;

use super::{READ, WRITE, bot_did_all_of, shop};

/// glab on one GitLab, with one token.
struct Glab<'a> {
    home: &'a Path,
    url: &'a str,
    token: &'a str,
}

impl Glab<'_> {
    /// Runs glab on the project. Returns whether it succeeded, and all that it printed.
    fn run(&self, line: &[&str]) -> (bool, String) {
        let program = std::env::var("GLAB").expect("GLAB, the path of glab");
        let done = Command::new(program)
            .args(line)
            .envs([("GITLAB_HOST", self.url), ("GITLAB_TOKEN", self.token)])
            .envs([("GLAB_SEND_TELEMETRY", "false"), ("NO_COLOR", "1")])
            .env("GLAB_CHECK_UPDATE", "false")
            .env("HOME", self.home)
            .env("XDG_CONFIG_HOME", self.home)
            .current_dir(self.home)
            .stdin(Stdio::null())
            .output()
            .expect("glab starts");
        let printed = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        (done.status.success(), printed.into_owned())
    }

    #[track_caller]
    fn must(&self, line: &[&str], said: &str) {
        let (passed, printed) = self.run(&[line, &["-R", "acme/shop"]].concat());
        assert!(passed && printed.contains(said), "{line:?}: {printed}");
    }

    #[track_caller]
    fn must_not(&self, line: &[&str], said: &str) {
        let (_, printed) = self.run(&[line, &["-R", "acme/shop"]].concat());
        assert!(printed.contains(said), "{line:?}: {printed}");
    }

    /// Reads from the API.
    #[track_caller]
    fn read(&self, path: &str) -> Value {
        let (passed, printed) = self.run(&["api", &format!("projects/acme%2Fshop/{path}")]);
        assert!(passed, "{path}: {printed}");
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }
}

/// `glab api` takes HTTP only from its configuration.
fn configure(home: &Path, url: &str) {
    let folder = home.join("glab-cli");
    let file = folder.join("config.yml");
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    fs::create_dir(&folder).unwrap();
    let text = format!("hosts:\n  {host}:\n    api_protocol: http\n    api_host: {host}\n");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn id_of(jobs: &Value, name: &str) -> String {
    let mut jobs = jobs.as_array().unwrap().iter();
    jobs.find(|job| job["name"] == name).unwrap()["id"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "scripts/other-versions.sh fetches glab and runs it"]
async fn glab_retries_plays_cancels_and_creates_as_on_a_real_gitlab() {
    let (gitlab, bot) = shop().await;
    let home = tempfile::tempdir().unwrap();
    let url = gitlab.url().to_owned();
    configure(home.path(), &url);
    let with = |token| Glab {
        home: home.path(),
        url: &url,
        token,
    };
    tokio::task::block_in_place(|| every_verb(&with(WRITE), &with(READ)));
    let kinds = [
        ActionKind::RetryJob,
        ActionKind::CreatePipeline,
        ActionKind::PlayJob,
        ActionKind::PlaySchedule,
        ActionKind::CancelJob,
        ActionKind::CancelPipeline,
    ];
    bot_did_all_of(&gitlab, bot, &kinds);
}

fn every_verb(glab: &Glab<'_>, reader: &Glab<'_>) {
    let broken = glab.read("pipelines")[0]["id"].to_string();
    let jobs = glab.read(&format!("pipelines/{broken}/jobs"));
    let (test, gate) = (id_of(&jobs, "test"), id_of(&jobs, "gate"));

    reader.must_not(&["ci", "retry", &test], "insufficient_scope");
    glab.must(&["ci", "retry", &test], "Retried job");
    glab.must_not(&["ci", "retry", &test], "Job is not retryable");
    let jobs = glab.read(&format!("pipelines/{broken}/jobs"));
    let again = id_of(&jobs, "test");
    assert_ne!(again, test);

    glab.must(&["ci", "trigger", &gate], "Triggered job");
    glab.must(&["ci", "cancel", "job", &gate], "is canceled");
    assert_eq!(glab.read(&format!("jobs/{gate}"))["status"], "canceled");
    glab.must_not(&["ci", "trigger", &id_of(&jobs, "lint")], "Unplayable Job");

    glab.must(&["ci", "cancel", "pipeline", &broken], "is canceled");
    assert_eq!(glab.read(&format!("jobs/{again}"))["status"], "canceled");

    glab.must(&["ci", "run", "-b", "main"], "Created pipeline");
    assert_eq!(glab.read("pipelines")[0]["source"], "api");
    glab.must_not(&["ci", "run", "-b", "gone"], "Reference not found");

    let schedule = glab.read("pipeline_schedules")[0]["id"].to_string();
    glab.must(&["schedule", "run", &schedule], "Started schedule");
}
