//! The jsonnet mixin in `deploy/mixin`: the shipped rules and dashboards, with a configuration.

use std::fs;

use testkit::s3_servers::tool;

use crate::tools::{at_root, run};

fn python(args: &[&str]) {
    run(tool("python").to_str().unwrap(), args).must_pass();
}

#[test]
fn it_is_written_from_the_shipped_rules_and_dashboards() {
    let folder = tempfile::tempdir().unwrap();
    let script = at_root("scripts/mixin.py");
    python(&[script.to_str().unwrap(), folder.path().to_str().unwrap()]);
    let kept = at_root("deploy/mixin/generated");
    for part in ["", "dashboards"] {
        let names = |folder: &std::path::Path| -> Vec<_> {
            let entries = fs::read_dir(folder.join(part)).unwrap();
            let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let made = names(folder.path());
        assert_eq!(made, names(&kept), "run: make mixin");
        for name in made {
            let path = std::path::Path::new(part).join(name);
            if folder.path().join(&path).is_file() {
                let made = fs::read_to_string(folder.path().join(&path)).unwrap();
                let kept = fs::read_to_string(kept.join(&path)).unwrap();
                assert!(made == kept, "{} is old; run: make mixin", path.display());
            }
        }
    }
}

#[test]
fn jsonnet_makes_the_shipped_rules_and_dashboards_of_it_and_takes_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let script = at_root("tests/suite/mixin/check.py");
    let (root, out) = (at_root(""), folder.path());
    python(&[
        script.to_str().unwrap(),
        root.to_str().unwrap().trim_end_matches('/'),
        out.to_str().unwrap(),
    ]);
    let rules = out.join("rules.json");
    let args = [
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        rules.to_str().unwrap(),
    ];
    run("promtool", args).must_pass();
}
