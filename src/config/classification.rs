//! The section `classification`: how failures are told apart by their logs.

use super::reader::Section;
use super::select::part;
use crate::model::{FailureClass, LogRules};

/// How failures are told apart by their logs.
#[derive(Debug, Clone)]
pub struct Classification {
    /// Whether logs are read at all. Default: yes.
    pub read_logs: bool,
    /// Most logs read a minute, over all projects. Default: 30.
    pub log_reads_per_minute: usize,
    /// What is looked for in them.
    pub rules: LogRules,
}

impl Classification {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let read_logs = section.bool("read_logs");
        let log_reads_per_minute = section.count("log_reads_per_minute");
        let rules: Vec<_> = section.sections("rules").iter().map(rule).collect();
        let rules = rules.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Self {
            read_logs: read_logs?,
            log_reads_per_minute: log_reads_per_minute?,
            rules: log_rules(section, rules)?,
        })
    }
}

fn rule(section: &Section<'_>) -> Option<(String, FailureClass)> {
    let pattern = section.text("match", part);
    let class = section.choice(
        "class",
        &FailureClass::ALL.map(|class| (class.as_str(), class)),
    );
    Some((pattern?, class?))
}

/// Each pattern is one by itself; all together may still be more than is compiled.
fn log_rules(section: &Section<'_>, rules: Vec<(String, FailureClass)>) -> Option<LogRules> {
    let rules = LogRules::new(rules);
    if let Err(error) = &rules {
        section.complain(format!("the rules cannot be used together: {error}"));
    }
    rules.ok()
}
