//! The first lines of the daemon's log: what is watched, where the state lies, and by which configuration.

use std::path::Path;

use ci_history::Shard;
use ci_history::duration::format as span;

use crate::base::build_info;
use crate::config::Config;

/// Names of the configuration that are told. The others are counted.
const MOST_NAMES: usize = 10;

/// Tells how the daemon is configured.
pub(super) fn tell(config: &Config, file: Option<&Path>) {
    let file = file.map_or_else(
        || "none: flags and environment only".to_owned(),
        |path| path.display().to_string(),
    );
    tracing::info!(
        gitlab = %config.gitlab.url,
        version = build_info::VERSION,
        revision = build_info::REVISION,
        config_file = file,
        "starting"
    );
    let watch = &config.watch;
    let groups: Vec<&str> = watch.groups.iter().map(|group| &*group.path).collect();
    let projects: Vec<&str> = watch.projects.iter().map(|path| &**path).collect();
    let shard = (watch.shard != Shard::WHOLE).then(|| watch.shard.to_string());
    tracing::info!(
        groups = names(&groups),
        projects = names(&projects),
        refs = %watch.refs,
        shard,
        "watching; at most {} requests a second",
        config.gitlab.requests_per_second
    );
    tracing::info!(
        "state in {}, saved every {}, kept for {}",
        config.store.location,
        span(config.store.save_interval),
        span(config.retention)
    );
}

/// The names, of many only the first ones; `None` without any.
fn names(all: &[&str]) -> Option<String> {
    let told = all.iter().take(MOST_NAMES).copied();
    let mut text = told.collect::<Vec<_>>().join(", ");
    if let Some(others) = all.len().checked_sub(MOST_NAMES).filter(|it| *it > 0) {
        text.push_str(&format!(" and {others} more"));
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_the_first_are_told() {
        assert_eq!(names(&[]), None);
        assert_eq!(names(&["a", "b"]).as_deref(), Some("a, b"));
        let many = ["x"; 12];
        let told = names(&many).unwrap();
        assert!(told.ends_with("x and 2 more"), "{told}");
    }
}
