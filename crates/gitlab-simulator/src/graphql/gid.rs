//! Global ids: `gid://gitlab/Project/42`.

use std::collections::BTreeSet;

use super::arguments::Arguments;
use super::node::Failure;

/// The global id of an object.
pub(super) fn of(class: &str, id: u64) -> String {
    format!("gid://gitlab/{class}/{id}")
}

/// The number in a global id of this class.
pub(super) fn parse(text: &str, class: &str) -> Result<u64, Failure> {
    let invalid = || Failure::Field(format!("{text} is not a valid GitLab ID."));
    let rest = text.strip_prefix("gid://gitlab/").ok_or_else(invalid)?;
    let (found, id) = rest.split_once('/').ok_or_else(invalid)?;
    if found != class {
        let message = format!("{text} is not a valid ID for {class}.");
        return Err(Failure::Field(message));
    }
    id.parse().map_err(|_| invalid())
}

/// The numbers in the global ids of an argument, if it is there.
pub(super) fn list(
    arguments: &Arguments,
    name: &str,
    class: &str,
) -> Result<Option<BTreeSet<u64>>, Failure> {
    let texts = arguments.texts(name);
    texts
        .map(|texts| texts.into_iter().map(|text| parse(text, class)).collect())
        .transpose()
}
