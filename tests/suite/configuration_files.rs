//! Configuration files as people and other programs write them, and commands that need only a part of them.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use job_failure_exporter::config::{Config, Overrides};

/// Secrets that are not there, and a state that is not there either.
const WITHOUT_SECRETS: &str = "
gitlab: {token_file: no-such-token}
webhooks: {gitlab: {token_file: no-such-secret, signing_key_file: no-such-key}}
watch: {projects: [group/app]}
store: {directory: no-such-state}
";

fn exporter(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"));
    command.args(args).current_dir(folder).output().unwrap()
}

#[test]
fn a_token_that_would_be_sent_unencrypted_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "glpat-x").unwrap();
    let check = |url: &str, token: &str| {
        let text = format!("gitlab: {{url: '{url}'{token}}}\nwatch: {{projects: [a/b]}}\n");
        fs::write(folder.path().join("config.yml"), text).unwrap();
        let output = exporter(folder.path(), &["check-config", "config.yml"]);
        assert!(output.status.success());
        stderr(&output).contains("unencrypted")
    };
    let (token, missing) = (", token_file: token", ", token_file: elsewhere");
    for (url, token, is_warned_of) in [
        ("http://gitlab.example.com", token, true),
        ("http://gitlab.example.com:8080/git", missing, true),
        ("http://10.0.0.7", token, true),
        ("http://localhost.example.com", token, true),
        ("http://gitlab.example.com", "", false),
        ("https://gitlab.example.com", token, false),
        ("http://localhost:3000", token, false),
        ("http://127.0.0.2", token, false),
        ("http://[::1]", token, false),
    ] {
        assert_eq!(check(url, token), is_warned_of, "{url}{token}");
    }
}

/// The exit code and all that was printed of `check-config` on this text.
fn check(text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), text).unwrap();
    let output = exporter(folder.path(), &["check-config", "config.yml"]);
    (output.status.code(), stderr(&output))
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn anchors_merge_keys_and_keys_of_ones_own_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yml");
    let text = "
x-group: &group
  include_subgroups: false
  x-note: kept beside
watch:
  x-note: [anything]
  groups:
    - {path: a, <<: *group}
    - <<: *group
      path: b
      include_subgroups: true
gitlab: {timeout: &short 3s}
store: {save_interval: *short}
";
    fs::write(&file, text).unwrap();
    let config = Config::load(Some(&file), &Overrides::default(), &|_| None).unwrap();
    let groups = config.watch.groups.iter();
    let groups: Vec<_> = groups
        .map(|group| (group.path.as_str(), group.include_subgroups))
        .collect();
    assert_eq!(groups, [("a", false), ("b", true)]);
    assert_eq!(config.store.save_interval, Duration::from_secs(3));
}

#[test]
fn a_key_that_came_by_a_merge_is_checked_on_its_own_line() {
    let text = "x-all: &all\n  intervall: 1s\nwatch:\n  <<: *all\n  projects: [a]\n";
    let (code, printed) = check(text);
    assert_eq!(code, Some(1));
    let wanted = "config.yml:2: watch.intervall: unknown key; did you mean `interval`?";
    assert!(printed.starts_with(wanted), "{printed}");
}

