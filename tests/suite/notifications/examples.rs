//! The messages that docs/alerting.md shows: sent by a real Alertmanager.
//!
//! `make messages` writes them anew, with the pictures of the mails. Without it the test only compares.

use std::env;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::mail::Mail;
use super::stage::{Stage, alert};
use crate::tools;
use crate::tools::at_root;

const PAGE: &str = "docs/alerting.md";
/// Set by `make messages`.
const WRITE: &str = "WRITE_MESSAGES";

const PROJECT: (&str, &str) = ("project", "acme/payments/api");

/// A job with its own failure.
fn failing(name: &str, severity: &str, failures: u32, log: &str, commit: &str) -> Value {
    let mut alert = alert(
        "CIJobFailingRepeatedly",
        severity,
        &[PROJECT, ("job_name", name)],
    );
    let link = "https://gitlab.example.com/acme/payments/api/-";
    let annotations = &mut alert["annotations"];
    annotations["description"] = json!(format!(
        "Job {name} of project acme/payments/api (team payments) on ref main failed {failures} times in a row."
    ));
    annotations["failures"] = json!(format!("{failures} in a row"));
    annotations["details"] = json!(format!(
        "since: 2026-01-02 02:41 UTC\nreason: script_failure (test)\nlog: {log}\n\
         first bad commit: {commit}\nlast good commit: aa1f0a5b\njob: {link}/jobs/4711\n\
         page: https://ci.example.com/jobs/acme/payments/api/{name}\n\
         compare: {link}/compare/aa1f0a5b...8c1f0a5b"
    ));
    alert
}

fn unit_tests() -> Value {
    failing(
        "unit-tests",
        "critical",
        6,
        "AssertionError: 10.005 EUR: expected 10.01, got 10.00 (test_rounding.py:88)",
        "8c1f0a5b Round half to even (Ada Lovelace)",
    )
}

/// A dozen broken jobs.
fn dozen() -> Vec<Value> {
    let names = [
        "lint", "image", "contract", "e2e", "load", "docs", "scan", "smoke", "deploy", "sign",
        "publish",
    ];
    let more = names.iter().enumerate().map(|(number, name)| {
        let failures = 3 + u32::try_from(number).unwrap() % 5;
        let severity = if failures >= 6 { "critical" } else { "warning" };
        failing(
            name,
            severity,
            failures,
            "error: cannot find crate `money`",
            "51d20c7e Split the crate (Grace Hopper)",
        )
    });
    [unit_tests()].into_iter().chain(more).collect()
}

/// The mail that Alertmanager sends about these alerts.
async fn mail(alerts: &[Value]) -> Mail {
    let stage = Stage::start_with_mail_for("team-payments").await;
    stage.fire(alerts).await;
    stage.mail().await
}

async fn slack(alerts: &[Value]) -> String {
    let stage = Stage::start().await;
    stage.fire(alerts).await;
    let message = stage.message("team-payments", |_| true).await;
    let text = |field: &str| {
        message["attachments"][0][field]
            .as_str()
            .unwrap()
            .trim()
            .to_owned()
    };
    format!("{}\n{}", text("title"), text("text"))
}

/// Replaces the block after the marker of an example, or compares it.
fn show(page: &mut String, name: &str, text: &str) {
    let marker = format!("<!-- message: {name} -->\n\n```text\n");
    let (before, after) = page.split_once(&marker).expect(&marker);
    let (shown, after) = after.split_once("```\n").unwrap();
    if env::var_os(WRITE).is_none() {
        assert_eq!(
            shown.trim(),
            text.trim(),
            "{PAGE} is old; run: make messages"
        );
    }
    *page = format!("{before}{marker}{}\n```\n{after}", text.trim());
}

/// Photographs a mail.
fn photograph(html: &str, picture: &Path, height: u32) {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("mail.html");
    fs::write(&page, html).unwrap();
    let options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
    ];
    let options = options.map(str::to_owned).into_iter().chain([
        format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ),
        format!("--window-size=1200,{height}"),
        format!("--screenshot={}", picture.display()),
        format!("file://{}", page.display()),
    ]);
    tools::run("chromium", options).must_pass();
}

#[tokio::test]
async fn the_documented_messages_are_those_that_alertmanager_sends() {
    let (one, table) = (mail(&[unit_tests()]).await, mail(&dozen()).await);
    let mut page = fs::read_to_string(at_root(PAGE)).unwrap();
    show(&mut page, "slack", &slack(&[unit_tests()]).await);
    show(
        &mut page,
        "mail",
        &format!("Subject: {}\n\n{}", one.subject, one.text),
    );
    show(&mut page, "slack-table", &slack(&dozen()).await);
    let pictures = [
        ("mail.png", &one.html, 400),
        ("mail-table.png", &table.html, 480),
    ];
    for (name, html, height) in pictures {
        let picture = at_root("docs/images").join(name);
        assert!(
            page.contains(&format!("(images/{name})")),
            "{PAGE} shows {name}"
        );
        if env::var_os(WRITE).is_some() {
            fs::create_dir_all(picture.parent().unwrap()).unwrap();
            photograph(html, &picture, height);
        }
        assert!(
            fs::read(&picture).unwrap().starts_with(b"\x89PNG"),
            "{name}"
        );
    }
    if env::var_os(WRITE).is_some() {
        fs::write(at_root(PAGE), page).unwrap();
    }
}
