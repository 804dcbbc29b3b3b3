//! Times and global ids in answers of GraphQL.

use ci_history::Timestamp;

use super::times;

pub(super) fn time(text: &str) -> Option<Timestamp> {
    times::parse(text).and_then(times::whole_seconds)
}

/// `None` for a text that is no time.
#[expect(
    clippy::option_option,
    reason = "a time that is missing is no error, one that is odd is"
)]
pub(super) fn optional_time(text: Option<&str>) -> Option<Option<Timestamp>> {
    text.map_or(Some(None), |text| time(text).map(Some))
}

/// The number in a global id such as `gid://gitlab/Ci::Pipeline/314`.
pub(super) fn number(id: &str, class: &str) -> Option<u64> {
    let rest = id.strip_prefix("gid://gitlab/")?.strip_prefix(class)?;
    rest.strip_prefix('/')?.parse().ok().filter(|id| *id > 0)
}
