//! The shipped rules and routes with shorter waits, for whoever watches them for a minute.

use std::time::Duration;

use regex::{Captures, Regex};

use ci_history::duration;

/// The text of a rule file or of Alertmanager's configuration with every waiting time divided, and all
/// else as it stands.
pub fn hastened(text: &str, by: u32) -> String {
    let keys = "for|keep_firing_for|group_wait|group_interval|repeat_interval";
    let pattern = format!(r"(?m)^(?<key>\s*(?:- )?(?:{keys}): *)(?<time>[0-9a-z]+)\b");
    let Ok(waits) = Regex::new(&pattern) else {
        return text.to_owned();
    };
    let shorter = |found: &Captures<'_>| {
        let time = duration::parse(&found["time"]).unwrap_or(Duration::ZERO);
        format!("{}{}", &found["key"], duration::format(time / by))
    };
    waits.replace_all(text, shorter).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_are_divided_and_nothing_else_is_touched() {
        let text = "expr: x[10m]\n  for: 1m # why\n  keep_firing_for: 10m\n- for: 0s\n";
        let shorter = "expr: x[10m]\n  for: 5s # why\n  keep_firing_for: 50s\n- for: 0s\n";
        assert_eq!(hastened(text, 12), shorter);
    }
}
