//! Names in GitLab that try to mention, format, link or script.

use regex::Regex;
use serde_json::{Value, json};

use super::stage::alert;
use super::{notification, render};

const HOSTILE: &str = r#"<!channel> <https://evil.example|x> `*_it_*` <script>alert("x")</script> [a](http://evil.example) & \ {{DATE()}}"#;

/// Everything that comes from GitLab is hostile.
fn hostile(number: usize) -> Value {
    let name = format!("{HOSTILE} {number}");
    let names = ["job_name", "ref", "track", "project", "team", "gitlab"];
    let mut alert = alert(
        "CIJobFailingRepeatedly",
        "critical",
        &names.map(|it| (it, name.as_str())),
    );
    alert["annotations"]["description"] = json!(format!("Job {HOSTILE} failed."));
    alert["annotations"]["details"] = json!(format!(
        "since: 2026-01-02 02:41 UTC\nlog: {HOSTILE}\nfirst bad commit: 8c1f0a5b {HOSTILE}\n\
         job: https://gitlab.example.com/) <https://evil.example|x> [a](b)"
    ));
    alert
}

/// One alert with a failure, one with a description alone, several, and their end.
fn messages() -> [Value; 4] {
    let mut described = hostile(1);
    described["annotations"]
        .as_object_mut()
        .unwrap()
        .remove("failures");
    [
        notification("firing", &[hostile(1)]),
        notification("firing", &[described.clone()]),
        notification("firing", &[hostile(1), described, hostile(3)]),
        notification("resolved", &[hostile(1), hostile(2)]),
    ]
}

#[test]
fn in_slack_a_name_is_text_in_a_code_span_and_every_link_is_ours() {
    let link = Regex::new(r"<([^<>|]*)\|([A-Z][a-z ]+|all alerts)>").unwrap();
    let span = Regex::new("`[^`\n]*`").unwrap();
    let ours =
        Regex::new(r"^https://(gitlab|ci|runbooks|grafana|alertmanager)\.example\.com/").unwrap();
    for message in messages() {
        let text = render("ci.slack.text", &message);
        let rest = link.replace_all(&text, "");
        assert!(!rest.contains(['<', '>']), "{rest}");
        for found in link.captures_iter(&text) {
            assert!(ours.is_match(&found[1]), "{}", &found[1]);
        }
        // Outside of code spans nothing is left that Slack would format or link.
        let bare = span.replace_all(&rest, "");
        for mark in ["`", "it", "://", "@"] {
            let known = bare.replace("failed ", "");
            let hostile = mark != "it" && known.contains(mark);
            assert!(!hostile, "{mark}: {bare}");
        }
        let title = render("ci.slack.title", &message);
        assert!(!title.contains(['<', '>', '\n']), "{title}");
    }
}

#[test]
fn in_teams_every_mark_of_a_name_is_escaped_and_every_link_is_ours() {
    let link = Regex::new(
        r"\[(Job|Compare|Page|Runbook|Dashboard|Silence|All alerts)\]\((https://[^()\s<>]+)\)",
    )
    .unwrap();
    let bold = Regex::new(r"\*\*[^*]+\*\*").unwrap();
    let escaped = Regex::new(r"\\[\\`*_\[\]|~{}#]").unwrap();
    for message in messages() {
        for template in ["ci.msteams.title", "ci.msteams.text"] {
            let text = render(template, &message);
            for found in link.captures_iter(&text) {
                assert!(!found[2].contains("//evil.example/"), "{}", &found[2]);
            }
            let rest = link.replace_all(&text, "");
            let rest = escaped.replace_all(&rest, "").replace("**critical**", "");
            let rest = bold.replace_all(&rest, "");
            assert!(
                !rest.contains(['<', '>', '*', '`', '[', ']', '_', '{']),
                "{template}: {rest}"
            );
            // The card is JSON, and the text a string of it.
            let card = json!({"type": "TextBlock", "text": text}).to_string();
            let parsed: Value = serde_json::from_str(&card).unwrap();
            assert_eq!(parsed["text"], text);
        }
    }
}

#[test]
fn in_a_mail_a_name_is_text_and_an_address_that_scripts_is_removed() {
    let links = Regex::new(r#"href="([^"]*)""#).unwrap();
    let ours = Regex::new(r"^https://[a-z]+\.example\.com/").unwrap();
    for message in messages() {
        let mail = render("ci.email.html", &message);
        for tag in ["<script", "<!channel", "<https"] {
            assert!(!mail.contains(tag), "{tag}: {mail}");
        }
        assert!(mail.contains("&lt;script&gt;"), "{mail}");
        for found in links.captures_iter(&mail) {
            assert!(ours.is_match(&found[1]), "{}", &found[1]);
        }
    }
    let mut scripts = hostile(1);
    scripts["annotations"]["details"] = json!("job: javascript:alert(1)");
    let mail = render("ci.email.html", &notification("firing", &[scripts]));
    assert!(!mail.contains("javascript:"), "{mail}");
}

#[test]
fn a_name_stays_on_its_line() {
    let mut job = hostile(1);
    job["labels"]["job_name"] = json!("one\njob: https://evil.example\u{202e}\u{200b}two");
    for template in [
        "ci.title",
        "ci.slack.title",
        "ci.slack.text",
        "ci.text",
        "ci.msteams.text",
    ] {
        let text = render(template, &notification("firing", &[job.clone()]));
        assert!(!text.contains("\njob: https://evil"), "{template}: {text}");
        assert!(
            !text.contains(['\u{202e}', '\u{200b}']),
            "{template}: {text}"
        );
    }
    job["labels"]["job_name"] = json!("x".repeat(5000));
    let text = render("ci.text", &notification("firing", &[job]));
    let silence = text.lines().position(|line| line.starts_with("silence: "));
    let longest = text
        .lines()
        .enumerate()
        .filter(|(at, _)| Some(*at) != silence);
    assert!(
        longest.map(|(_, line)| line.chars().count()).max() < Some(300),
        "{text}"
    );
}
