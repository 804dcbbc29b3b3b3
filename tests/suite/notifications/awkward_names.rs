//! Names that are awkward in links: the form, the API and amtool read exactly the labels of the job.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::one_stream::silence_links;
use super::stage::{Stage, alert};
use super::{notification, render};
use crate::silence_link::{matchers, of_job};
use crate::tools;

const NAMES: [&str; 22] = [
    "plain",
    "a / b",
    "a + b",
    "100%",
    "%2B %22",
    "say \"hi\"",
    "it's `x`",
    "back\\slash",
    "end\\",
    "\\\"",
    "{a}",
    "a}, b=\"c\"",
    "a,b",
    "a=b&c=d",
    "#1 ?",
    "<b> & </b>",
    "[x](y)|z",
    "*_~",
    "größe 名 🚀",
    "two\nlines",
    "{{ .Labels }}",
    "javascript:alert(1)",
];

/// A job with this name everywhere.
fn job(name: &str) -> Value {
    let labels = ["job_name", "ref", "track", "project", "gitlab"].map(|label| (label, name));
    let mut alert = alert("CIJobFailingRepeatedly", "warning", &labels);
    alert["annotations"]["failures"] = "3 in a row".into();
    alert
}

#[tokio::test]
async fn a_link_with_any_names_silences_the_job_with_these_names_alone() {
    let stage = Stage::start().await;
    let jobs = NAMES.map(job);
    stage.fire(&jobs).await;
    for (number, job) in jobs.iter().enumerate() {
        let wanted = of_job(&job["labels"]);
        let is_it = |message: &Value| {
            let links = silence_links(message["attachments"][0]["text"].as_str().unwrap());
            links.len() == 1 && matchers(&links[0]) == wanted
        };
        let message = stage.message("team-payments", is_it).await;
        let links = silence_links(message["attachments"][0]["text"].as_str().unwrap());
        stage.silence(&links[0]).await;
        let silenced = stage.silenced(number + 1).await;
        assert!(silenced.contains(&job["labels"]), "{job}");
    }
}

/// The link of a mail about a job.
fn link_in_mail(job: &Value) -> String {
    let mail = render(
        "ci.email.html",
        &notification("firing", std::slice::from_ref(job)),
    );
    let (before, _) = mail.split_once("\">Silence</a>").unwrap();
    let (_, link) = before.rsplit_once("href=\"").unwrap();
    assert!(!link.contains(['<', '&']), "{link}");
    link.to_owned()
}

#[tokio::test]
async fn amtool_and_the_api_read_the_filter_of_a_link_as_the_form_does() {
    let stage = Stage::start().await;
    let jobs = NAMES.map(job);
    stage.fire(&jobs).await;
    let url = format!("--alertmanager.url=http://{}", stage.alertmanager.address);
    for job in &jobs {
        let matchers = matchers(&link_in_mail(job));
        assert_eq!(matchers, of_job(&job["labels"]));
        // The form shows the alerts that a filter selects by such a query.
        let text = |(name, value): &(String, String)| format!("{name}={}", json!(value));
        let filters: Vec<_> = matchers.iter().map(text).collect();
        let query = ["alert", "query", "--output=json", &url].map(str::to_owned);
        let answer = tools::run("amtool", query.into_iter().chain(filters.clone()));
        answer.must_pass();
        let by_amtool: Value = serde_json::from_str(&answer.printed).unwrap();
        let encoded =
            |filter: &String| format!("filter={}", utf8_percent_encode(filter, NON_ALPHANUMERIC));
        let encoded: Vec<_> = filters.iter().map(encoded).collect();
        let by_api = stage
            .alertmanager
            .get(&format!("alerts?{}", encoded.join("&")))
            .await;
        for found in [by_amtool, by_api] {
            let labels: Vec<_> = found
                .as_array()
                .unwrap()
                .iter()
                .map(|it| &it["labels"])
                .collect();
            assert_eq!(labels, [&job["labels"]]);
        }
    }
}
