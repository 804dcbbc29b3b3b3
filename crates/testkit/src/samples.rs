//! Parser of the exposition format, and samples to look up.

use std::collections::BTreeMap;

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// One sample of a scraped page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: Labels,
    pub value: f64,
}

/// All samples of a scraped page, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples(BTreeMap<String, Vec<Sample>>);

impl Samples {
    /// Parses the text format. Panics at a line that is not a sample.
    #[track_caller]
    pub fn parse(page: &str) -> Self {
        let mut families: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let sample = sample(line).unwrap_or_else(|| panic!("not a sample: {line}"));
            let family = families.entry(sample.name.clone());
            family.or_default().push(sample);
        }
        Self(families)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Sample> {
        self.0.values().flatten()
    }

    /// The samples of a family that have at least these labels.
    pub fn of(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let has = |sample: &Sample, (label, value): &(&str, &str)| {
            sample
                .labels
                .get(*label)
                .is_some_and(|found| found == value)
        };
        let family = self.0.get(name).into_iter().flatten();
        family
            .filter(|sample| labels.iter().all(|label| has(sample, label)))
            .collect()
    }

    /// The only sample of a family with these labels. Panics if there are several.
    #[track_caller]
    pub fn one(&self, name: &str, labels: &[(&str, &str)]) -> Option<&Sample> {
        let found = self.of(name, labels);
        assert!(found.len() < 2, "more than one {name}{labels:?}");
        found.first().copied()
    }

    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.one(name, labels).map(|sample| sample.value)
    }

    /// The sum of a family's samples with these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.of(name, labels)
            .iter()
            .map(|sample| sample.value)
            .sum()
    }

    /// The same page without the samples of a ref.
    pub fn without_ref(&self, ref_name: &str) -> Self {
        let mut rest = self.clone();
        for samples in rest.0.values_mut() {
            samples.retain(|sample| sample.labels.get("ref").is_none_or(|it| it != ref_name));
        }
        rest
    }

    /// The sorted samples of jobs and pipelines, which must survive a restart. Omits the start of waits, which depends on
    /// GitLab's clock with its whole seconds, and lines of logs, which are read some time after the failure.
    pub fn kept(&self) -> String {
        let is_kept = |name: &str| {
            (name.starts_with("job_") || name.starts_with("pipeline_"))
                && !name.starts_with("job_failure_exporter_")
                && name != "job_pending_start_timestamp_seconds"
                && name != "job_failure_log_info"
        };
        let kept = self.iter().filter(|sample| is_kept(&sample.name));
        let mut lines: Vec<String> = kept
            .map(|sample| format!("{}{:?} {}\n", sample.name, sample.labels, sample.value))
            .collect();
        lines.sort();
        lines.concat()
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => read_labels(rest)?,
        None => (Labels::new(), rest),
    };
    Some(Sample {
        name: name.to_owned(),
        labels,
        value: rest.trim().parse().ok()?,
    })
}

/// Parses labels up to the closing brace. Returns them with the rest of the line.
fn read_labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.insert(name.to_owned(), value);
        rest = after;
    }
}

/// Parses a label value up to the closing quote. Returns it with the rest of the line.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[position + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                escaped => escaped,
            }),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_back_with_escapes_and_without_labels() {
        let page = "# HELP a b\na{x=\"1,}\\\"\\n\\\\\",y=\"\"} 2.5\nb 1e3\n";
        let samples = Samples::parse(page);
        assert_eq!(
            samples.value("a", &[("x", "1,}\"\n\\"), ("y", "")]),
            Some(2.5)
        );
        assert_eq!(samples.value("b", &[]), Some(1000.0));
        assert_eq!(samples.value("b", &[("x", "1")]), None);
    }
}
