//! The links of messages to Alertmanager's form for a new silence, read as the form does.

use percent_encoding::percent_decode_str;
use serde_json::{Deserializer, Value, json};

use crate::monitoring::Tool;

/// The labels of an alert about a job that say which job it is.
pub(crate) const JOB: [&str; 6] = ["gitlab", "cluster", "project", "ref", "track", "job_name"];

/// Names and values of the matchers that the form shows for a link. All of them are for equality.
///
/// The form decodes the link as an address, in which `+` is a plus sign. Between braces and commas it wants names,
/// each with a value that is a string of JSON.
#[track_caller]
pub(crate) fn matchers(link: &str) -> Vec<(String, String)> {
    let (_, filter) = link.split_once("/#/silences/new?filter=").expect(link);
    assert!(!filter.contains(['&', '=', '#', '?', ' ']), "{link}");
    let filter = percent_decode_str(filter).decode_utf8().unwrap();
    let filter = filter.strip_prefix('{').expect(&filter);
    let mut rest = filter.strip_suffix('}').expect(filter);
    let mut matchers = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').expect(filter);
        let mut strings = Deserializer::from_str(after).into_iter::<String>();
        let value = strings.next().expect(filter).expect(filter);
        rest = &after[strings.byte_offset()..];
        if !rest.is_empty() {
            rest = rest.strip_prefix(',').expect(filter);
            assert!(
                !rest.is_empty(),
                "{filter}: the form wants no comma at the end"
            );
        }
        matchers.push((name.to_owned(), value));
    }
    matchers
}

/// The matchers that silence all alerts about the job with these labels, and about no other job.
pub(crate) fn of_job(labels: &Value) -> Vec<(String, String)> {
    let value = |name: &str| labels[name].as_str().unwrap_or_default().to_owned();
    JOB.map(|name| (name.to_owned(), value(name))).to_vec()
}

/// Silences by a link, as a user does who clicks it and confirms the form.
pub(crate) async fn silence(alertmanager: &Tool, link: &str) {
    let matchers: Vec<_> = matchers(link)
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": value, "isRegex": false, "isEqual": true}))
        .collect();
    let silence = json!({
        "matchers": matchers,
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "a test",
        "comment": "known, being fixed",
    });
    alertmanager.post("silences", &silence).await;
}
