//! Which series a value is for: its severity, and the level of what it applies to.

use std::collections::{BTreeMap, BTreeSet};

use super::vocabulary::{Measure, Vocabulary};
use crate::base::nearest::nearest;

/// The label `job_name` has this name in a file.
pub(super) const JOB: (&str, &str) = ("job", "job_name");

/// What an override applies to, by label.
pub(super) type Subject = BTreeMap<String, String>;

/// The severity that is meant; `None` for a threshold of all severities.
pub(super) fn chosen<'m>(
    name: &str,
    measure: &'m Measure,
    given: Option<&str>,
) -> Result<Option<&'m str>, String> {
    let all = measure.severities();
    if given.is_none()
        && let Some(usual) = measure.usual_severity()
    {
        return Ok(Some(usual));
    }
    match (given, &all[..]) {
        (None, []) => Ok(None),
        (None, [first, ..]) => Err(format!(
            "`{name}` has thresholds for {}; say which: `{name}: {{{first}: ..}}` in a file, `{name}.{first}=..` \
             on the command line",
            all.join(" and ")
        )),
        (Some(given), []) => Err(format!(
            "`{name}` is one threshold for all severities; leave `{given}` out"
        )),
        (Some(given), all) => all.iter().find(|one| **one == given).map_or_else(
            || {
                let near = nearest(given, all).map(|near| format!("; did you mean `{near}`?"));
                Err(format!(
                    "`{name}` has no severity `{given}`, but {}{}",
                    all.join(" and "),
                    near.unwrap_or_default()
                ))
            },
            |one| Ok(Some(*one)),
        ),
    }
}

/// `default`, or what records of the subject's level begin with.
pub(super) fn level(
    vocabulary: &Vocabulary,
    name: &str,
    measure: &Measure,
    subject: &Subject,
) -> Result<String, String> {
    if subject.is_empty() {
        return Ok("default".to_owned());
    }
    let labels: BTreeSet<_> = subject.keys().map(String::as_str).collect();
    if let Some(level) = vocabulary
        .levels(measure)
        .find(|level| level.takes(&labels))
    {
        return Ok(level.prefix.clone());
    }
    let in_file = |label: &str| if label == JOB.1 { JOB.0 } else { label }.to_owned();
    let found: Vec<_> = labels.into_iter().map(in_file).collect();
    let found = found.join(" and ");
    let known: BTreeSet<_> = vocabulary
        .levels(measure)
        .map(|level| level.words(in_file))
        .collect();
    if known.is_empty() {
        return Err(format!(
            "`{name}` has only a default; move it to `defaults`"
        ));
    }
    let known: Vec<_> = known.into_iter().collect();
    Err(format!(
        "`{name}` cannot be set by {found}; it can be set by {}",
        known.join("; by ")
    ))
}
