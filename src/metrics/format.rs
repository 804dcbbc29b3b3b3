//! The two formats of the page. They have the same samples, and differ in their HELP and TYPE lines and in their end.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::catalog::{Described, Kind};
use super::text::push_header;
use crate::base::label::Label as _;

/// A format in which Prometheus reads metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
    #[default]
    Text,
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>
    OpenMetrics,
}

/// The suffix of a counter's samples, which the name of its family does not have in OpenMetrics.
const TOTAL: &str = "_total";

impl Format {
    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What stands after the last sample.
    pub(super) fn end(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::OpenMetrics => "# EOF\n",
        }
    }

    /// Adds the HELP and TYPE lines of a family.
    pub(super) fn push_header(self, out: &mut String, family: &Described) {
        let kind = family.kind.as_str();
        match self {
            Self::Text => push_header(out, family.name, kind, family.help),
            Self::OpenMetrics => {
                let help = family.help.replace('\\', "\\\\").replace('"', "\\\"");
                let name = match family.kind {
                    Kind::Counter => family.name.strip_suffix(TOTAL).unwrap_or(family.name),
                    Kind::Gauge | Kind::Histogram => family.name,
                };
                // Writing to a string cannot fail.
                let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            }
        }
    }

    /// The text of the `prometheus` crate in this format.
    pub(super) fn of_text(self, text: String) -> String {
        match self {
            Self::Text => text,
            Self::OpenMetrics => {
                let mut out = String::with_capacity(text.len() + text.len() / 64);
                for line in text.lines() {
                    out.push_str(&open_metrics_line(line));
                    out.push('\n');
                }
                out
            }
        }
    }
}

fn open_metrics_line(line: &str) -> Cow<'_, str> {
    if let Some(rest) = line.strip_prefix("# ") {
        let mut words = rest.splitn(3, ' ');
        let (Some(what), Some(name), Some(more)) = (words.next(), words.next(), words.next())
        else {
            return Cow::Borrowed(line);
        };
        // Only the names of counters end so.
        let name = name.strip_suffix(TOTAL).unwrap_or(name);
        let more = if what == "HELP" {
            more.replace('"', "\\\"")
        } else {
            more.to_owned()
        };
        return Cow::Owned(format!("# {what} {name} {more}"));
    }
    whole_bound(line).map_or(Cow::Borrowed(line), Cow::Owned)
}

/// The line of a bucket whose bound is a whole number, written as the float that OpenMetrics wants.
fn whole_bound(line: &str) -> Option<String> {
    let start = line.find("le=\"")? + "le=\"".len();
    let length = line[start..].find('"')?;
    let bound = &line[start..start + length];
    let is_bucket = line[..start].split('{').next()?.ends_with("_bucket");
    let is_whole = !bound.is_empty() && bound.bytes().all(|byte| byte.is_ascii_digit());
    (is_bucket && is_whole)
        .then(|| format!("{}.0{}", &line[..start + length], &line[start + length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_the_crate_becomes_open_metrics() {
        let text = "# HELP a_total Said \"so\".\n# TYPE a_total counter\na_total{x=\"le=\\\"1\\\"\"} 3\n\
                    # HELP b How long.\n# TYPE b histogram\nb_bucket{le=\"1\"} 2\nb_bucket{le=\"2.5\"} 2\n\
                    b_bucket{le=\"+Inf\"} 2\nb_sum 1\nb_count 2\n";
        let wanted = "# HELP a Said \\\"so\\\".\n# TYPE a counter\na_total{x=\"le=\\\"1\\\"\"} 3\n\
                      # HELP b How long.\n# TYPE b histogram\nb_bucket{le=\"1.0\"} 2\nb_bucket{le=\"2.5\"} 2\n\
                      b_bucket{le=\"+Inf\"} 2\nb_sum 1\nb_count 2\n";
        assert_eq!(Format::OpenMetrics.of_text(text.to_owned()), wanted);
        assert_eq!(Format::Text.of_text(text.to_owned()), text);
    }
}
