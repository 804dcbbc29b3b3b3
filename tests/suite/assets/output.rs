//! Where the files go: a directory, of which nothing edited is lost, or standard output.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{Target, assets, files};
use crate::tools::at_root;

#[test]
fn a_second_run_says_what_changed_and_writes_nothing_else() {
    let target = Target::new();
    let first = target.write("rules", &[]).done();
    assert!(
        first.contains("wrote ") && first.contains("/jobs.yml"),
        "{first}"
    );
    let second = target.write("rules", &[]).done();
    assert!(
        second.ends_with(" files are unchanged\n") && second.lines().count() == 1,
        "{second}"
    );
    let third = target
        .write("rules", &["--threshold", "window_failures=7"])
        .done();
    let updated: Vec<_> = third
        .lines()
        .filter(|line| line.starts_with("updated "))
        .collect();
    assert!(
        matches!(updated[..], [one] if one.ends_with("/thresholds.yml")),
        "{third}"
    );
}

#[test]
fn an_edited_file_is_kept_unless_force_is_given() {
    let target = Target::new();
    target.write("rules", &[]).done();
    let edited = target.read("thresholds.yml") + "# by hand\n";
    target.put("thresholds.yml", &edited);
    let changes = [
        "--threshold",
        "window_failures=7",
        "--rule-label",
        "environment=production",
    ];
    let said = target.write("rules", &changes).refused();
    for expected in [
        "1 file was edited or not written by this command",
        "/thresholds.yml",
        "--force",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(target.read("thresholds.yml"), edited);
    let jobs = target.read("jobs.yml");
    assert!(!jobs.contains("environment"), "nothing is written");

    let mut forced = changes.to_vec();
    forced.push("--force");
    let said = target.write("rules", &forced).done();
    assert!(
        said.contains("overwrote the edited ") && said.contains("updated "),
        "{said}"
    );
    assert!(!target.read("thresholds.yml").contains("# by hand"));
    assert!(
        target
            .read("jobs.yml")
            .contains("environment: \"production\"")
    );
}

#[test]
fn a_file_of_somebody_else_with_the_same_name_is_kept() {
    let target = Target::new();
    target.put("jobs.yml", "groups: []\n");
    let said = target.write("rules", &[]).refused();
    assert!(said.contains("/jobs.yml"), "{said}");
    assert_eq!(target.read("jobs.yml"), "groups: []\n");
    assert_eq!(files(target.0.path(), ".yml").len(), 1);
}

#[test]
fn a_file_of_an_earlier_version_is_told_of() {
    let target = Target::new();
    target.write("rules", &[]).done();
    // As a version with one more rule file would leave it behind.
    let list = target.path(".job-failure-exporter-assets");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.replace("\"absence.yml\"", "\"former.yml\"")).unwrap();
    fs::rename(target.path("absence.yml"), target.path("former.yml")).unwrap();
    for _ in 0..2 {
        let ran = target.write("rules", &[]);
        assert_eq!(ran.code, Some(0));
        assert!(
            ran.err.contains("/former.yml is from an earlier version"),
            "{ran:?}"
        );
    }
    fs::remove_file(target.path("former.yml")).unwrap();
    let ran = target.write("rules", &[]);
    assert!(!ran.err.contains("former.yml"), "{ran:?}");
}

