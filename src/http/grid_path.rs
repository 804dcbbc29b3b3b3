//! The paths of a ref's grid and of the list of its pipelines, written and read.

use percent_encoding::utf8_percent_encode;

use super::job_path::{ENCODED, ENCODED_PROJECT, LONGEST_PATH, SEPARATOR, decode, is_directory};

const GRID: &str = "/grid/";
const PIPELINES: &str = "/refs/";

/// The names in such a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GridPath {
    pub(super) project: String,
    pub(super) ref_name: String,
}

/// Whether a path is meant to be that of a grid.
pub(super) fn is_one(path: &str) -> bool {
    path.starts_with(GRID)
}

/// Whether a path is meant to be that of a ref's pipelines.
pub(super) fn is_of_pipelines(path: &str) -> bool {
    path.starts_with(PIPELINES)
}

impl GridPath {
    /// `None` unless it names a project and a ref.
    pub(super) fn parse(path: &str) -> Option<Self> {
        Self::below(GRID, path)
    }

    /// The same for the path of a ref's pipelines.
    pub(super) fn of_pipelines(path: &str) -> Option<Self> {
        Self::below(PIPELINES, path)
    }

    fn below(prefix: &str, path: &str) -> Option<Self> {
        let (project, ref_name) = path.strip_prefix(prefix)?.split_once(SEPARATOR)?;
        Some(Self {
            project: decode(project)?,
            ref_name: decode(ref_name)?,
        })
    }
}

/// The path of a ref's grid, with the track as its query. `None` for names that do not fit into a path.
pub(super) fn grid_path(project: &str, ref_name: &str, track: Option<&str>) -> Option<String> {
    path_below(GRID, project, ref_name, track)
}

/// The same for the list of its pipelines.
pub(super) fn pipelines_path(project: &str, ref_name: &str, track: Option<&str>) -> Option<String> {
    path_below(PIPELINES, project, ref_name, track)
}

fn path_below(prefix: &str, project: &str, ref_name: &str, track: Option<&str>) -> Option<String> {
    if is_directory(ref_name) || project.split('/').any(is_directory) {
        return None;
    }
    let path = format!(
        "{prefix}{}{SEPARATOR}{}",
        utf8_percent_encode(project, ENCODED_PROJECT),
        utf8_percent_encode(ref_name, ENCODED),
    );
    let leads_back = GridPath::below(prefix, &path)
        .is_some_and(|back| back.project == project && back.ref_name == ref_name);
    let track = utf8_percent_encode(track.unwrap_or_default(), ENCODED);
    let path = format!("{path}?track={track}");
    (leads_back && path.len() <= LONGEST_PATH).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_read_and_typed() {
        let path = grid_path("group/app", "refs/merge-requests/7/head", Some("a&b")).unwrap();
        assert_eq!(
            path,
            "/grid/group/app/-/refs%2Fmerge-requests%2F7%2Fhead?track=a%26b"
        );
        let typed = GridPath::parse("/grid/group/app/-/refs/merge-requests/7/head").unwrap();
        assert_eq!(typed.ref_name, "refs/merge-requests/7/head");
        assert_eq!(typed.project, "group/app");
        let path = pipelines_path("group/app", "feature/1", None).unwrap();
        assert_eq!(path, "/refs/group/app/-/feature%2F1?track=");
        let typed = GridPath::of_pipelines("/refs/group/app/-/1234").unwrap();
        assert_eq!(typed.ref_name, "1234");
    }

    #[test]
    fn names_that_do_not_fit_have_no_path() {
        for (project, name) in [("group/app", ".."), ("a/../b", "main"), ("group/app", "")] {
            assert_eq!(grid_path(project, name, None), None, "{project} {name}");
        }
        assert_eq!(grid_path("group/app", &"x".repeat(5000), None), None);
        for path in [
            "/grid/",
            "/grid/a",
            "/grid/a/-/",
            "/grid/-/x",
            "/grid/a/-/%ff",
        ] {
            assert_eq!(GridPath::parse(path), None, "{path}");
        }
    }
}
