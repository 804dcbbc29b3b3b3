//! Shortens the waits of the shipped rules and routes, so that alerts arrive within a minute.

use std::time::Duration;

use regex::{Captures, Regex};

use ci_history::duration;

/// Divides every wait in the text of a rule file or of Alertmanager's configuration. The rest of the text
/// stays the same.
pub fn shorten_waits(text: &str, divisor: u32) -> String {
    let keys = "for|keep_firing_for|interval|group_wait|group_interval|repeat_interval";
    let pattern = format!(r"(?m)^(?<key>\s*(?:- )?(?:{keys}): *)(?<time>[0-9a-z]+)\b");
    let Ok(waits) = Regex::new(&pattern) else {
        return text.to_owned();
    };
    let shorter = |found: &Captures<'_>| {
        let time = duration::parse(&found["time"]).unwrap_or(Duration::ZERO);
        format!("{}{}", &found["key"], duration::format(time / divisor))
    };
    waits.replace_all(text, shorter).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_divided_and_nothing_else_changes() {
        let text =
            "interval: 1m\nexpr: x[10m]\n  for: 1m # why\n  keep_firing_for: 10m\n- for: 0s\n";
        let shorter =
            "interval: 5s\nexpr: x[10m]\n  for: 5s # why\n  keep_firing_for: 50s\n- for: 0s\n";
        assert_eq!(shorten_waits(text, 12), shorter);
    }
}