#[test]
fn a_data_file_given_by_mistake_is_refused_soon_with_its_first_problems() {
    let mut text = "watch: {projects: [acme/shop]}\n".to_owned();
    for n in 0..20_000 {
        writeln!(text, "k{n}: 1").unwrap();
    }
    let start = Instant::now();
    let (code, printed) = check(&text);
    assert_eq!(code, Some(1));
    let lines: Vec<_> = printed.lines().collect();
    assert!(
        lines[0].starts_with("config.yml:2: k0: unknown key; "),
        "{}",
        lines[0]
    );
    assert_eq!((lines.len(), lines[20]), (21, "and 19980 more"));
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_deep_file_and_a_large_one_are_refused_soon() {
    let start = Instant::now();
    let (code, printed) = check(&format!("watch: {}", "[".repeat(200_000)));
    assert_eq!(code, Some(1), "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let (code, printed) = check(&"# comment\n".repeat(120_000));
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("it is larger than 1024 KiB"), "{printed}");
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_directory_or_a_pipe_without_a_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    for (file, why) in [
        (".", "it is a directory"),
        (
            "pipe",
            "it is not a regular file, and did not end within 5 seconds",
        ),
    ] {
        let output = exporter(folder.path(), &["check-config", file]);
        assert_eq!(output.status.code(), Some(1), "{file}");
        let wanted = format!("{file}: cannot read the configuration: {why}\n");
        assert_eq!(stderr(&output), wanted);
    }
}

#[test]
fn a_configuration_can_come_through_a_pipe() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_job-failure-exporter"))
        .args(["check-config", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(b"watch: {projects: [through/a-pipe]}")
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("project   through/a-pipe\n"), "{printed}");
}

#[test]
fn check_config_warns_of_secrets_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), WITHOUT_SECRETS).unwrap();
    let output = exporter(folder.path(), &["check-config", "config.yml"]);
    assert_eq!(output.status.code(), Some(0));
    let warnings = stderr(&output);
    assert_eq!(warnings.lines().count(), 3, "{warnings}");
    let first = "warning: config.yml:2: gitlab.token_file: found `no-such-token` (No such file or directory (os error 2)), \
                 wanted the path of a file that holds an access token and nothing else; the exporter does not start without it\n";
    assert!(warnings.starts_with(first), "{warnings}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let gitlab = "GitLab    https://gitlab.com/ (with a token that cannot be read here)\n";
    assert!(printed.contains(gitlab), "{printed}");
}

/// Where the file of a secret does not exist, container runtimes make a directory in its place.
#[test]
fn a_secret_that_is_a_directory_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), WITHOUT_SECRETS).unwrap();
    fs::create_dir(folder.path().join("no-such-token")).unwrap();
    let output = exporter(folder.path(), &["check-config", "config.yml"]);
    assert_eq!(output.status.code(), Some(1));
    let problem =
        "config.yml:2: gitlab.token_file: found `no-such-token` (it is a directory), wanted";
    let printed = stderr(&output);
    assert!(printed.contains(problem), "{printed}");
}

#[test]
fn the_exporter_does_not_start_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), WITHOUT_SECRETS).unwrap();
    let output = exporter(folder.path(), &["--config.file", "config.yml"]);
    assert_eq!(output.status.code(), Some(1));
    let printed = stderr(&output);
    assert!(
        printed.contains("the configuration has 3 problems:\n"),
        "{printed}"
    );
}

#[test]
fn commands_that_only_read_the_state_need_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.yml"), WITHOUT_SECRETS).unwrap();
    for command in [
        &["state", "show"][..],
        &["state", "export"],
        &["explain", "group/app", "unit-tests"],
    ] {
        let args: Vec<_> = command
            .iter()
            .copied()
            .chain(["--config.file", "config.yml"])
            .collect();
        let printed = stderr(&exporter(folder.path(), &args));
        assert!(
            printed.contains("there is no state directory no-such-state"),
            "{printed}"
        );
    }
}

#[test]
fn commands_that_only_read_the_state_check_what_they_use() {
    let folder = tempfile::tempdir().unwrap();
    let text = "stroe: {directory: x}\ncounting: {window: 0}\nwatch: nonsense\n";
    fs::write(folder.path().join("config.yml"), text).unwrap();
    let output = exporter(
        folder.path(),
        &["state", "show", "--config.file", "config.yml"],
    );
    let printed = stderr(&output);
    assert!(
        printed.contains("the configuration has 2 problems:\n"),
        "{printed}"
    );
    assert!(
        printed.contains("config.yml:1: stroe: unknown key; did you mean `store`?"),
        "{printed}"
    );
    assert!(
        printed.contains("config.yml:2: counting.window: found the number 0"),
        "{printed}"
    );
}
