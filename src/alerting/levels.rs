//! The thresholds that somebody wrote, and which of them holds for a job. The rules look up only jobs in trouble, in
//! the same order (`ci:threshold` in `alert-rules/jobs.yml`).

use super::labels::{JobLabels, quoted};

/// What a job belongs to besides its labels.
#[derive(Debug, Default)]
pub(super) struct Owner {
    pub(super) team: String,
    pub(super) stage: String,
}

/// A level: its name, and the matchers of its overrides for the job.
struct Level {
    name: &'static str,
    record: &'static str,
    matchers: String,
}

/// PromQL for the written thresholds of a job: of each the one of the most exact level, which is its label `level`.
pub(super) fn written_query(job: JobLabels<'_>, owner: &Owner) -> String {
    let levels = levels(job, owner).into_iter().map(|level| {
        let Level {
            name,
            record,
            matchers,
        } = level;
        let series = format!("{{__name__=~\"{record}:.+:threshold\",{matchers}}}");
        let pattern = format!("{record}:(.+):threshold");
        let named = format!("label_replace({series},\"what\",\"$1\",\"__name__\",\"{pattern}\")");
        let least = format!("min by (what, severity) ({named})");
        format!("label_replace({least},\"level\",\"{name}\",\"\",\"\")")
    });
    levels.collect::<Vec<_>>().join(" or on (what, severity) ")
}

/// From the most exact one on.
fn levels(job: JobLabels<'_>, owner: &Owner) -> Vec<Level> {
    let project = format!("project={}", quoted(job.project));
    let job_name = format!("{project},job_name={}", quoted(job.job_name));
    let stage = format!("{project},stage={}", quoted(&owner.stage));
    let mut levels = Vec::new();
    for (name, record, subject) in [
        ("job", "ci_job_override", &job_name),
        ("stage", "ci_stage_override", &stage),
        ("ref", "ci_ref_override", &project),
    ] {
        levels.extend(places(job).into_iter().map(|place| Level {
            name,
            record,
            matchers: format!("{subject},{place}"),
        }));
    }
    let plain = |name, record, matchers| Level {
        name,
        record,
        matchers,
    };
    levels.push(plain("project", "ci_project_override", project));
    let slashes: Vec<_> = job.project.match_indices('/').collect();
    levels.extend(slashes.into_iter().rev().map(|(end, _)| {
        let group = &job.project[..end];
        plain(
            "group",
            "ci_group_override",
            format!("group={}", quoted(group)),
        )
    }));
    let team = format!("team={}", quoted(&owner.team));
    levels.push(plain("team", "ci_team_override", team));
    levels.push(plain("default", "ci_default", String::new()));
    levels
}

/// Matchers for overrides of the job's ref and track, of either, and of neither.
fn places(job: JobLabels<'_>) -> Vec<String> {
    let ref_name = job.ref_name.map(|it| format!("ref={}", quoted(it)));
    let track = job.track.filter(|it| !it.is_empty());
    let track = track.map(|it| format!("track={}", quoted(it)));
    let (any_ref, any_track) = ("ref=\"\"", "track=\"\"");
    let mut places = Vec::new();
    if let (Some(ref_name), Some(track)) = (&ref_name, &track) {
        places.push(format!("{ref_name},{track}"));
    }
    places.extend(ref_name.map(|ref_name| format!("{ref_name},{any_track}")));
    places.extend(track.map(|track| format!("{any_ref},{track}")));
    places.push(format!("{any_ref},{any_track}"));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_go_from_the_job_on_its_ref_to_the_default() {
        let job = JobLabels {
            project: "acme/payments/api",
            ref_name: Some("main"),
            track: Some("nightly"),
            job_name: "unit",
        };
        let owner = Owner {
            team: "payments".to_owned(),
            stage: "test".to_owned(),
        };
        let found: Vec<_> = levels(job, &owner)
            .into_iter()
            .map(|level| format!("{}: {}", level.name, level.matchers))
            .collect();
        assert_eq!(found.len(), 4 + 4 + 4 + 1 + 2 + 1 + 1);
        assert_eq!(
            found[0],
            r#"job: project="acme/payments/api",job_name="unit",ref="main",track="nightly""#
        );
        assert_eq!(
            found[7],
            r#"stage: project="acme/payments/api",stage="test",ref="",track="""#
        );
        let rest = [
            r#"project: project="acme/payments/api""#,
            r#"group: group="acme/payments""#,
            r#"group: group="acme""#,
            r#"team: team="payments""#,
            "default: ",
        ];
        assert_eq!(found[12..], rest);
    }
}
