//! The shipped rules, Alertmanager configuration and dashboards, embedded, and written with given addresses,
//! thresholds and labels.

mod addresses;
mod directory;
mod embedded;
mod file;
mod kind;
mod kubernetes;
mod options;
mod receivers;
mod rule_labels;
mod thresholds;
mod yaml_text;

pub use self::addresses::{Addresses, Prefix, Site};
pub use self::directory::{Directory, Outcome, Written};
pub use self::file::File;
pub use self::kind::Kind;
pub use self::kubernetes::{DEFAULT_FOLDER, DEFAULT_NAME, Objects};
pub use self::options::Options;
pub use self::receivers::check as check_receiver;
pub use self::rule_labels::check as check_rule_label;
pub use self::thresholds::{ThresholdProblems, Thresholds};

/// The shipped files of rules, as they are before addresses and thresholds are set.
pub fn rule_texts() -> impl Iterator<Item = &'static str> {
    embedded::RULES.iter().map(|file| file.text)
}
