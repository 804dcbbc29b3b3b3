//! What Grafana does with a dashboard before it asks Prometheus, and the names it knows.

use std::collections::BTreeMap;

use regex::{Captures, Regex};

/// The units of Grafana's categories Misc, Boolean, Data, Date & time, Throughput and Time.
pub(super) const UNITS: &str = "none string short sishort percent percentunit humidity dB hex sci locale pixel \
    bool bool_yes_no bool_on_off bytes decbytes bits decbits kbytes deckbytes mbytes decmbytes gbytes decgbytes \
    pps binBps Bps binbps bps KiBs KBs MiBs MBs GiBs GBs dateTimeAsIso dateTimeAsIsoNoDateIfToday dateTimeAsUS \
    dateTimeAsUSNoDateIfToday dateTimeAsLocal dateTimeAsLocalNoDateIfToday dateTimeAsSystem dateTimeFromNow \
    cps ops reqps rps wps iops eps mps recps rowsps cpm opm reqpm rpm wpm epm mpm recpm rowspm hertz ns ms s m h d \
    dtdurationms dtdurations dthms dtdhms timeticks clockms clocks";

/// What is chosen for each variable.
pub(super) type Choice = BTreeMap<String, Chosen>;

/// The values chosen for one variable.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Chosen {
    /// The variable's `allValue`.
    All(String),
    /// Of a variable that takes several.
    Some(Vec<String>),
    /// Of one that takes a single value.
    One(String),
}

/// `$name`, `${name}` or `${name:format}`; a number is a group of `label_replace`.
pub(super) fn reference() -> Regex {
    Regex::new(r"\$(?:\{(?<braced>[A-Za-z_]\w*)(?::(?<format>\w+))?\}|(?<bare>[A-Za-z_]\w*))")
        .unwrap()
}

/// A query with its variables filled in as the Prometheus data source does.
pub(super) fn interpolated(query: &str, choice: &Choice) -> Result<String, String> {
    let mut problem = None;
    let filled = reference().replace_all(query, |found: &Captures<'_>| {
        let name = found.name("braced").or_else(|| found.name("bare"));
        let format = found.name("format").map(|format| format.as_str());
        filled_in(name.unwrap().as_str(), format, choice).unwrap_or_else(|said| {
            problem = Some(said);
            String::new()
        })
    });
    let filled = filled.into_owned();
    problem.map_or(Ok(filled), Err)
}

fn filled_in(name: &str, format: Option<&str>, choice: &Choice) -> Result<String, String> {
    match name {
        "__rate_interval" => return Ok("1m".to_owned()),
        "__interval" => return Ok("15s".to_owned()),
        // From before the first execution of the scene.
        "__range" => return Ok("3000s".to_owned()),
        _ => {}
    }
    let chosen = choice.get(name);
    match (chosen, format) {
        (None, _) => Err(format!("no variable {name}")),
        (Some(Chosen::All(all)), None) => Ok(all.clone()),
        (Some(Chosen::Some(values)), None) => Ok(match values.as_slice() {
            [value] => pattern(value),
            values => {
                let patterns: Vec<_> = values.iter().map(|value| pattern(value)).collect();
                format!("({})", patterns.join("|"))
            }
        }),
        // Backslashes are left as they are.
        (Some(Chosen::One(value)), Some("doublequote")) => {
            Ok(format!("\"{}\"", value.replace('"', "\\\"")))
        }
        (Some(chosen), format) => Err(format!("{name}: {chosen:?} as {format:?}")),
    }
}

/// The value as a regular expression inside of quotes: escaped for both.
fn pattern(value: &str) -> String {
    let value = value.replace('\\', r"\\\\");
    let special = Regex::new(r"[$^*{}\[\]'+?.()|]").unwrap();
    special.replace_all(&value, r"\\$0").into_owned()
}

/// The selector and the label of `label_values(selector, label)`.
pub(super) fn label_values(query: &str) -> Option<(&str, &str)> {
    let inner = query.strip_prefix("label_values(")?.strip_suffix(')')?;
    let (selector, label) = inner.rsplit_once(',')?;
    Some((selector.trim(), label.trim()))
}

#[test]
fn names_of_jobs_are_escaped_for_regular_expression_and_quotes() {
    let several = |values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Choice::from([("job".to_owned(), Chosen::Some(values))])
    };
    let query = "x{job_name=~\"$job\"}";
    let one = interpolated(query, &several(&["build: [a.b]"])).unwrap();
    assert_eq!(one, r#"x{job_name=~"build: \\[a\\.b\\]"}"#);
    let two = interpolated(query, &several(&["a", "b?"])).unwrap();
    assert_eq!(two, r#"x{job_name=~"(a|b\\?)"}"#);
    assert!(interpolated("x{y=~\"$z\"}", &several(&["a"])).is_err());
}
