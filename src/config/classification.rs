//! The section `classification`: how the logs of failed jobs are read.

use std::sync::Arc;

use ci_history::{FailureClass, LogRule, LogRules};

use super::key::{Key, keys};
use super::remediation_rule::rule_name;
use super::section::Section;
use super::select::part;
use super::value_type::Form;
use super::word::Word;

/// How the logs of failed jobs are read.
#[derive(Debug, Clone)]
pub struct Classification {
    /// Whether logs are read at all.
    pub read_logs: bool,
    /// Most logs read a minute, over all projects.
    pub log_reads_per_minute: usize,
    /// The failure classes of texts in logs.
    pub rules: LogRules,
    /// The names of the rules.
    pub(super) names: Vec<Arc<str>>,
}

keys! {
    READ_LOGS: Key<bool> = Key::bool("classification.read_logs")
        .default("true")
        .doc("Whether the end of a failing job's log is read, for its `failure_class` and for its last lines on the job's page, secrets masked. One request for each job that newly fails.");

    LOG_READS_PER_MINUTE: Key<usize> = Key::count("classification.log_reads_per_minute", 1, 600)
        .default("30")
        .doc("Most logs read a minute, over all projects; the others wait.");

    MATCH: Key<String> = Key::regex(
        "classification.rules[].match",
        Form::new("regular expression", "a regular expression such as `build-.*`"),
        part,
    )
    .required()
    .doc("Text to find anywhere in the last 64 KiB of a log, without colours and section markers. The first rule that matches wins, and these rules come before the built-in ones. Rules apply only where GitLab's own reason is `script_failure`, unknown or missing.");

    NAME: Key<String> = Key::text(
        "classification.rules[].name",
        Form::new("name", "letters, digits, `-`, `_` and `.`, at most 64, such as `connection-reset`"),
        rule_name,
    )
    .doc("Name of the rule, for `remediation.rules[].match.log_rules`.");

    CLASS: Key<FailureClass> = Key::word("classification.rules[].class")
        .required()
        .doc("The `failure_class` of these failures.");
}

impl Word for FailureClass {
    const ALL: &'static [Self] = &FailureClass::ALL;

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Classification {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let rules = section.sections("rules");
        let rules: Vec<LogRule> = rules.iter().filter_map(rule).collect();
        let names = rules.iter().filter_map(|rule| rule.name.clone()).collect();
        let rules = LogRules::new(rules);
        let rules = rules.or_else(|error| {
            // Each pattern compiles by itself; all together may exceed the size limit.
            section.complain(format!("the rules cannot be used together: {error}"));
            LogRules::new(Vec::new())
        });
        Self {
            read_logs: section.get(&READ_LOGS),
            log_reads_per_minute: section.get(&LOG_READS_PER_MINUTE),
            rules: rules.expect("no rules fit together"),
            names,
        }
    }
}

fn rule(section: &Section<'_>) -> Option<LogRule> {
    let (pattern, class) = (section.read(&MATCH), section.read(&CLASS));
    Some(LogRule {
        name: section.read(&NAME).map(Arc::from),
        pattern: pattern?,
        class: class?,
    })
}
