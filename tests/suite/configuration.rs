//! What a good configuration becomes, and `check-config` as the real program.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use ci_history::{
    AbsentJobs, InfrastructureFailures, JobNames, LatePipelines, NeverFailedJobs,
    OutdatedDeployments, Rules,
};
use job_failure_exporter::config::{Backfill, Config, Location, Overrides, Problems};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

fn nothing(_: &str) -> Option<String> {
    None
}

fn folder_with(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), text).unwrap();
    folder
}

fn load(text: &str) -> Result<Config, Problems> {
    let folder = folder_with(text);
    let file = folder.path().join("config.yml");
    Config::load(Some(&file), &Overrides::default(), &nothing)
}

fn projects(projects: &[&str]) -> Overrides {
    Overrides {
        projects: projects.iter().map(ToString::to_string).collect(),
        ..Overrides::default()
    }
}

#[test]
fn one_project_is_enough_and_everything_else_has_its_default() {
    let config = Config::load(None, &projects(&["group/app"]), &nothing).unwrap();
    assert_eq!(config.gitlab.url.as_str(), "https://gitlab.com/");
    assert!(config.gitlab.token.is_none());
    assert!(config.gitlab.certificates.is_empty());
    assert_eq!(config.gitlab.timeout, Duration::from_secs(10));
    assert!((config.gitlab.requests_per_second - 10.0).abs() < f64::EPSILON);
    assert_eq!(config.watch.interval, Duration::from_secs(30));
    assert_eq!(config.watch.idle_interval, Duration::from_mins(5));
    assert_eq!(config.watch.projects, ["group/app"]);
    assert!(config.watch.groups.is_empty());
    assert!(config.watch.refs.only_default());
    assert_eq!(
        config.watch.backfill,
        Backfill {
            pipelines: 50,
            days: None
        }
    );
    assert_eq!(config.counting, Rules::default());
    assert!(config.owners.is_empty());
    let state = Location::Directory("./state".into());
    assert_eq!(config.store.location, state);
    assert_eq!(config.store.save_interval, Duration::from_secs(10));
    assert_eq!(config.retention, Duration::from_hours(30 * 24));
    assert_eq!(config.listen_address.to_string(), ":10141");
    for source in [
        "push", "web", "api", "schedule", "trigger", "chat", "webide",
    ] {
        assert!(config.watch.sources.matches(Some(source)), "{source}");
    }
    for source in [
        "merge_request_event",
        "pipeline",
        "parent_pipeline",
        "external",
    ] {
        assert!(!config.watch.sources.matches(Some(source)), "{source}");
    }
    assert!(config.watch.jobs.matches("any: [job, 1]"));
}

#[test]
fn nothing_at_all_says_how_to_watch_something() {
    let problems = Config::load(None, &Overrides::default(), &nothing).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "watch: nothing is watched; give a project (`--project group/app`, or watch.projects) \
         or a group (`--group platform`, or watch.groups)"
    );
}

#[test]
fn an_address_under_a_path_keeps_it_and_ends_in_a_slash() {
    for url in ["https://example.com/gitlab", "https://example.com/gitlab/"] {
        let config = load(&format!(
            "{{watch: {{projects: [1]}}, gitlab: {{url: '{url}'}}}}"
        ));
        let url = config.unwrap().gitlab.url;
        assert_eq!(url.as_str(), "https://example.com/gitlab/");
    }
}

#[test]
fn a_project_can_be_given_by_its_id_and_is_kept_once() {
    let config = load("watch: {projects: [4711, group/app, '4711', group/sub/app]}").unwrap();
    assert_eq!(
        config.watch.projects,
        ["4711", "group/app", "group/sub/app"]
    );
}

#[test]
fn a_groups_exclude_stays_within_its_part_of_the_path() {
    let config = load(
        "watch: {groups: [{path: platform, include_subgroups: false, exclude: ['platform/*-old', 'platform/attic/**']}, {path: 12}]}",
    )
    .unwrap();
    let [platform, twelve] = config.watch.groups.as_slice() else {
        panic!("{:?}", config.watch.groups)
    };
    assert!(!platform.include_subgroups);
    assert!(platform.exclude.is_match("platform/app-old"));
    assert!(platform.exclude.is_match("platform/attic/a/b"));
    assert!(!platform.exclude.is_match("platform/sub/app-old"));
    assert_eq!(
        (twelve.path.as_str(), twelve.include_subgroups),
        ("12", true)
    );
    assert!(twelve.exclude.is_empty());
}

