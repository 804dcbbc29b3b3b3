//! Paths of keys: `watch.groups[].path`.

use super::key_info::KeyInfo;

/// The names that the section `path` takes, in the order of the docs.
pub(super) fn children(keys: &[&'static [KeyInfo]], path: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for key in keys.iter().copied().flatten() {
        let inside = match path {
            "" => Some(key.path),
            _ => (key.path.strip_prefix(path)).and_then(|rest| rest.strip_prefix('.')),
        };
        let name = inside.and_then(|rest| rest.split(['.', '[']).next());
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    names
}

/// The path of a key in a section; the root has an empty one.
pub(super) fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}
