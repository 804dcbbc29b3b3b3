//! What the exporter did about failed jobs, from its record.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Deserialize;

/// The record, as far as it is printed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Record {
    actions: Vec<Action>,
    decisions: Vec<Decision>,
}

#[derive(Debug, Deserialize)]
struct Action {
    number: u64,
    project: String,
    job: String,
    #[serde(rename = "action")]
    kind: String,
    by: String,
    result: String,
}

#[derive(Debug, Deserialize)]
struct Decision {
    reason: String,
}

/// Prints each result of an action once, and that failures wait for the end of an outage.
#[derive(Debug, Default)]
pub(super) struct Actions {
    /// Last printed result by number.
    printed: HashMap<u64, String>,
    waits: bool,
}

impl Actions {
    /// The text of what is new.
    pub(super) fn news(&mut self, record: &Record) -> String {
        let mut text = String::new();
        // The newest action comes first.
        for action in record.actions.iter().rev() {
            let before = self.printed.insert(action.number, action.result.clone());
            if before.as_ref() == Some(&action.result) {
                continue;
            }
            let result = action.result.replace('_', " ");
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "\n>>> {}: {} of {}, by {}: {result}",
                action.kind, action.job, action.project, action.by
            );
        }
        let waits = record.decisions.iter().any(|it| it.reason == "outage");
        if waits && !self.waits {
            text.push_str(
                "\n>>> Nothing is retried for now: many jobs fail at the same time, and retries would only add load.\n",
            );
        }
        self.waits = waits;
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(result: &str, reason: &str) -> Record {
        let record = json!({
            "mode": "act",
            "actions": [{
                "number": 1, "project": "acme/courier", "job": "label", "action": "recover",
                "by": "runner-trouble", "result": result,
            }],
            "decisions": [{ "decision": "wait", "reason": reason }],
        });
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn each_result_and_each_wait_is_printed_once() {
        let mut actions = Actions::default();
        let text = actions.news(&record("started", ""));
        assert_eq!(
            text,
            "\n>>> recover: label of acme/courier, by runner-trouble: started\n"
        );
        assert_eq!(actions.news(&record("started", "")), "");
        let text = actions.news(&record("failed_again", "outage"));
        assert!(
            text.contains(": failed again\n") && text.contains(">>> Nothing is retried for now: ")
        );
        assert_eq!(actions.news(&record("failed_again", "outage")), "");
        assert_eq!(Actions::default().news(&Record::default()), "");
    }
}
