//! `replay --remediation`: what the rules of a configuration would have done about past failures.

use std::io::{self, Write};
use std::path::Path;

use anyhow::bail;
use ci_history::{FailedAttempt, Rules, Timeline};

use super::super::common::Console;
use super::super::saved::{TimelineFilter, selected};
use super::super::table::print_aligned;
use super::input::{self, Record};
use super::{Replay, ReplayArgs, initial_state, read};
use crate::base::human;
use crate::config::{Config, FailureFacts, Overrides, Owners, StateConfig};
use crate::remediation::{Evidence, PastFailure, Verdicts};

/// Runs it on recorded pipelines if a file is given, else on the saved state of the configuration.
pub(in crate::cli) async fn run(
    args: &ReplayArgs,
    file: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let overrides = Overrides::default();
    let (config, _) = Config::check(Some(file), &overrides, env)?;
    let settings = &config.remediation;
    if settings.rules.is_empty() {
        bail!(
            "{} has no remediation.rules, so nothing would have been done; add a rule to try",
            file.display()
        );
    }
    let mut verdicts = Verdicts::new(settings);
    let mut judge = |timeline: &Timeline, pipeline: Option<u64>, rules: &Rules| {
        for attempt in timeline.failed_attempts(pipeline, rules) {
            verdicts.add(settings, &past(timeline, &attempt, &config.owners));
        }
    };
    if args.file.is_some() {
        replay_input(args, &mut judge, console)?;
    } else {
        let (state, _) = StateConfig::load(Some(file), &overrides)?;
        let filter = TimelineFilter {
            project: None,
            ref_name: None,
            track: None,
        };
        for saved in selected(&state, &filter, console).await? {
            judge(&saved.timeline, None, &state.counting);
        }
    }
    print(&verdicts, console.out)?;
    Ok(())
}

fn replay_input(
    args: &ReplayArgs,
    judge: &mut dyn FnMut(&Timeline, Option<u64>, &Rules),
    console: &mut Console<'_>,
) -> anyhow::Result<()> {
    let rules = args.counting_preset.rules();
    let initial = initial_state(args.initial_state.as_deref(), &rules)?;
    let mut replay = Replay::new(args.counting_preset, initial);
    let text = read(args.file.as_deref())?;
    for record in input::records(&text)? {
        let Record { pipeline, jobs } = record?;
        let id = pipeline.id;
        let (timeline, is_counted) = replay.count(pipeline, &jobs.items);
        if is_counted {
            judge(timeline, Some(id), &rules);
        }
    }
    console.out.flush()?;
    Ok(())
}

/// A failed attempt of a timeline, as rules see it.
fn past<'a>(
    timeline: &'a Timeline,
    attempt: &FailedAttempt<'a>,
    owners: &'a Owners,
) -> PastFailure<'a> {
    let team = owners.team(&timeline.project, attempt.job, None);
    PastFailure {
        facts: FailureFacts {
            class: attempt.class,
            reason: attempt.reason,
            log_rule: attempt.log_rule,
            project: &timeline.project,
            ref_name: &timeline.key.ref_name,
            track: timeline.key.track.as_deref(),
            job: attempt.job,
            stage: attempt.stage,
            team: team.map(|team| &**team),
        },
        earlier_attempts: attempt.earlier_attempts,
        streak: attempt.streak,
        followed_by: attempt.followed_by,
    }
}

fn print(verdicts: &Verdicts, out: &mut dyn Write) -> io::Result<()> {
    let heading = [
        "RULE",
        "WOULD ACT",
        "HITS",
        "WASTED",
        "UNTRIED",
        "HIT RATE",
        "WAITING SAVED",
        "VERDICT",
    ];
    let mut rows = vec![heading.map(str::to_owned)];
    rows.extend(
        verdicts
            .rules
            .iter()
            .map(|(name, evidence)| row(name, evidence)),
    );
    print_aligned(&rows, out)?;
    writeln!(out)?;
    let Verdicts {
        failures,
        missed,
        rightly_left,
        held_back,
        ..
    } = verdicts;
    writeln!(out, "{failures} failed attempts in all.")?;
    writeln!(
        out,
        "Hits were retried anyway and passed, wasted ones failed again, untried ones were not retried."
    )?;
    writeln!(
        out,
        "No rule covers {missed} that passed when they were retried, and {rightly_left} that failed again."
    )?;
    if !verdicts.missed_by_class.is_empty() {
        let classes = verdicts.missed_by_class.iter();
        let classes: Vec<_> = classes
            .map(|(class, count)| format!("{class} {count}"))
            .collect();
        writeln!(out, "Missed by class: {}.", classes.join(", "))?;
    }
    if *held_back > 0 {
        writeln!(
            out,
            "{held_back} would have been left alone: tries used up, or the circuit open."
        )?;
    }
    Ok(())
}

fn row(name: &str, evidence: &Evidence) -> [String; 8] {
    let rate = evidence.hit_rate();
    [
        name.to_owned(),
        evidence.matched.to_string(),
        evidence.hits.to_string(),
        evidence.wasted.to_string(),
        evidence.untried.to_string(),
        rate.map_or("-".to_owned(), |rate| format!("{:.0} %", rate * 100.0)),
        human::span(evidence.waiting_saved as f64),
        evidence.verdict().to_owned(),
    ]
}