#[test]
fn servers_may_read_the_files_and_a_link_or_permissions_of_a_file_stay() {
    let target = Target::new();
    fs::create_dir(target.path("real")).unwrap();
    let real = target.put(
        "real/jobs.yml",
        &fs::read_to_string(at_root("alert-rules/jobs.yml")).unwrap(),
    );
    std::os::unix::fs::symlink(&real, target.path("jobs.yml")).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    target.write("rules", &[]).done();
    target
        .write("rules", &["--rule-label", "environment=production"])
        .done();
    assert!(
        target
            .read("real/jobs.yml")
            .contains("environment: \"production\"")
    );
    let mode = |path: &str| {
        fs::metadata(target.path(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("real/jobs.yml"), 0o640);
    assert_ne!(mode("common.yml") & 0o044, 0, "{:o}", mode("common.yml"));
    assert!(
        fs::symlink_metadata(target.path("jobs.yml"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn one_file_goes_to_standard_output_and_several_need_a_directory() {
    let thresholds = assets(&[
        "rules",
        "--file",
        "thresholds.yml",
        "--threshold",
        "window_failures=7",
    ]);
    let printed = thresholds.done();
    assert!(
        printed.starts_with("# The thresholds of all alerts."),
        "{printed}"
    );
    assert!(printed.contains("expr: '7'"), "{printed}");
    let said = assets(&["rules"]).refused();
    assert!(
        said.contains("give --to DIR, or one of them as --file:") && said.contains("jobs.yml"),
        "{said}"
    );
    let said = assets(&["rules", "--file", "threshold.yml"]).refused();
    assert!(said.contains("did you mean thresholds.yml?"), "{said}");
    let said = assets(&["all"]).refused();
    assert!(said.contains("kubernetes/prometheusrule.yaml"), "{said}");
}

#[test]
fn an_option_that_changes_nothing_in_the_files_is_refused() {
    for (args, expected) in [
        (
            &["rules", "--namespace", "x"][..],
            "--namespace changes nothing in these files, only in prometheusrule",
        ),
        (
            &["dashboards", "--threshold", "window_failures=7"],
            "only in rules, prometheusrule, configmaps",
        ),
        (
            &["servicemonitor", "--rule-label", "a=b"],
            "--rule-label changes nothing",
        ),
        (
            &["rules", "--receiver", "chat=https://x.test"],
            "only in alertmanager, alertmanagerconfig",
        ),
        (
            &["servicemonitor", "--grafana", "https://x.test"],
            "--grafana changes nothing",
        ),
        (
            &["prometheusrule", "--grafana-folder", "x"],
            "only in configmaps",
        ),
        (
            &[
                "prometheusrule",
                "--object-label",
                "a=b",
                "--object-label",
                "a=c",
            ],
            "a is given twice",
        ),
    ] {
        let said = assets(args).refused();
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    for (args, expected) in [
        (&["rules", "--force"][..], "--to <DIR>"),
        (
            &["rules", "--grafana", "grafana"],
            "relative URL without a base",
        ),
        (
            &["rules", "--rule-label", "severity=x"],
            "a label `severity` of their own",
        ),
        (
            &["prometheusrule", "--name", "Exporter"],
            "lower-case letters",
        ),
        (
            &[
                "prometheusrule",
                "--object-label",
                "app.kubernetes.io/name=x",
            ],
            "set it by --name",
        ),
    ] {
        let ran = assets(args);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains(expected), "{args:?}: {}", ran.err);
    }
}

#[test]
fn links_to_shipped_addresses_are_told_of() {
    let ran = assets(&["prometheusrule"]);
    for option in ["--runbooks", "--grafana"] {
        assert!(
            ran.err.contains(&format!("set your address with {option}")),
            "{}",
            ran.err
        );
    }
    let args = [
        "prometheusrule",
        "--runbooks",
        "https://a.test",
        "--grafana",
        "https://b.test/x",
    ];
    let ran = assets(&args);
    assert!(
        !ran.err.contains("--grafana") && !ran.err.contains("--runbooks"),
        "{}",
        ran.err
    );
    assert!(ran.done().contains("https://a.test/CIJobStuck.md"));
}

#[test]
fn receivers_without_an_address_are_told_of() {
    let note = |args: &[&str]| {
        let ran = assets(args);
        let note = ran.err.lines().find(|line| line.contains("reaches nobody"));
        note.map(str::to_owned)
    };
    let one = ["alertmanagerconfig", "--receiver", "chat=https://a.test/"];
    let told = note(&one).unwrap();
    assert!(
        told.contains("pager, ") && !told.contains("chat") && told.contains("--receiver NAME=URL"),
        "{told}"
    );
    assert_eq!(note(&["prometheusrule"]), None);
    let names =
        "dead-mans-switch platform pager chat team-payments team-payments-pager team-research";
    let all = names
        .split(' ')
        .flat_map(|name| ["--receiver".to_owned(), format!("{name}=https://a.test/")]);
    let all: Vec<_> = std::iter::once("alertmanagerconfig".to_owned())
        .chain(all)
        .collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    assert_eq!(note(&all), None);
}

#[test]
fn links_of_dashboards_lead_to_the_given_servers() {
    let servers = [
        "--exporter",
        "https://ci.test/failures/",
        "--gitlab",
        "https://git.test",
    ];
    for kind in ["dashboards", "configmaps"] {
        let target = Target::new();
        let ran = target.write(kind, &servers);
        assert!(
            !ran.err.contains("--exporter") && !ran.err.contains("--gitlab"),
            "{}",
            ran.err
        );
        ran.done();
        let texts = target.texts();
        assert!(texts.contains("\"https://ci.test/failures\""), "{kind}");
        assert!(texts.contains("\"https://git.test\""), "{kind}");
        for shipped in ["127.0.0.1:10141\"", "gitlab.com\""] {
            assert!(!texts.contains(shipped), "{kind}: {shipped}");
        }
    }
    let said = assets(&["rules", "--gitlab", "https://git.test", "--to", "unused"]).refused();
    assert!(said.contains("--gitlab changes nothing"), "{said}");
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let target = Target::new();
    let file = target.put("file", "");
    let said = assets(&["rules", "--to", &file]).refused();
    assert!(
        said.contains("cannot create the directory") && said.contains(&file),
        "{said}"
    );
    fs::create_dir(target.path("jobs.yml")).unwrap();
    let said = target.write("rules", &[]).refused();
    assert!(
        said.contains("cannot read ") && said.contains("/jobs.yml"),
        "{said}"
    );
}

#[test]
fn everything_is_written_into_folders_of_its_own() {
    let target = Target::new();
    target.write("all", &["--namespace", "monitoring"]).done();
    for folder in ["rules", "alertmanager", "dashboards", "kubernetes"] {
        assert!(target.0.path().join(folder).is_dir(), "{folder}");
    }
    for file in files(&target.0.path().join("dashboards"), ".json") {
        let name = file.rsplit('/').next().unwrap();
        let shipped = fs::read_to_string(at_root("dashboards").join(name)).unwrap();
        let written = fs::read_to_string(&file).unwrap();
        let dashboard: Value = serde_json::from_str(&written).unwrap();
        assert!(dashboard["uid"].is_string(), "{file}");
        assert!(written == shipped, "{file}");
    }
    let again = target.write("all", &["--namespace", "monitoring"]).done();
    assert!(again.ends_with(" files are unchanged\n"), "{again}");
}
