//! Several alerts are a table: one line each, ten at most, the critical ones first.

use serde_json::{Value, json};

use super::stage::{Stage, alert};
use super::{job, notification, render, with_thirty};

/// The lines of the table in a message.
fn table<'a>(text: &'a str, bullet: &str) -> Vec<&'a str> {
    text.lines()
        .filter(|line| line.starts_with(bullet))
        .collect()
}

#[test]
fn ten_jobs_are_ten_lines_and_the_critical_ones_come_first() {
    for (template, bullet) in [
        ("ci.text", "* "),
        ("ci.slack.text", "• "),
        ("ci.msteams.text", "- "),
        ("ci.email.html", "<tr style=\"border-bottom: 1px"),
    ] {
        let ten: Vec<_> = (1..=10).map(job).collect();
        let text = render(template, &notification("firing", &ten));
        let lines = table(&text, bullet);
        assert_eq!(lines.len(), 10, "{template}: {text}");
        assert!(!text.contains(" more"), "{template}: {text}");
        let severities: Vec<_> = lines.iter().map(|line| line.contains("critical")).collect();
        assert!(
            severities.is_sorted_by_key(|critical| !critical),
            "{template}: {text}"
        );
        assert_eq!(severities.iter().filter(|critical| **critical).count(), 3);
        for (number, line) in lines.iter().enumerate() {
            let facts = [
                "unit-",
                "6 in a row",
                "2026-01-02 02:41 UTC",
                "8c1f0a5b",
                "AssertionError",
                "jobs/4711",
                "silences/new",
            ];
            for fact in facts {
                assert!(
                    line.contains(fact),
                    "{template}, line {number}: {fact}: {line}"
                );
            }
        }
        let thirty = render(template, &with_thirty());
        let lines = table(&thirty, bullet);
        assert_eq!(lines.len(), 10, "{template}: {thirty}");
        assert!(
            lines.iter().all(|line| line.contains("critical")),
            "{thirty}"
        );
    }
}

#[test]
fn a_job_that_is_over_is_listed_once_and_not_while_another_alert_of_it_fires() {
    let with = |status: &str, name: &str, severity: &str, job: &str| {
        let mut alert = alert(name, severity, &[("job_name", job)]);
        alert["status"] = json!(status);
        alert
    };
    let (firing, resolved) = ("firing", "resolved");
    let alerts = [
        with(firing, "CIJobFailingRepeatedly", "critical", "still"),
        with(resolved, "CIJobStuck", "warning", "still"),
        with(resolved, "CIJobFailingForLong", "critical", "over (1) [*]"),
        with(
            resolved,
            "CIJobFailingRepeatedly",
            "critical",
            "over (1) [*]",
        ),
        with(
            resolved,
            "CIJobFailingRepeatedly",
            "warning",
            "over (1) [*]",
        ),
        with(
            resolved,
            "CIJobFailingRepeatedly",
            "warning",
            "größe \\ \"+\" $1",
        ),
        with(
            resolved,
            "CIJobFailingRepeatedly",
            "critical",
            "größe \\ \"+\" $1",
        ),
    ];
    for template in [
        "ci.text",
        "ci.slack.text",
        "ci.msteams.text",
        "ci.email.html",
    ] {
        let text = render(template, &notification(firing, &alerts));
        let over: Vec<_> = text
            .lines()
            .filter(|line| line.contains("resolved: "))
            .collect();
        assert_eq!(over.len(), 2, "{template}: {text}");
        assert!(
            over[0].contains("over") && over[1].contains("größe"),
            "{text}"
        );
    }
    let many: Vec<_> = (1..=12).map(job).collect();
    let text = render("ci.text", &notification(resolved, &many));
    assert_eq!(table(&text, "* resolved: ").len(), 10, "{text}");
    assert!(text.contains("and 2 more resolved"), "{text}");
}

/// What the table of a message to Slack lists.
fn listed(message: &Value) -> usize {
    table(message["attachments"][0]["text"].as_str().unwrap(), "• ").len()
}

#[tokio::test]
async fn jobs_of_a_project_are_one_message_and_each_gitlab_and_project_has_its_own() {
    let stage = Stage::start().await;
    let mut alerts: Vec<_> = (1..=12).map(job).collect();
    alerts.push(alert("CIJobStuck", "warning", &[("job_name", "train")]));
    for label in [
        ("project", "acme/payments/web"),
        ("gitlab", "self"),
        ("cluster", "eu"),
    ] {
        alerts.push(alert("CIJobFailingRepeatedly", "warning", &[label]));
    }
    stage.fire(&alerts).await;
    let title = |message: &Value| {
        message["attachments"][0]["title"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let message = stage
        .message("team-payments", |it| title(it).contains("FIRING 13"))
        .await;
    assert_eq!(listed(&message), 10, "{message}");
    for words in ["acme/payments/web", "GitLab self", "GitLab eu"] {
        stage
            .message("team-payments", |it| title(it).contains(words))
            .await;
    }
    assert_eq!(
        stage.sent("team-payments").len(),
        4,
        "{:#?}",
        stage.sent("team-payments")
    );
}

#[tokio::test]
async fn a_mail_has_the_table_as_html_and_as_text() {
    let stage = Stage::start().await;
    let alerts = ["com", "self"].map(|gitlab| {
        let labels = [
            ("gitlab", gitlab),
            ("job_name", ""),
            ("ref", ""),
            ("team", ""),
        ];
        alert("CIExporterPollStale", "warning", &labels)
    });
    stage.fire(&alerts[..1]).await;
    let mail = stage.mail().await;
    assert_eq!(
        mail.subject,
        "[FIRING warning] acme/payments/api, GitLab com: 6 in a row"
    );
    for part in [&mail.html, &mail.text] {
        for words in [
            "acme/payments/api",
            "AssertionError",
            "alertname%3D%22CIExporterPollStale%22",
        ] {
            assert!(part.contains(words), "{words}: {part}");
        }
        assert!(!part.contains("severity%3D"), "{part}");
    }
}
