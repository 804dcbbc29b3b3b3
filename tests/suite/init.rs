//! `init`: what it writes passes `check-config`, promtool and amtool, and nothing that was edited is lost.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Parser as _;
use job_failure_exporter::cli::args::{Cli, Command as Chosen};
use job_failure_exporter::cli::common::Console;
use job_failure_exporter::cli::init;
use testkit::daemon::Ran;

use crate::tools;

const FLAGS: [&str; 11] = [
    "--gitlab.url=https://gitlab.company.test/git/",
    "--token-file=token",
    "--group=platform",
    "--group=42",
    "--project=group/app",
    "--state=s3://ci-state/failures",
    "--prometheus.url=http://127.0.0.1:9090",
    "--alertmanager.url=https://am.company.test/alerts",
    "--target=exporter.test:10141",
    "--to=made",
    "--log.level=info",
];

fn program(folder: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"));
    let command = command.current_dir(folder).env_clear().args(args);
    Ran::of(&command.stdin(Stdio::null()).output().unwrap())
}

fn with_init<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["init"], args].concat()
}

/// Runs `init` with a person who types these lines.
fn asked(args: &[&str], typed: &str) -> (anyhow::Result<()>, String) {
    let cli = Cli::parse_from(["job-failure-exporter", "init"].iter().chain(args));
    let Some(Chosen::Init(args)) = cli.command else {
        panic!("not init")
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut console = Console {
        out: &mut out,
        err: &mut err,
    };
    let result = init::run(*args, Some(&mut typed.as_bytes()), &mut console);
    let said = [err, out].concat();
    (result, String::from_utf8(said).unwrap())
}

fn must_pass_every_check(folder: &Path, made: &str) {
    let path = |below: &str| folder.join(made).join(below).to_str().unwrap().to_owned();
    program(folder, &["check-config", &path("config.yml")]).done();
    tools::run("promtool", ["check", "config", &path("prometheus.yml")]).must_pass();
    let routes = path("alertmanager/alertmanager.yml");
    tools::run("amtool", ["check-config", &routes]).must_pass();
}

#[test]
fn the_files_pass_every_check_and_have_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "glpat-0123456789abcdef0123").unwrap();
    let said = program(folder.path(), &with_init(&FLAGS)).done();
    assert!(
        said.contains("check-config") && said.contains("amtool"),
        "{said}"
    );
    must_pass_every_check(folder.path(), "made");
    let read = |path: &str| fs::read_to_string(folder.path().join("made").join(path)).unwrap();
    let config: serde_json::Value = serde_yaml::from_str(&read("config.yml")).unwrap();
    let token_file = folder.path().join("token");
    assert_eq!(
        config,
        serde_json::json!({
            "gitlab": {"url": "https://gitlab.company.test/git", "token_file": token_file},
            "watch": {"projects": ["group/app"], "groups": [{"path": "platform"}, {"path": "42"}]},
            "store": {"s3": {"bucket": "ci-state", "prefix": "failures"}},
            "prometheus": {"url": "http://127.0.0.1:9090"},
            "alertmanager": {"url": "https://am.company.test/alerts"},
        })
    );
    let prometheus = read("prometheus.yml");
    for part in [
        "exporter.test:10141",
        "job_name: prometheus",
        "127.0.0.1:9090",
        "am.company.test:443",
        "path_prefix: /alerts",
        "scheme: https",
    ] {
        assert!(prometheus.contains(part), "{part}\n{prometheus}");
    }
    assert!(read("rules/jobs.yml").contains("https://am.company.test/alerts/#/silences"));
}

#[test]
fn without_a_terminal_every_missing_flag_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = program(folder.path(), &with_init(&["--project=a/b", "--to=made"])).refused();
    for flag in [
        "--gitlab.url",
        "--state",
        "--prometheus.url",
        "--alertmanager.url",
    ] {
        assert!(said.contains(flag), "{flag}: {said}");
    }
    assert!(
        !said.contains("--project") && !said.contains("--to "),
        "{said}"
    );
    assert!(!folder.path().join("made").exists());
}

#[test]
fn a_person_is_asked_for_what_is_missing_until_the_answer_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let to = format!("--to={}", folder.path().join("made").display());
    let typed = "gitlab.company.test\nhttps://gitlab.company.test\n\n\n\nplatform tools\n\n\
                 s4://x\ns3://ci-state\n\nhttp://127.0.0.1:9093\n";
    let (result, said) = asked(&[&to], typed);
    result.unwrap_or_else(|error| panic!("{error:#}\n{said}"));
    for part in [
        "GitLab [https://gitlab.com]: ",
        "relative URL without a base",
        "found `s4://x`, wanted a directory",
        "Prometheus that evaluates the rules [none]: ",
        "export GITLAB_TOKEN=",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    must_pass_every_check(folder.path(), "made");
    let config = fs::read_to_string(folder.path().join("made/config.yml")).unwrap();
    assert!(
        config.contains("path: tools") && !config.contains("prometheus:"),
        "{config}"
    );
}

#[test]
fn an_input_that_ends_early_and_answers_that_do_not_fit_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let to = format!("--to={}", folder.path().join("made").display());
    let (result, _) = asked(&[&to], "https://gitlab.company.test\n");
    assert!(result.unwrap_err().to_string().contains("the input ended"));
    for (flag, at, problem) in [
        (
            "--project=https://gitlab.company.test/a",
            4,
            "watch.projects[0]",
        ),
        (
            "--gitlab.url=https://gitlab.company.test/api/v4",
            0,
            "leave out `/api/v4`",
        ),
        ("--state=s3://", 5, "--state: "),
        ("--prometheus.url=prometheus:9090", 6, "--prometheus.url: "),
        (
            "--prometheus.url=http://me:secret@prometheus.test:99999",
            6,
            "--prometheus.url: ",
        ),
        ("--alertmanager.url=http://me:secret@am.test", 7, "user"),
        ("--target=http://exporter", 8, "--target"),
    ] {
        let mut args = FLAGS;
        args[at] = flag;
        let said = program(folder.path(), &with_init(&args)).refused();
        assert!(said.contains(problem), "{flag}: {said}");
        assert!(!said.contains("secret"), "{said}");
        assert!(!folder.path().join("made").exists());
    }
}

#[test]
fn edited_files_stay_until_force_and_others_are_updated() {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), &with_init(&FLAGS)).done();
    let again = program(folder.path(), &with_init(&FLAGS)).done();
    assert!(again.contains("files are unchanged"), "{again}");
    let mut other = FLAGS;
    other[4] = "--project=group/other";
    let updated = program(folder.path(), &with_init(&other)).done();
    assert!(
        updated.contains("updated ") && updated.contains("config.yml"),
        "{updated}"
    );

    let config = folder.path().join("made/config.yml");
    fs::write(&config, "watch: {projects: [mine]}\n").unwrap();
    let said = program(folder.path(), &with_init(&FLAGS)).refused();
    assert!(
        said.contains("config.yml") && said.contains("--force"),
        "{said}"
    );
    assert!(fs::read_to_string(&config).unwrap().contains("mine"));
    program(
        folder.path(),
        &with_init(&[&FLAGS[..], &["--force"]].concat()),
    )
    .done();
    assert!(!fs::read_to_string(&config).unwrap().contains("mine"));
}
