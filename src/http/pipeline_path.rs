//! The path of a pipeline's page, written and read.

use maud::{Markup, html};
use percent_encoding::{percent_decode_str, utf8_percent_encode};

use super::job_path::{ENCODED_PROJECT, LONGEST_PATH, SEPARATOR, is_directory};

const PREFIX: &str = "/pipelines/";

/// What the path of a pipeline's page names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PipelinePath {
    pub(super) project: String,
    pub(super) id: u64,
}

/// Whether a path is meant to be that of a pipeline's page.
pub(super) fn is_one(path: &str) -> bool {
    path.starts_with(PREFIX)
}

impl PipelinePath {
    /// `None` unless it names a project and a number.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (project, id) = path.strip_prefix(PREFIX)?.split_once(SEPARATOR)?;
        let project = percent_decode_str(project).decode_utf8().ok()?;
        // One address for each pipeline: no sign, and no zero in front.
        let is_number = id.bytes().all(|byte| byte.is_ascii_digit()) && !id.starts_with('0');
        let id = id.parse().ok().filter(|_| is_number)?;
        (!project.is_empty()).then(|| Self {
            project: project.into_owned(),
            id,
        })
    }
}

/// The path of a pipeline's page. `None` for a project whose name does not fit into a path.
pub(super) fn pipeline_path(project: &str, id: u64) -> Option<String> {
    if project.split('/').any(is_directory) {
        return None;
    }
    let project_path = utf8_percent_encode(project, ENCODED_PROJECT);
    let path = format!("{PREFIX}{project_path}{SEPARATOR}{id}");
    let leads_back =
        PipelinePath::parse(&path).is_some_and(|back| back.project == project && back.id == id);
    (leads_back && path.len() <= LONGEST_PATH).then_some(path)
}

/// The number of a pipeline, with a link to its page.
pub(super) fn pipeline_link(project: &str, id: u64) -> Markup {
    html! {
        @match pipeline_path(project, id) { Some(path) => a href=(path) { (id) }, None => (id) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_path_of_anything_else_is_none() {
        for path in [
            "/pipelines/",
            "/pipelines/7",
            "/pipelines/group/app/7",
            "/pipelines/group/app/-/",
            "/pipelines/group/app/-/x",
            "/pipelines/group/app/-/-7",
            "/pipelines/group/app/-/+7",
            "/pipelines/group/app/-/07",
            "/pipelines/group/app/-/0",
            "/pipelines/group/app/-/7/",
            "/pipelines/group/app/-/7%20",
            "/pipelines/group/app/-/18446744073709551616",
            "/pipelines/%ff/-/7",
            "/pipelines/-/7",
        ] {
            assert_eq!(PipelinePath::parse(path), None, "{path}");
        }
        for project in ["", ".", "group/..", &"x".repeat(5000)] {
            assert_eq!(pipeline_path(project, 7), None, "{project}");
        }
    }

    proptest! {
        #[test]
        fn any_project_has_a_path_of_harmless_characters_that_leads_back(
            project in "[^./].{0,20}/[^./].{0,20}", id in 1_u64..,
        ) {
            // GitLab allows no such segment.
            prop_assume!(!project.split('/').any(|name| name == "-" || is_directory(name)));
            let path = pipeline_path(&project, id).unwrap();
            prop_assert!(path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/%".contains(&b)));
            prop_assert_eq!(PipelinePath::parse(&path), Some(PipelinePath { project, id }));
        }
    }
}
