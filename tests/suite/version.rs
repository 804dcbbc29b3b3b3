//! The version tells the commit, the token may come from systemd, and a container can ask whether the exporter works.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;

use testkit::daemon::Ran;

use crate::tools::{at_root, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_job-failure-exporter");

#[test]
fn the_version_names_the_commit_of_the_checkout_and_the_compiler() {
    let told = run(PROGRAM, ["--version"]);
    told.must_pass();
    let root = at_root("");
    let root = root.to_str().unwrap();
    let commit = run("git", ["-C", root, "log", "-1", "--format=%H %cs"]);
    commit.must_pass();
    let (revision, date) = commit.printed.trim().split_once(' ').unwrap();
    for line in [
        format!("revision: {revision}"),
        format!("commit date: {date}"),
        format!("target: {}-unknown-linux-gnu", std::env::consts::ARCH),
    ] {
        assert!(
            told.printed.lines().any(|it| it == line),
            "{line}: {}",
            told.output
        );
    }
    assert!(told.printed.contains("\nrustc: 1."), "{}", told.output);
    let short = run(PROGRAM, ["-V"]);
    assert_eq!(short.printed.lines().count(), 1, "{}", short.output);
}

/// `check-config` with the token of a systemd unit.
fn with_credential(token: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gitlab-token"), token).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["check-config", "--project", "group/app"]);
    command
        .env_remove("GITLAB_TOKEN")
        .env("CREDENTIALS_DIRECTORY", folder.path());
    Ran::of(&command.output().unwrap())
}

#[test]
fn the_credential_of_a_systemd_unit_is_the_token() {
    assert!(
        with_credential("glpat-of-the-unit\n")
            .done()
            .contains("(with a token)")
    );
    let refused = with_credential("two words\n").refused();
    assert!(refused.contains("gitlab-token: "), "{refused}");
    assert!(!refused.contains("two words"), "{refused}");
}

#[test]
fn a_health_check_without_an_exporter_fails_and_says_whom_it_asked() {
    let mut command = Command::new(PROGRAM);
    let command = command.args(["healthcheck", "--exporter.url", "http://127.0.0.1:9/ci"]);
    let refused = Ran::of(&command.output().unwrap()).refused();
    assert!(
        refused.contains("no answer from http://127.0.0.1:9/ci/-/healthy"),
        "{refused}"
    );
}

#[test]
fn a_health_check_of_another_server_says_so_and_repeats_no_page() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        let request = BufReader::new(&client).lines().map(Result::unwrap);
        assert!(request.take_while(|line| !line.is_empty()).count() > 0);
        let page = "<html>\n<body>Not here</body>\n</html>\n";
        let length = page.len();
        let head = format!(
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n"
        );
        client.write_all((head + page).as_bytes()).unwrap();
    });
    let mut command = Command::new(PROGRAM);
    let command = command.args(["healthcheck", "--exporter.url", &url]);
    let refused = Ran::of(&command.output().unwrap()).refused();
    answering.join().unwrap();
    assert!(
        refused.contains("not as an exporter does; is --exporter.url right"),
        "{refused}"
    );
    assert!(!refused.contains("<body>"), "{refused}");
}