#[test]
fn a_longer_interval_takes_the_default_of_the_idle_one_with_it() {
    let config = load("watch: {projects: [1], interval: 10m}").unwrap();
    assert_eq!(config.watch.idle_interval, Duration::from_mins(10));
}

#[test]
fn every_word_of_counting_settles_its_rule() {
    let config = load(
        "watch: {projects: [1]}
counting: {window: 25, late_pipelines: skip, absent_jobs: pass, infrastructure_failures: ignore, job_names: grouped, never_failed_jobs: ignore, outdated_deployments: count, absent_after: 3}",
    );
    let wanted = Rules {
        window: 25,
        late_pipelines: LatePipelines::Skip,
        absent_jobs: AbsentJobs::Pass,
        infrastructure_failures: InfrastructureFailures::Ignore,
        job_names: JobNames::Grouped,
        never_failed_jobs: NeverFailedJobs::Ignore,
        outdated_deployments: OutdatedDeployments::Count,
        absent_after: 3,
    };
    assert_eq!(config.unwrap().counting, wanted);
}

#[test]
fn a_single_rule_overrides_the_preset() {
    let preset = load("{watch: {projects: [1]}, counting: {preset: datadog-agent}}").unwrap();
    assert_eq!(preset.counting, Rules::datadog_agent());
    let mixed = load(
        "{watch: {projects: [1]}, counting: {preset: datadog-agent, absent_jobs: ignore, window: 20}}",
    );
    let wanted = Rules {
        absent_jobs: AbsentJobs::Ignore,
        window: 20,
        ..Rules::datadog_agent()
    };
    assert_eq!(mixed.unwrap().counting, wanted);
}

#[test]
fn the_last_owner_that_matches_wins() {
    let owners = load(
        "watch: {projects: [1]}
owners:
  rules:
    - {jobs: '*', team: developers}
    - {jobs: 'deploy-*', team: sre}
    - {jobs: 'deploy-*', projects: 'web/**', team: web}",
    )
    .unwrap()
    .owners;
    let team = |project, job| owners.team(project, job, None).map(AsRef::as_ref);
    assert_eq!(team("group/app", "build: [a, b/c]"), Some("developers"));
    assert_eq!(team("group/app", "deploy-prod"), Some("sre"));
    assert_eq!(team("web/shop/app", "deploy-prod"), Some("web"));
    let nobody = load("watch: {projects: [1]}").unwrap().owners;
    assert_eq!(nobody.team("group/app", "build", None), None);
}

#[test]
fn flags_override_the_file_and_the_watched_are_replaced_together() {
    let folder = folder_with(
        "watch: {projects: [file/a], groups: [{path: file-group}]}
gitlab: {url: 'https://file.example.com', timeout: 3s}
store: {directory: from-file}
web: {listen_address: ':1'}",
    );
    let file = folder.path().join("config.yml");
    let overrides = Overrides {
        projects: Vec::new(),
        groups: vec!["flag-group".to_owned()],
        gitlab_url: Some("http://127.0.0.1:8080".to_owned()),
        shard: Some("2/8".to_owned()),
        store_directory: Some("from-flag".to_owned()),
        listen_address: Some("127.0.0.1:0".to_owned()),
        route_prefix: Some("/ci".to_owned()),
        web_config_file: Some("/etc/web.yml".to_owned()),
        enable_lifecycle: true,
    };
    let config = Config::load(Some(&file), &overrides, &nothing).unwrap();
    assert!(config.enables_lifecycle);
    assert_eq!(config.gitlab.url.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(config.gitlab.timeout, Duration::from_secs(3));
    assert!(config.watch.projects.is_empty());
    assert_eq!(config.watch.groups.len(), 1);
    assert_eq!(config.watch.groups[0].path, "flag-group");
    assert!(config.watch.groups[0].include_subgroups);
    assert_eq!(config.watch.shard.to_string(), "2/8");
    let state = Location::Directory("from-flag".into());
    assert_eq!(config.store.location, state);
    assert_eq!(config.listen_address.to_string(), "127.0.0.1:0");
    assert_eq!(
        config.web_file.as_deref(),
        Some(std::path::Path::new("/etc/web.yml"))
    );
}

#[test]
fn a_bad_flag_is_named_as_the_flag() {
    let overrides = Overrides {
        gitlab_url: Some("gitlab".to_owned()),
        ..projects(&["no project"])
    };
    let problems = Config::load(None, &overrides, &nothing).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "--gitlab.url: found `gitlab` (`https://` is missing), wanted the address of a GitLab, \
         such as `https://gitlab.com`\n\
         --project: found `no project`, wanted a project's path such as `group/app`, or its \
         numeric id"
    );
}

