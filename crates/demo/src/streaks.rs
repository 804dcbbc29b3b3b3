//! A one-line summary of the jobs, from the exporter's metrics.

use std::fmt;

/// Summary of `job_consecutive_failures`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Streaks {
    tracked: usize,
    failing: usize,
    longest: Option<(u64, String)>,
}

impl Streaks {
    pub(super) fn read(metrics: &str) -> Self {
        let mut streaks = Self::default();
        let samples = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("job_consecutive_failures{"));
        for sample in samples {
            let Some((labels, value)) = sample.rsplit_once("} ") else {
                continue;
            };
            let Ok(streak) = value.trim().parse::<u64>() else {
                continue;
            };
            streaks.tracked += 1;
            streaks.failing += usize::from(streak > 0);
            let known = streaks.longest.as_ref().map_or(0, |(streak, _)| *streak);
            if streak > known {
                let of = |name| label(labels, name).unwrap_or("?");
                let job = format!("{} {}", of("project"), of("job_name"));
                streaks.longest = Some((streak, job));
            }
        }
        streaks
    }
}

impl fmt::Display for Streaks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} jobs tracked, {} failing",
            self.tracked, self.failing
        )?;
        match &self.longest {
            Some((streak, job)) => write!(out, "; longest streak {streak}: {job}"),
            None => Ok(()),
        }
    }
}

fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    let start = labels.find(&format!("{name}=\""))? + name.len() + 2;
    let rest = &labels[start..];
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_streak_is_named_with_its_job() {
        let metrics = "# TYPE job_consecutive_failures gauge
job_consecutive_failures{project=\"a/b\",ref=\"main\",job_name=\"lint\"} 0
job_consecutive_failures{project=\"a/b\",ref=\"main\",job_name=\"build: [x, y]\"} 4
job_consecutive_failures{project=\"a/c\",ref=\"main\",job_name=\"test\"} 2
job_window_failures{project=\"a/c\",ref=\"main\",job_name=\"test\"} 9
";
        let line = "3 jobs tracked, 2 failing; longest streak 4: a/b build: [x, y]";
        assert_eq!(Streaks::read(metrics).to_string(), line);
        assert_eq!(Streaks::read("").to_string(), "0 jobs tracked, 0 failing");
    }
}
