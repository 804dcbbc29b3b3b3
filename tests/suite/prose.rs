//! README and docs: their snippets are valid, their commands and links exist.

use std::fs;
use std::path::Path;

use crate::tools;
use crate::tools::at_root;

/// A fenced block, with what stands behind its fence.
struct Block {
    page: String,
    kind: String,
    text: String,
}

const TOP: [&str; 5] = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "RELEASE.md",
    "SECURITY.md",
];

/// The pages at the top of the repository and those of `docs`.
fn pages() -> Vec<String> {
    let mut pages: Vec<_> = TOP.map(str::to_owned).into();
    for entry in fs::read_dir(at_root("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if Path::new(&name).extension().is_some_and(|it| it == "md") {
            pages.push(format!("docs/{name}"));
        }
    }
    assert!(pages.len() > 20, "{pages:?}");
    pages
}

fn read(path: &str) -> String {
    fs::read_to_string(at_root(path)).unwrap()
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for page in pages() {
        // Its snippets are parts of configurations.
        if page == "docs/configuration.md" {
            continue;
        }
        // Odd pieces lie between fences.
        for block in read(&page).split("```").skip(1).step_by(2) {
            let (kind, text) = block.split_once('\n').unwrap();
            blocks.push(Block {
                page: page.clone(),
                kind: kind.to_owned(),
                text: text.to_owned(),
            });
        }
    }
    blocks
}

#[track_caller]
fn each_block(kind: &str, check: impl Fn(&str)) {
    let found: Vec<_> = blocks()
        .into_iter()
        .filter(|block| block.kind == kind)
        .collect();
    assert!(!found.is_empty(), "no block of kind `{kind}`");
    for block in found {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snippet.yml");
        fs::write(&path, block.text).unwrap();
        check(path.to_str().unwrap());
    }
}

#[test]
fn every_yaml_snippet_is_of_a_kind_that_is_checked() {
    let known = [
        "yaml config",
        "yaml prometheus",
        "yaml alertmanager",
        "yaml rules",
        "yaml thresholds",
        "yaml web",
        // The tests of the chart render these.
        "yaml kustomization",
        "yaml values",
    ];
    for block in blocks() {
        let checked = !block.kind.starts_with("yaml") || known.contains(&block.kind.as_str());
        assert!(checked, "{}: ```{}", block.page, block.kind);
    }
}

#[test]
fn prometheus_takes_its_snippets() {
    each_block("yaml prometheus", |path| {
        tools::run("promtool", ["check", "config", path]).must_pass();
        let text = fs::read_to_string(path).unwrap();
        assert!(
            text.contains("job_name: job-failure-exporter\n"),
            "the rules look for this job"
        );
    });
    each_block("yaml rules", |path| {
        tools::run(
            "promtool",
            ["check", "rules", "--lint=all", "--lint-fatal", path],
        )
        .must_pass();
    });
}

#[test]
fn alertmanager_takes_its_snippet() {
    each_block("yaml alertmanager", |path| {
        tools::run("amtool", ["check-config", path]).must_pass();
    });
}

#[test]
fn assets_takes_its_thresholds() {
    each_block("yaml thresholds", |path| {
        let exporter = env!("CARGO_BIN_EXE_job-failure-exporter");
        let args = [
            "assets",
            "rules",
            "--file",
            "thresholds.yml",
            "--thresholds",
            path,
        ];
        tools::run(exporter, args).must_pass();
    });
}

#[track_caller]
fn must_be_a_web_config(path: &str) {
    let exporter = env!("CARGO_BIN_EXE_job-failure-exporter");
    // Certificates are elsewhere, which is a warning.
    let args = [
        "check-config",
        "--project",
        "group/app",
        "--web.config.file",
        path,
    ];
    tools::run(exporter, args).must_pass();
}

#[test]
fn the_server_takes_its_snippets_and_the_example() {
    each_block("yaml web", must_be_a_web_config);
    must_be_a_web_config(at_root("deploy/web-config.example.yml").to_str().unwrap());
}

#[test]
fn the_exporter_takes_its_snippet() {
    each_block("yaml config", |path| {
        // The token's file is not there; nothing else may be wrong.
        let text = fs::read_to_string(path).unwrap();
        let token = Path::new(path).with_file_name("token");
        fs::write(&token, "glpat-not-a-token\n").unwrap();
        let text = text.replace("/run/secrets/gitlab-token", token.to_str().unwrap());
        fs::write(path, text).unwrap();
        tools::run(
            env!("CARGO_BIN_EXE_job-failure-exporter"),
            ["check-config", path],
        )
        .must_pass();
    });
}

#[test]
fn every_make_target_that_is_named_exists() {
    let makefile = read("Makefile");
    let mut named = 0;
    for page in pages() {
        let text = read(&page);
        for (at, _) in text.match_indices("make ") {
            let before = text[..at].chars().next_back();
            if !matches!(before, Some('`' | ' '))
                || (before == Some(' ') && !text[..at].ends_with("$ "))
            {
                continue;
            }
            let target: String = text[at + 5..]
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            assert!(
                makefile.contains(&format!("\n{target}: ")),
                "{page}: make {target}"
            );
            named += 1;
        }
    }
    assert!(named >= 5, "only {named} found");
}

/// The anchor that GitHub and GitLab give a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_to_a_heading_of_it() {
    let runbooks = fs::read_dir(at_root("alert-rules/runbooks")).unwrap();
    let runbooks = runbooks.map(|entry| entry.unwrap().path());
    for page in pages().iter().map(|page| at_root(page)).chain(runbooks) {
        let text = fs::read_to_string(&page).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            assert!(target.exists(), "{}: {link}", page.display());
            let leads_to_a_heading = anchor.is_empty()
                || fs::read_to_string(&target)
                    .unwrap()
                    .lines()
                    .filter(|line| line.starts_with('#'))
                    .any(|heading| slug(heading) == anchor);
            assert!(leads_to_a_heading, "{}: {link}", page.display());
        }
    }
}

#[test]
fn the_book_has_every_page_of_the_docs_once() {
    let summary = read("docs/SUMMARY.md");
    let mut listed: Vec<_> = summary
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|page| format!("docs/{page}"))
        .collect();
    let mut written: Vec<_> = pages()
        .into_iter()
        .filter(|page| page.starts_with("docs/") && page != "docs/SUMMARY.md")
        .collect();
    listed.sort();
    written.sort();
    assert_eq!(listed, written);
}

#[test]
fn every_file_on_the_way_of_one_job_exists() {
    let page = read("docs/architecture.md");
    let (_, section) = page.split_once("\n## The way of one job\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let files: Vec<_> = section
        .split('`')
        .filter(|name| Path::new(name).extension().is_some_and(|it| it == "rs"))
        .collect();
    assert!(files.len() > 20, "only {} found", files.len());
    for file in files {
        let places = ["src", "crates/ci-history/src"];
        let exists = places
            .iter()
            .any(|place| at_root(place).join(file).is_file());
        assert!(exists, "{file}");
    }
}