#[test]
fn the_token_file_overrides_the_environment_and_is_found_beside_the_file() {
    let folder = folder_with("{watch: {projects: [1]}, gitlab: {token_file: token}}");
    fs::write(folder.path().join("token"), "from-the-file\n").unwrap();
    let file = folder.path().join("config.yml");
    let env = |name: &str| (name == "GITLAB_TOKEN").then(|| "from-the-environment".to_owned());
    let of_file = Config::load(Some(&file), &Overrides::default(), &env).unwrap();
    assert_eq!(
        of_file.gitlab.token.unwrap().expose_secret(),
        "from-the-file"
    );
    let of_environment = Config::load(None, &projects(&["1"]), &env).unwrap();
    let token = of_environment.gitlab.token.unwrap();
    assert_eq!(token.expose_secret(), "from-the-environment");
}

#[test]
fn a_configuration_prints_without_its_token() {
    let env = |_: &str| Some("hunter2".to_owned());
    let config = Config::load(None, &projects(&["1"]), &env).unwrap();
    let printed = format!("{config:?} {config:#?}");
    assert!(printed.contains("[REDACTED]"));
    assert!(!printed.contains("hunter2"));
}

#[test]
fn a_token_that_cannot_be_sent_is_a_problem_that_does_not_show_it() {
    let env = |_: &str| Some("hunter2 hunter2".to_owned());
    let problems = Config::load(None, &projects(&["1"]), &env).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "GITLAB_TOKEN: the variable holds characters that no token has: spaces, line breaks or \
         other special characters; wanted an access token or no variable"
    );
    let empty = |_: &str| Some(String::new());
    let config = Config::load(None, &projects(&["1"]), &empty).unwrap();
    assert!(config.gitlab.token.is_none());
}

fn exporter(args: &[&str], token: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"));
    command.args(args).env_remove("GITLAB_TOKEN");
    if let Some(token) = token {
        command.env("GITLAB_TOKEN", token);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn check_config_prints_every_problem_to_standard_error_and_exits_with_1() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/config/five-mistakes.yml"
    );
    let output = exporter(&["check-config", file], None);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let printed = text(&output.stderr);
    assert_eq!(printed.lines().count(), 5, "{printed}");
    let first = format!("{file}:2: gitlab.url: found `gitlab.example.com`");
    assert!(printed.starts_with(&first), "{printed}");
}

#[test]
fn check_config_says_what_would_be_watched_and_exits_with_0() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/config.example.yml");
    let output = exporter(&["check-config", file], Some("hunter2"));
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), EXAMPLE_SUMMARY);
}

const EXAMPLE_SUMMARY: &str = "\
The configuration can be used.

GitLab    https://gitlab.com/ (with a token)
requests  at most 10 a second, 10s each
project   group/app
group     platform (with subgroups, 1 exclude patterns)
refs      each project's default branch
sources   push, web, api, schedule, trigger, chat, webide
jobs      .* without docs-.*
polls     every 30s, idle projects every 5m; 50 past pipelines at first
counting  window: 10
          late_pipelines: insert
          absent_jobs: ignore
          infrastructure_failures: count
          outdated_deployments: ignore
          job_names: full
          never_failed_jobs: track
          absent_after: 10
owners    2 rules
state     ./state, saved every 10s, kept for 30d
serves    :10141
";

#[test]
fn check_config_takes_the_daemons_flags() {
    let output = exporter(&["check-config", "--project", "group/app"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("project   group/app\n"), "{printed}");
    assert!(
        printed.contains("without a token: public projects only"),
        "{printed}"
    );
}

#[test]
fn the_daemon_does_not_start_with_a_bad_configuration() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/config/five-mistakes.yml"
    );
    let output = exporter(&["--config.file", file], None);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stderr);
    let head = "job-failure-exporter: the configuration has 5 problems:\n";
    assert!(printed.starts_with(head), "{printed}");
    assert_eq!(printed.lines().count(), 6, "{printed}");
}
