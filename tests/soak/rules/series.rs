//! Series with their labels, from a page or from an answer of Prometheus.

use serde_json::Value;

/// A series and its value of now.
#[derive(Debug, Clone)]
pub(super) struct Series {
    /// Sorted by name, `__name__` included.
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Series {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn name(&self) -> &str {
        self.label("__name__").unwrap()
    }

    /// From an element of the result of an instant query.
    pub(super) fn answered(element: &Value) -> Self {
        let labels = element["metric"].as_object().unwrap().iter();
        let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        Self {
            labels: labels.collect(),
            value: element["value"][1].as_str().unwrap().parse().unwrap(),
        }
    }

    /// From a line of a page whose labels need no escapes, with the labels that Prometheus adds.
    fn exposed(line: &str, instance: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let mut pairs = vec![
            ("__name__".to_owned(), name.to_owned()),
            ("instance".to_owned(), instance.to_owned()),
            ("job".to_owned(), super::prometheus::SCRAPE_JOB.to_owned()),
        ];
        let mut parts = labels.split('"');
        while let (Some(label), Some(value)) = (parts.next(), parts.next()) {
            // An empty label is none.
            if !value.is_empty() {
                let label = label.trim_start_matches(',').trim_end_matches('=');
                pairs.push((label.to_owned(), value.to_owned()));
            }
        }
        pairs.sort();
        Self {
            labels: pairs,
            value: value.parse().unwrap(),
        }
    }
}

/// All series of a page whose names `wanted` approves.
pub(super) fn of_page(page: &str, instance: &str, wanted: impl Fn(&str) -> bool) -> Vec<Series> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let wanted = lines.filter(|line| {
        let end = line.find(['{', ' ']).unwrap();
        wanted(&line[..end])
    });
    wanted.map(|line| Series::exposed(line, instance)).collect()
}
